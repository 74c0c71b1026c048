//! A job: accepted, durable work of one or more stages; its states, its stages, its attempts.
//!
//! Owns the words and what may follow what. Must not know where jobs are kept or who runs them.

mod cancel;
mod event;
mod new;
mod status;

pub use cancel::{CancelPhase, CancelStep, IllegalCancelStep};
pub use event::{Event, EventKind, NewEvent, Notice, ResourceSnapshot};
pub use new::NewJob;
pub use status::{IllegalJobTransition, JobChange, JobStatus};

use crate::error::{Category, JobError};
use crate::ids::{NameError, PluginRef};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// Name of a job: a UUID, by its time of submission in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(uuid::Uuid);

impl JobId {
    /// A name for a job that is submitted now.
    pub fn now() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

impl FromStr for JobId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|_| NameError::Job)
    }
}

impl TryFrom<String> for JobId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What becomes of a stage whose host died while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnHostLoss {
    /// It is run again: the tool may be called twice with the same arguments.
    #[default]
    Retry,
    /// It fails: what the tool does must not happen twice.
    Fail,
}

/// A stage of a job: one tool of one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// Which plugin, perhaps which instance of it.
    pub plugin: PluginRef,
    /// Which tool.
    pub tool: String,
    /// Its arguments. Of binary data only the length is told: `{"$bytes_length": N}`.
    pub args: Map<String, Value>,
    /// Where it stands.
    pub status: JobStatus,
    /// How often it was begun.
    pub attempts: u32,
    /// Why it failed, the last time that it did.
    pub error: Option<JobError>,
    /// The size of what it brought, binary data included.
    pub output_bytes: Option<u64>,
    /// When its present attempt began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ended_at: Option<Timestamp>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Its name.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub job_id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Higher is sooner.
    pub priority: i32,
    /// The name that the client chose for this submission.
    pub idempotency_key: Option<String>,
    /// The saved pipeline that it is a run of.
    pub pipeline_id: Option<String>,
    /// Which version of it.
    pub pipeline_version: Option<u32>,
    /// The failed job whose finished stages it begins with.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub resumes: Option<JobId>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// How far its cancellation is.
    pub cancel_phase: Option<CancelPhase>,
    /// When it was accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub submitted_at: Timestamp,
    /// When its first stage began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub completed_at: Option<Timestamp>,
}

impl Job {
    /// How many of its stages ended well.
    pub fn stages_executed(&self) -> usize {
        self.stages.iter().filter(|stage| stage.status == JobStatus::Completed).count()
    }

    /// The first stage that did not end well, counted from 1, and why.
    pub fn failure(&self) -> Option<(usize, JobError)> {
        let broken = |stage: &Stage| matches!(stage.status, JobStatus::Failed | JobStatus::Cancelled);
        let index = self.stages.iter().position(broken)?;
        let stage = self.stages.get(index)?;
        let error = stage.error.clone().filter(|_| stage.status == JobStatus::Failed);
        let cancelled = || JobError::new(Category::Transient, "Cancelled", "it was cancelled");
        Some((index + 1, error.unwrap_or_else(cancelled)))
    }
}
