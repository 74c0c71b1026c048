//! Ending a worker: why, for whose sake, and when the next signal is due.
//!
//! Owns the part of the core that leads from a reason to SIGTERM and SIGKILL.

use super::{Core, Effect, millis};
use crate::end::Intent;
use crate::state::WorkerEvent;
use crate::worker::calls::{Cause, Entry};
use hardpoint_process::Signal;
use hardpoint_wire::HostMessage;
use std::time::Duration;
use tokio::time::Instant;

/// The id of the clean-up request.
pub(super) const CLEANUP: u64 = 3;

/// While the worker is being ended.
pub(super) struct Ending {
    pub(super) intent: Intent,
    /// The call that made it necessary.
    pub(super) culprit: Option<u64>,
    pub(super) terminate_at: Option<Instant>,
    pub(super) kill_at: Option<Instant>,
}

impl Ending {
    /// SIGTERM at this time, and SIGKILL so long after it.
    pub(super) fn at(intent: Intent, terminate_at: Instant, grace: Duration) -> Self {
        let (terminate_at, kill_at) = (Some(terminate_at), Some(terminate_at + grace));
        Self { intent, culprit: None, terminate_at, kill_at }
    }
}

impl Core {
    /// It broke the protocol: it cannot be trusted with another message.
    pub(in crate::worker) fn violated(&mut self, detail: String) {
        self.kill(Intent::Violation(detail));
    }

    pub(super) fn on_stop(&mut self, grace: Duration, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        self.advance(WorkerEvent::StopRequested);
        // The last fifth of the grace period is for SIGTERM, so that SIGKILL comes on time.
        let terminate_at = now + grace.mul_f64(0.8);
        self.ending = Some(Ending {
            intent: Intent::Stop,
            culprit: None,
            terminate_at: Some(terminate_at),
            kill_at: Some(now + grace),
        });
        if self.start.is_some() {
            self.effects.push(Effect::Signal(Signal::Terminate));
        } else if self.calls.is_empty() {
            self.clean_up();
        }
    }

    pub(super) fn clean_up(&mut self) {
        self.effects.push(Effect::Send(HostMessage::Cleanup { id: CLEANUP }, Vec::new()));
    }

    pub(super) fn end_for(&mut self, id: u64, now: Instant) {
        let Some(entry) = self.calls.get_mut(id) else { return };
        let (tool, grace) = (entry.tool.clone(), entry.grace.terminate);
        let intent = match entry.asked_because() {
            Some(Cause::Cancelled) => Intent::Cancelled { tool },
            Some(Cause::Deadline) | None => Intent::Deadline { tool, timeout_ms: millis(entry.timeout) },
        };
        self.end(Ending { culprit: Some(id), ..Ending::at(intent, now, grace) }, now);
    }

    /// SIGTERM now, SIGKILL after the grace time.
    pub(super) fn terminate(&mut self, intent: Intent, now: Instant) {
        let grace = self.bounds.grace.terminate;
        self.end(Ending::at(intent, now, grace), now);
    }

    /// SIGTERM and SIGKILL at their times, unless it has ended by then.
    pub(super) fn end(&mut self, ending: Ending, now: Instant) {
        // An orderly stop that a stuck call delays keeps its own end; anything else is already ending.
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ending);
        self.advance(WorkerEvent::EndBegan);
        self.go_on_ending(now);
    }

    /// A call that was asked to stop and did may have left processes behind. While no other call runs, whatever the
    /// worker has started since is its.
    pub(super) fn end_what_it_started(&mut self, entry: &Entry) {
        if entry.asked_because().is_some() && self.calls.is_empty() {
            self.effects.push(Effect::EndStarted { since: entry.since });
        }
    }

    /// SIGKILL now.
    pub(super) fn kill(&mut self, intent: Intent) {
        match &mut self.ending {
            Some(ending) => (ending.terminate_at, ending.kill_at) = (None, None),
            ending @ None => {
                *ending = Some(Ending { intent, culprit: None, terminate_at: None, kill_at: None });
            }
        }
        self.advance(WorkerEvent::EndBegan);
        self.effects.push(Effect::Signal(Signal::Kill));
    }

    /// Sends the signals that are due.
    pub(super) fn go_on_ending(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else { return };
        if ending.terminate_at.is_some_and(|at| at <= now) {
            ending.terminate_at = None;
            self.effects.push(Effect::Signal(Signal::Terminate));
        }
        if ending.kill_at.is_some_and(|at| at <= now) {
            ending.kill_at = None;
            self.effects.push(Effect::Signal(Signal::Kill));
        }
    }
}
