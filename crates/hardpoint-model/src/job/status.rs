//! The states of a job and of a stage.
//!
//! ```text
//!   pending <──> running ──> completed | failed | cancelled
//!      └─────────────────────────────> failed | cancelled
//! ```
//!
//! Pure: it says what follows, the engine does it, and the store keeps it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in its life a job or a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted; nothing of it runs.
    Pending,
    /// A stage of it runs.
    Running,
    /// Every stage is done.
    Completed,
    /// A stage failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// What can happen to a job or a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobChange {
    /// It is started.
    Started,
    /// It ended well.
    Succeeded,
    /// It failed for good, or cannot be started at all.
    Broke,
    /// It goes back to wait: for a retry, or because the host that ran it is gone.
    PutBack,
    /// Its cancellation is complete.
    Cancelled,
}

/// A change that cannot happen in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {status} cannot have {change:?}")]
pub struct IllegalJobTransition {
    /// The status.
    pub status: JobStatus,
    /// The change.
    pub change: JobChange,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The status after a change.
    pub fn next(self, change: JobChange) -> Result<Self, IllegalJobTransition> {
        use JobChange as C;
        match (self, change) {
            (Self::Pending, C::Started) => Ok(Self::Running),
            (Self::Running, C::Succeeded) => Ok(Self::Completed),
            (Self::Pending | Self::Running, C::Broke) => Ok(Self::Failed),
            (Self::Running, C::PutBack) => Ok(Self::Pending),
            (Self::Pending | Self::Running, C::Cancelled) => Ok(Self::Cancelled),
            (status @ Self::Pending, C::Succeeded | C::PutBack)
            | (status @ Self::Running, C::Started)
            | (
                status @ (Self::Completed | Self::Failed | Self::Cancelled),
                C::Started | C::Succeeded | C::Broke | C::PutBack | C::Cancelled,
            ) => Err(IllegalJobTransition { status, change }),
        }
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running => false,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Vec<JobChange>> {
        use JobChange as C;
        let change = prop_oneof![
            Just(C::Started),
            Just(C::Succeeded),
            Just(C::Broke),
            Just(C::PutBack),
            Just(C::Cancelled)
        ];
        prop::collection::vec(change, 0..24)
    }

    proptest! {
        #[test]
        fn a_job_ends_once_and_only_completes_while_it_runs(changes in changes()) {
            let mut status = JobStatus::Pending;
            for change in changes {
                match status.next(change) {
                    Ok(next) => {
                        prop_assert!(!status.is_terminal(), "left {status} by {change:?}");
                        prop_assert!(next != JobStatus::Completed || status == JobStatus::Running);
                        prop_assert_ne!(next, status);
                        status = next;
                    }
                    Err(illegal) => prop_assert_eq!(illegal, IllegalJobTransition { status, change }),
                }
            }
            // Whatever happened: what has not ended can be cancelled.
            prop_assert_eq!(status.next(JobChange::Cancelled).is_ok(), !status.is_terminal());
        }
    }

    #[test]
    fn the_statuses_are_written_as_promised() {
        for (status, word) in
            JobStatus::ALL.into_iter().zip(["pending", "running", "completed", "failed", "cancelled"])
        {
            assert_eq!(serde_json::to_value(status).unwrap(), word);
            assert_eq!(status.to_string(), word);
        }
    }
}
