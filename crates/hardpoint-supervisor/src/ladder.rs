//! The kill ladder: how a call that must stop is asked ever more firmly.
//!
//! ```text
//!   Running -> Cooperative -> Interrupt -> Terminate -> Kill
//!              set its flag   raise inside  SIGTERM      SIGKILL
//!                             Python code   whole tree   whole tree
//! ```
//!
//! Pure: rungs and times. A call climbs the first rungs alone; from `Terminate` on its worker goes with it.

use crate::limits::{
    COOPERATIVE_MAX, DEADLINE_COOPERATIVE, DEADLINE_INTERRUPT, DEADLINE_TERMINATE, FORCE_TERMINATE,
};
use std::time::Duration;

/// How long each rung is given before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// After asking.
    pub cooperative: Duration,
    /// After interrupting Python code.
    pub interrupt: Duration,
    /// After SIGTERM to the tree.
    pub terminate: Duration,
}

impl Default for Grace {
    /// A caller has its answer within its timeout and a second, also when the worker has to be killed for it.
    fn default() -> Self {
        Self {
            cooperative: DEADLINE_COOPERATIVE,
            interrupt: DEADLINE_INTERRUPT,
            terminate: DEADLINE_TERMINATE,
        }
    }
}

impl Grace {
    /// All rungs together.
    pub(crate) fn total(&self) -> Duration {
        self.cooperative + self.interrupt + self.terminate
    }

    /// For a call that is cancelled: it is asked and interrupted for this long, then its worker goes at once.
    pub fn of_cancel(grace: Duration) -> Self {
        let cooperative = (grace / 2).min(COOPERATIVE_MAX);
        Self { cooperative, interrupt: grace.saturating_sub(cooperative), terminate: FORCE_TERMINATE }
    }
}

/// Where on the ladder a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rung {
    Running,
    Cooperative,
    Interrupt,
    Terminate,
}

impl Rung {
    /// The next rung and how long it is given; `None` at the top, where only SIGKILL is left.
    pub(crate) fn next(self, grace: &Grace) -> Option<(Self, Duration)> {
        match self {
            Self::Running => Some((Self::Cooperative, grace.cooperative)),
            Self::Cooperative => Some((Self::Interrupt, grace.interrupt)),
            Self::Interrupt => Some((Self::Terminate, grace.terminate)),
            Self::Terminate => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_ends_within_the_sum_of_its_graces() {
        let grace = Grace::default();
        let (mut rung, mut total) = (Rung::Running, Duration::ZERO);
        while let Some((next, time)) = rung.next(&grace) {
            assert!(next > rung, "{next:?} after {rung:?} is a step back");
            (rung, total) = (next, total + time);
        }
        assert_eq!(total, grace.cooperative + grace.interrupt + grace.terminate);
        assert!(total < Duration::from_secs(1), "there is time left to kill a worker: {total:?}");
    }

    #[test]
    fn a_cancelled_call_has_its_grace_and_its_worker_hardly_more() {
        for ms in [0, 1, 500, 3000, 60_000] {
            let grace = Grace::of_cancel(Duration::from_millis(ms));
            assert_eq!(grace.cooperative + grace.interrupt, Duration::from_millis(ms), "{ms} ms");
            assert_eq!(grace.terminate, FORCE_TERMINATE);
        }
    }
}
