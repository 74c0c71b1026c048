//! Pipelines of a running host: saved, looked at, run.
//!
//! Owns the routes of pipelines. Must not know what is done with a document.

use super::{Client, typed};
use crate::embedded::{Document, Failure};
use hardpoint_model::Pipeline;
use hardpoint_model::job::JobId;
use hardpoint_wire::Payload;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What is to be run.
#[derive(Debug)]
pub(crate) enum Runnable<'a> {
    /// A definition.
    Definition(&'a Pipeline),
    /// A saved pipeline.
    Saved(&'a str),
}

/// A run to be.
#[derive(Debug)]
pub(crate) struct NewRun<'a> {
    pub(crate) what: Runnable<'a>,
    pub(crate) input: Document,
    pub(crate) priority: i32,
    pub(crate) idempotency_key: Option<&'a str>,
}

impl Client {
    /// All saved pipelines.
    pub(crate) async fn pipelines(&self) -> Result<Value, Failure> {
        self.get(&["v1", "pipelines"], &[]).await
    }

    /// One of them; a version, or the latest.
    pub(crate) async fn pipeline(&self, id: &str, version: Option<u32>) -> Result<Value, Failure> {
        let version = version.map(|version| version.to_string());
        let query: Vec<(&str, &str)> = version.iter().map(|version| ("version", version.as_str())).collect();
        self.get(&["v1", "pipelines", id], &query).await
    }

    /// Saves a new pipeline; with `check` it is only looked whether it could be.
    pub(crate) async fn create_pipeline(&self, definition: &Pipeline, check: bool) -> Result<Value, Failure> {
        let query: &[(&str, &str)] = if check { &[("check", "true")] } else { &[] };
        self.post(&["v1", "pipelines"], query, Some(&json!(definition)), Duration::ZERO).await
    }

    /// Saves the next version of a pipeline.
    pub(crate) async fn replace_pipeline(&self, id: &str, definition: &Pipeline) -> Result<Value, Failure> {
        let request = self.request(Method::PUT, &["v1", "pipelines", id], &[]).json(definition);
        self.document(request).await
    }

    /// Forgets one.
    pub(crate) async fn delete_pipeline(&self, id: &str) -> Result<(), Failure> {
        let request = self.request(Method::DELETE, &["v1", "pipelines", id], &[]);
        self.send(request).await.map(drop)
    }

    /// Hands a run in. Once this is back it is kept.
    pub(crate) async fn run_pipeline(&self, run: NewRun<'_>) -> Result<Value, Failure> {
        let mut body =
            json!({"priority": run.priority, "input": Payload::object(run.input).into_json(u64::MAX)?});
        if let Some(fields) = body.as_object_mut() {
            match run.what {
                Runnable::Definition(definition) => fields.insert("pipeline".to_owned(), json!(definition)),
                Runnable::Saved(id) => fields.insert("pipeline_id".to_owned(), id.into()),
            };
            if let Some(key) = run.idempotency_key {
                fields.insert("idempotency_key".to_owned(), key.into());
            }
        }
        self.post(&["v1", "jobs"], &[], Some(&body), Duration::ZERO).await
    }

    /// Runs what is left of a failed job; the id of the new one.
    pub(crate) async fn rerun(&self, id: JobId) -> Result<JobId, Failure> {
        let document = self.job_verb(id, "rerun", None).await?;
        typed(document.get("job_id").unwrap_or(&Value::Null))
    }

    /// How far each stage of a job is.
    pub(crate) async fn job_pipeline(&self, id: JobId) -> Result<Value, Failure> {
        self.get(&["v1", "jobs", &id.to_string(), "pipeline"], &[]).await
    }
}
