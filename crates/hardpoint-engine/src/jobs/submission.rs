//! What somebody wants to be run, and why it was not accepted.
//!
//! Plain data. Must not know how wishes come in.

use super::check::Mistake;
use super::core::JobRefusal;
use super::fold::Document;
use super::limits::INPUT_BYTES_MAX;
use crate::call::Refusal;
use hardpoint_model::job::{JobId, JobStatus};
use hardpoint_model::{Pipeline, PluginRef};
use hardpoint_store::StoreError;

/// A job that somebody wants.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What is to be run.
    pub work: Work,
    /// Higher is sooner.
    pub priority: i32,
    /// The same key is accepted once: later submissions are told of the first.
    pub idempotency_key: Option<String>,
}

/// What is to be run.
#[derive(Debug, Clone)]
pub enum Work {
    /// One tool.
    Tool {
        /// Which plugin, perhaps which instance of it.
        plugin: PluginRef,
        /// Which tool.
        tool: String,
        /// Its arguments.
        args: Document,
    },
    /// A pipeline.
    Pipeline {
        /// What it is.
        definition: Pipeline,
        /// What its first stage is given.
        input: Document,
    },
    /// A saved pipeline, as it is now.
    Saved {
        /// Its name.
        id: String,
        /// What its first stage is given.
        input: Document,
    },
    /// What is left of a job that failed: from its failed stage on.
    Rest(JobId),
}

/// Why a submission was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// The plugin does not take jobs.
    #[error("{0}")]
    Plugin(Refusal),
    /// The pipeline cannot work.
    #[error("the pipeline cannot be run: {}", .0.iter().map(|mistake| mistake.message.as_str()).collect::<Vec<_>>().join("; "))]
    Pipeline(Vec<Mistake>),
    /// There is no such saved pipeline.
    #[error("there is no pipeline `{0}`")]
    UnknownPipeline(String),
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// The job did not fail.
    #[error("job {0} is {1}: only what failed can be run again from where it failed")]
    NotFailed(JobId, JobStatus),
    /// What its finished stages brought is not kept any more.
    #[error("what the finished stages of job {0} brought is not kept any more")]
    Forgotten(JobId),
    /// There is too much JSON in its arguments or its input.
    #[error("a job is given {} MiB of JSON at most, binary data not counted", INPUT_BYTES_MAX >> 20)]
    TooLarge,
    /// The queue does not take it.
    #[error("{0}")]
    Queue(JobRefusal),
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Queue(JobRefusal::Store(error))
    }
}
