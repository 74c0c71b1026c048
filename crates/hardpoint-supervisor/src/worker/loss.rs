//! Losing a worker: what its callers are told.
//!
//! Owns the translation of an exit into the [`JobError`] of a call. Must not know how the exit was found.

use hardpoint_model::plugin_config::ConfigSchema;
use hardpoint_model::{Category, Exit, ExitReason, JobError};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The worker ended while a call was in flight.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the worker {exit}")]
pub struct WorkerLost {
    /// Its end.
    pub exit: Arc<Exit>,
    /// Whether this very call was why the host ended it.
    pub culprit: bool,
}

impl WorkerLost {
    /// The loss as the failure of a call of `plugin`.
    pub fn to_job_error(&self, plugin: &str) -> JobError {
        let message = format!("plugin `{plugin}`: its worker {}", self.exit.reason);
        if !self.culprit && was_meant_for_one_call(&self.exit.reason) {
            let message = format!("{message}; this call was lost with it");
            return JobError::new(Category::Transient, "WorkerLost", message).of_plugin(plugin);
        }
        let (category, error_type) = classify(&self.exit.reason);
        let mut error = JobError::new(category, error_type, message).of_plugin(plugin);
        error.retriable &= error_type != "Cancelled";
        error
    }
}

/// What a worker says of its plugin once that is imported, for as long as nobody says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    /// The schema of its configuration, if it has one.
    pub config_schema: Option<Arc<ConfigSchema>>,
    /// What only those who know its dialect look at.
    pub facts: Option<Arc<Map<String, Value>>>,
}

/// The plugin could not be started.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", error.message)]
pub struct StartFailure {
    /// Why, as the plugin or the host says it.
    pub error: Box<JobError>,
    /// How the worker ended, when there was one.
    pub exit: Option<Arc<Exit>>,
    /// What it said of its plugin, if it came so far.
    pub announced: Option<Announced>,
}

/// A start that failed because the worker ended, without a word of the plugin itself.
pub(crate) fn start_failure(plugin: &str, exit: Arc<Exit>) -> StartFailure {
    let (category, error_type) = classify(&exit.reason);
    let message = format!("plugin `{plugin}` could not be started: its worker {}", exit.reason);
    let error = JobError::new(category, error_type, message).of_plugin(plugin);
    StartFailure { error: Box::new(error), exit: Some(exit), announced: None }
}

/// The actor itself ended without a word: the runtime is shutting down.
pub(crate) fn silent(plugin: &str) -> StartFailure {
    start_failure(plugin, Arc::new(unknown_exit()))
}

/// The end of a worker whose actor is gone.
pub(crate) fn unknown_exit() -> Exit {
    Exit {
        reason: ExitReason::HostLost,
        stderr_tail: Vec::new(),
        descendants_killed: 0,
        output_leaked: false,
    }
}

fn was_meant_for_one_call(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Deadline { .. } | ExitReason::Cancelled { .. })
}

fn classify(reason: &ExitReason) -> (Category, &'static str) {
    match reason {
        ExitReason::Deadline { .. } => (Category::Transient, "TimeoutError"),
        ExitReason::Cancelled { .. } => (Category::Transient, "Cancelled"),
        ExitReason::MemoryLimit { .. } => (Category::Resource, "MemoryLimitExceeded"),
        ExitReason::OutOfMemory { .. } => (Category::Resource, "OutOfMemory"),
        ExitReason::StartupTimeout { .. } => (Category::Fatal, "StartupTimeout"),
        ExitReason::ProtocolViolation { .. } => (Category::Fatal, "ProtocolViolation"),
        ExitReason::ExitCode { .. } | ExitReason::Signal { .. } => (Category::Fatal, "WorkerCrashed"),
        ExitReason::OwnStop | ExitReason::HostLost | ExitReason::ShimLost => {
            (Category::Transient, "WorkerLost")
        }
    }
}
