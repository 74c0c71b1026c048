//! What an operator decides about jobs.
//!
//! Plain data, filled in from the configuration; owns nothing at run time.

use super::forget::OutputsKept;
use super::limits::PENDING_MAX;
use hardpoint_model::job::OnHostLoss;
use std::time::Duration;

/// How jobs are treated.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Jobs that wait or run; more are refused.
    pub pending_max: usize,
    /// Stages that run at once, over all plugins.
    pub running_max: usize,
    /// How often a stage that failed for a reason that may pass is tried again.
    pub retries_max: u32,
    /// The longest wait before a retry, whatever the plugin asks for.
    pub retry_wait_max: Duration,
    /// How often a stage is begun at most, hosts that died under it included.
    pub attempts_max: u32,
    /// What becomes of a stage whose host died while it ran.
    pub on_host_loss: OnHostLoss,
    /// What becomes of a stage whose plugin is down and stays so.
    pub when_down: WhenDown,
    /// How long a cancelled call may take to stop by itself.
    pub cancel_grace: Duration,
    /// How often it is measured what a running stage's worker uses; zero: never.
    pub snapshot_every: Duration,
    /// Whether binary data that a job is given is safe from a loss of power before the job is accepted.
    pub sync_inputs: bool,
    /// How long what jobs brought is kept.
    pub outputs: OutputsKept,
    /// How long after a refusal the disk is tried again.
    pub store_retry: Duration,
    /// Which events are kept.
    pub events: EventsKept,
}

/// What becomes of a stage whose plugin is down until somebody does something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenDown {
    /// It waits: an operator may bring the plugin up.
    #[default]
    Wait,
    /// It fails: there is no operator.
    Fail,
}

/// Which events are kept. Those of jobs that wait or run always are.
#[derive(Debug, Clone, Copy)]
pub struct EventsKept {
    /// The last ones, this many.
    pub count_max: u64,
    /// Of those only what is not older.
    pub age_max: Duration,
}

impl Default for EventsKept {
    fn default() -> Self {
        Self { count_max: 1_000_000, age_max: Duration::from_hours(30 * 24) }
    }
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            pending_max: PENDING_MAX,
            running_max: 64,
            retries_max: 1,
            retry_wait_max: Duration::from_mins(5),
            attempts_max: 5,
            on_host_loss: OnHostLoss::default(),
            when_down: WhenDown::default(),
            cancel_grace: Duration::from_secs(3),
            snapshot_every: Duration::from_secs(4),
            sync_inputs: true,
            outputs: OutputsKept { age_max: Duration::from_hours(30 * 24), bytes_max: 4 << 30 },
            store_retry: Duration::from_secs(1),
            events: EventsKept::default(),
        }
    }
}
