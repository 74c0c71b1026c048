//! Jobs of a running host: submitted, looked at, changed, followed.
//!
//! Owns the routes of jobs and the stream of their events. Must not know what is done with a document.

use super::call::EVENTS;
use super::http::typed;
use super::lines::Lines;
use super::{Client, Refused};
use crate::embedded::{Document, Failure};
use hardpoint_model::job::{Event, Job, JobId, Notice};
use hardpoint_wire::Payload;
use reqwest::{Method, header};
use serde::Deserialize as _;
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

/// What a server tells of what happens.
#[derive(Debug)]
pub(crate) enum Told {
    Event(Box<Event>),
    Notice(Notice),
}

/// Events as they come, in their order.
pub(crate) struct EventStream<'a> {
    client: &'a Client,
    lines: Lines<'a>,
}

impl Client {
    /// Hands a job in. Once this is back it is kept.
    pub(crate) async fn submit(&self, job: NewJob<'_>) -> Result<Value, Failure> {
        let mut body = json!({"plugin_id": job.plugin, "tool_name": job.tool, "priority": job.priority,
            "args": Payload::object(job.args).into_json(u64::MAX)?});
        if let (Some(key), Some(fields)) = (job.idempotency_key, body.as_object_mut()) {
            fields.insert("idempotency_key".to_owned(), key.into());
        }
        self.post(&["v1", "jobs"], &[], Some(&body), Duration::ZERO).await
    }

    /// One page of jobs, newest first.
    pub(crate) async fn jobs(&self, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.get(&["v1", "jobs"], query).await
    }

    /// How many jobs there are and were.
    pub(crate) async fn job_stats(&self) -> Result<Value, Failure> {
        self.get(&["v1", "jobs", "stats"], &[]).await
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

    /// Events, to the end of the job or for ever.
    pub(crate) async fn events(&self, query: EventQuery) -> Result<EventStream<'_>, Failure> {
        let (since, job) = (query.since.to_string(), query.job.map(|job| job.to_string()));
        let path = match &job {
            Some(job) => vec!["v1", "jobs", job, "events"],
            None => vec!["v1", "events"],
        };
        let follow = if query.follow { "true" } else { "false" };
        let pairs = [("since", since.as_str()), ("follow", follow)];
        let request = self.request(Method::GET, &path, &pairs).header(header::ACCEPT, EVENTS);
        let response = self.send(request).await?;
        Ok(EventStream { client: self, lines: Lines::of(self, response) })
    }

    /// A stream of events that should have gone on.
    pub(crate) fn events_ended(&self) -> Failure {
        Failure::Unreachable {
            message: format!("the server at {} ended the stream of events", self.shown()),
            hint: "it may have been stopped: look whether it runs, and at its log".to_owned(),
        }
    }
}

impl EventStream<'_> {
    /// What comes next, and the document that says so. `None`: the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<(Told, Value)>, Failure> {
        while let Some(line) = self.lines.next(0).await? {
            // A sign of life is an empty line.
            let Ok(document) = serde_json::from_slice::<Value>(&line) else { continue };
            if document.get("detail").is_some() {
                return Err(Failure::Refused(Box::new(Refused::of_event(document, self.client.target()))));
            }
            if document.get("number").is_some() {
                return Ok(Some((Told::Event(Box::new(typed(&document)?)), document)));
            }
            // What a newer server may tell besides is for those who know it.
            if let Ok(notice) = Notice::deserialize(&document) {
                return Ok(Some((Told::Notice(notice), document)));
            }
        }
        Ok(None)
    }
}
