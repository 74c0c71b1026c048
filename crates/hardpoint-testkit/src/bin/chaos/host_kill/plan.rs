//! What one round will do: drawn from the seed before anything happens.
//!
//! Owns how long servers live and how they die. Must not know what clients ask.

use crate::random::Random;
use std::time::Duration;

/// So long after its start a server is killed while it starts; some listen already.
const STARTING_MAX: Duration = Duration::from_millis(60);
/// So long after it listens one is killed while it takes up what the last one left.
const RECOVERING_MAX: Duration = Duration::from_millis(300);
/// So long after it listens one is killed at work.
const WORKING_MAX: Duration = Duration::from_millis(1400);
/// So long after it was asked to stop one is killed while it stops.
const STOPPING_MAX: Duration = Duration::from_millis(300);

/// When a server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// So long after its process began.
    AfterStart(Duration),
    /// So long after it listened.
    AfterListening(Duration),
}

/// How it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By SIGKILL.
    Killed,
    /// By SIGKILL, so long after it was asked to stop.
    KilledWhileStopping(Duration),
    /// In order.
    Stopped,
}

/// One round.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) when: When,
    pub(super) how: How,
    /// Clients at the same time.
    pub(super) clients: u64,
    /// `jobs.on_host_loss` of this server.
    pub(super) on_host_loss: &'static str,
    /// `jobs.running_max` of this server.
    pub(super) running_max: u64,
    /// Whether the next server starts while this one's workers may still be dying. Only then shims are killed, too:
    /// what host and shim can no longer clear away is the next server's to end.
    pub(super) next_at_once: bool,
}

impl Plan {
    pub(super) fn draw(random: &mut Random) -> Self {
        let when = match random.below(10) {
            0 | 1 => When::AfterStart(random.within(STARTING_MAX)),
            2 | 3 => When::AfterListening(random.within(RECOVERING_MAX)),
            _ => When::AfterListening(random.within(WORKING_MAX)),
        };
        let how = match (when, random.below(16)) {
            (When::AfterListening(_), 0) => How::Stopped,
            (When::AfterListening(_), 1 | 2) => How::KilledWhileStopping(random.within(STOPPING_MAX)),
            (When::AfterListening(_) | When::AfterStart(_), _) => How::Killed,
        };
        Self {
            when,
            how,
            clients: 1 + random.below(4),
            on_host_loss: if random.chance(70) { "retry" } else { "fail" },
            running_max: 1 + random.below(8),
            next_at_once: random.chance(50),
        }
    }
}
