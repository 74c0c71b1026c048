//! Jobs of a running host: submitted, looked at, changed, followed.
//!
//! Owns the routes of jobs and the stream of their events. Must not know what is done with a document.

use super::call::EVENTS;
use super::http::typed;
use super::lines::Lines;
use super::{Client, Refused};
use crate::embedded::{Document, Failure};
use crate::values::to_json;
use hardpoint_model::job::{Job, JobId};
use hardpoint_wire::Payload;
use reqwest::{Method, header};
use serde_json::{Value, json};
use std::time::Duration;

/// A job to be.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) args: Document,
    pub(crate) priority: i32,
    pub(crate) idempotency_key: Option<&'a str>,
}

/// Which events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventQuery {
    /// Of which job; without one of all.
    pub(crate) job: Option<JobId>,
    /// Only those with a higher number.
    pub(crate) since: u64,
    /// Whether those that will happen are wanted, too.
    pub(crate) follow: bool,
}

/// Whether the next event is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Wanted,
    Enough,
}

impl Client {
    /// Hands a job in. Once this is back it is kept.
    pub(crate) async fn submit(&self, job: NewJob<'_>) -> Result<Value, Failure> {
        let mut body = json!({"plugin_id": job.plugin, "tool_name": job.tool, "priority": job.priority,
            "args": to_json(Payload::object(job.args))?});
        if let (Some(key), Some(fields)) = (job.idempotency_key, body.as_object_mut()) {
            fields.insert("idempotency_key".to_owned(), key.into());
        }
        self.post(&["v1", "jobs"], &[], Some(&body), Duration::ZERO).await
    }

    /// One page of jobs, newest first.
    pub(crate) async fn jobs(&self, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.get(&["v1", "jobs"], query).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Value, Failure> {
        self.get(&["v1", "jobs", &id.to_string()], &[]).await
    }

    /// The same as a [`Job`].
    pub(crate) async fn typed_job(&self, id: JobId) -> Result<Job, Failure> {
        typed(&self.job(id).await?)
    }

    /// What a completed job brought.
    pub(crate) async fn job_result(&self, id: JobId) -> Result<Value, Failure> {
        self.get(&["v1", "jobs", &id.to_string(), "result"], &[]).await
    }

    /// Does something with a job.
    pub(crate) async fn job_verb(
        &self,
        id: JobId,
        verb: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.post(&["v1", "jobs", &id.to_string(), verb], &[], body, Duration::ZERO).await
    }

    /// Tells `on_event` of events, in their order, until it has enough or there are no more: those of one job end
    /// with it.
    pub(crate) async fn events(
        &self,
        query: EventQuery,
        mut on_event: impl FnMut(Value) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        let (since, job) = (query.since.to_string(), query.job.map(|job| job.to_string()));
        let path = match &job {
            Some(job) => vec!["v1", "jobs", job, "events"],
            None => vec!["v1", "events"],
        };
        let follow = if query.follow { "true" } else { "false" };
        let pairs = [("since", since.as_str()), ("follow", follow)];
        let request = self.request(Method::GET, &path, &pairs).header(header::ACCEPT, EVENTS);
        let response = self.send(request).await?;
        let mut lines = Lines::of(self, response);
        while let Some(line) = lines.next(0).await? {
            let Ok(document) = serde_json::from_slice::<Value>(&line) else { continue };
            if document.get("detail").is_some() {
                return Err(Failure::Refused(Box::new(Refused::of_event(document, self.target()))));
            }
            // A sign of life has no number.
            if document.get("number").is_some() && on_event(document)? == Next::Enough {
                return Ok(());
            }
        }
        if query.follow && query.job.is_none() { Err(self.events_ended()) } else { Ok(()) }
    }

    /// A stream of events that should have gone on.
    pub(crate) fn events_ended(&self) -> Failure {
        Failure::Unreachable {
            message: format!("the server at {} ended the stream of events", self.shown()),
            hint: "it may have been stopped: what has happened meanwhile is told from `--since NUMBER` on"
                .to_owned(),
        }
    }
}
