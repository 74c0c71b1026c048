//! The phases of a cancellation.
//!
//! ```text
//!   COOPERATIVE ──> FORCE ──> RELOADING ──> COMPLETED
//!        └──────────────────────────────────────^
//! ```
//!
//! Pure: it says what follows. A call that stops when it is asked never gets past the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a cancellation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CancelPhase {
    /// The call was asked to stop.
    Cooperative,
    /// Its worker is being ended.
    Force,
    /// A new worker is being started in its place.
    Reloading,
    /// Nothing of the call is left.
    Completed,
}

/// What can happen to a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelStep {
    /// The call stopped by itself.
    Stopped,
    /// The grace period is over.
    GraceOver,
    /// The worker is gone.
    WorkerGone,
    /// The new worker is ready, or cannot be.
    Reloaded,
}

/// A step that cannot happen in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cancellation that is {phase:?} cannot have {step:?}")]
pub struct IllegalCancelStep {
    /// The phase.
    pub phase: CancelPhase,
    /// The step.
    pub step: CancelStep,
}

impl CancelPhase {
    /// The phase after a step.
    pub fn next(self, step: CancelStep) -> Result<Self, IllegalCancelStep> {
        use CancelStep as S;
        match (self, step) {
            (Self::Cooperative, S::Stopped) | (Self::Reloading, S::Reloaded) => Ok(Self::Completed),
            (Self::Cooperative, S::GraceOver) => Ok(Self::Force),
            // It may die of being asked; then there is nothing left to force.
            (Self::Cooperative | Self::Force, S::WorkerGone) => Ok(Self::Reloading),
            (phase @ Self::Cooperative, S::Reloaded)
            | (phase @ Self::Force, S::Stopped | S::GraceOver | S::Reloaded)
            | (phase @ Self::Reloading, S::Stopped | S::GraceOver | S::WorkerGone)
            | (phase @ Self::Completed, S::Stopped | S::GraceOver | S::WorkerGone | S::Reloaded) => {
                Err(IllegalCancelStep { phase, step })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_only_goes_forward_and_can_always_complete() {
        let order = |phase| match phase {
            CancelPhase::Cooperative => 0,
            CancelPhase::Force => 1,
            CancelPhase::Reloading => 2,
            CancelPhase::Completed => 3,
        };
        let steps =
            [CancelStep::Stopped, CancelStep::GraceOver, CancelStep::WorkerGone, CancelStep::Reloaded];
        for phase in
            [CancelPhase::Cooperative, CancelPhase::Force, CancelPhase::Reloading, CancelPhase::Completed]
        {
            let next: Vec<CancelPhase> = steps.iter().filter_map(|step| phase.next(*step).ok()).collect();
            assert!(next.iter().all(|next| order(*next) > order(phase)), "{phase:?} went back");
            assert_eq!(next.is_empty(), phase == CancelPhase::Completed, "{phase:?}");
        }
    }
}
