//! Events: numbered facts about jobs, and their payloads.
//!
//! Owns the kinds and their JSON. A number is given by the store, in the transaction that makes the fact true.

use super::{CancelPhase, JobId, JobStatus};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "payload", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// A job's status changed.
    StateTransition {
        /// What it was; null for a job that was just accepted.
        from: Option<JobStatus>,
        /// What it is.
        to: JobStatus,
    },
    /// A running call told how far it is.
    ProgressChanged {
        /// 0 to 1, or -1 when it cannot say.
        progress: f64,
        /// What it is doing.
        status_message: String,
    },
    /// What a running job's worker uses.
    ResourceSnapshot(ResourceSnapshot),
    /// A cancellation got further.
    CancelPhaseChanged {
        /// How far it is now.
        phase: CancelPhase,
    },
    /// A stage is tried again.
    RetryStarted {
        /// How often it has been tried again, this time included.
        retry_count: u32,
        /// Why.
        reason: String,
    },
    /// Why a pending job waits is no longer the same.
    BlockReasonChanged {
        /// Why it waits; null when nothing keeps it.
        reason: Option<String>,
    },
    /// A stage of a job of several ended.
    SequenceAdvanced {
        /// Which one, from 0.
        index: u32,
        /// How many there are.
        total: u32,
        /// How it ended.
        status: JobStatus,
    },
}

/// What the worker of a job used at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceSnapshot {
    /// Process number of the worker.
    pub worker_pid: u32,
    /// Processor use of its whole process tree: 100 is one core.
    pub cpu_percent: f64,
    /// Resident memory of its whole process tree, in MiB.
    pub memory_rss_mb: f64,
}

impl EventKind {
    /// The word for it, as in `type`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::StateTransition { .. } => "STATE_TRANSITION",
            Self::ProgressChanged { .. } => "PROGRESS_CHANGED",
            Self::ResourceSnapshot(_) => "RESOURCE_SNAPSHOT",
            Self::CancelPhaseChanged { .. } => "CANCEL_PHASE_CHANGED",
            Self::RetryStarted { .. } => "RETRY_STARTED",
            Self::BlockReasonChanged { .. } => "BLOCK_REASON_CHANGED",
            Self::SequenceAdvanced { .. } => "SEQUENCE_ADVANCED",
        }
    }
}

/// A fact that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The job.
    pub job_id: JobId,
    /// The instance that runs its stage.
    pub plugin_instance_id: String,
    /// Its stage, from 0.
    pub stage: u32,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// A numbered fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its number: each is one more than the one before it, over all jobs.
    pub number: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub job_id: JobId,
    /// The instance that runs its stage.
    pub plugin_instance_id: String,
    /// Its stage, from 0.
    pub stage: u32,
    /// When it happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
}
