//! The calls in flight on one worker, and each one's place on the kill ladder.
//!
//! Pure: it keeps the table and says what is due. Ids grow in the order of calls, so the first
//! `concurrency` entries are those that the worker runs; the others wait inside it.

use super::pipes::CallPipes;
use crate::ladder::{Grace, Rung};
use crate::limits::CANCEL_GRACE;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// One call in flight.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tool: String,
    pub(super) pipes: CallPipes,
    pub(super) timeout: Duration,
    pub(super) next_item: u64,
    /// What each rung is given.
    pub(super) grace: Grace,
    /// When it came: what its worker has started since may belong to it.
    pub(super) since: Instant,
    rung: Rung,
    due: Instant,
    cause: Cause,
}

/// Why a call is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Deadline,
    Cancelled,
}

/// What has to be done for a call now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask it.
    Ask(u64),
    /// Interrupt it.
    Interrupt(u64),
    /// It waits behind others and its time is over: answer its caller, leave the worker alone.
    GiveUp(u64),
    /// It runs and does not react: its worker has to go.
    EndWorker(u64),
}

impl Entry {
    pub(super) fn new(tool: String, pipes: CallPipes, timeout: Duration, grace: Grace, now: Instant) -> Self {
        let (due, since) = (now + timeout, now);
        let (rung, cause) = (Rung::Running, Cause::Deadline);
        Self { tool, pipes, timeout, next_item: 0, grace, since, rung, due, cause }
    }

    fn cancel(&mut self, grace: Duration, now: Instant) {
        (self.cause, self.due, self.grace) = (Cause::Cancelled, now, Grace::of_cancel(grace));
    }

    /// Why it was asked to stop; `None` while it was not.
    pub(super) fn asked_because(&self) -> Option<Cause> {
        (self.rung > Rung::Running).then_some(self.cause)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    entries: BTreeMap<u64, Entry>,
    /// Given up, but the worker may still answer them.
    given_up: BTreeSet<u64>,
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.given_up.len()
    }

    /// Whether nobody waits for an answer.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The call that the worker has, if it has just one.
    pub(super) fn only(&self) -> Option<u64> {
        self.entries.keys().next().copied().filter(|_| self.len() == 1)
    }

    /// Every call that there is will have ended within this, one way or another.
    pub(super) fn over_within(&self, now: Instant) -> Duration {
        let last = self.entries.values().map(|entry| entry.due + entry.grace.total()).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(now))
    }

    pub(super) fn insert(&mut self, id: u64, entry: Entry) {
        self.entries.insert(id, entry);
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        self.entries.remove(&id)
    }

    /// Whether a late message about a call that was given up; an end takes it off the list.
    pub(super) fn was_given_up(&mut self, id: u64, ends: bool) -> bool {
        if ends { self.given_up.remove(&id) } else { self.given_up.contains(&id) }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u64, Entry)> {
        std::mem::take(&mut self.entries).into_iter()
    }

    /// A cancel on purpose: the call is due for its first rung at once.
    pub(super) fn cancel(&mut self, id: u64, grace: Duration, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.rung == Rung::Running) {
            entry.cancel(grace, now);
        }
    }

    /// Climbs every call that is due by one rung, and says what that means.
    pub(super) fn climb(&mut self, now: Instant, concurrency: usize) -> Vec<Due> {
        let mut due = Vec::new();
        for (place, (&id, entry)) in self.entries.iter_mut().enumerate() {
            if entry.rung == Rung::Running && entry.pipes.is_abandoned() {
                entry.cancel(CANCEL_GRACE, now);
            }
            if entry.due > now {
                continue;
            }
            let Some((rung, time)) = entry.rung.next(&entry.grace) else { continue };
            (entry.rung, entry.due) = (rung, now + time);
            due.push(match rung {
                Rung::Running | Rung::Cooperative => Due::Ask(id),
                Rung::Interrupt => Due::Interrupt(id),
                Rung::Terminate if place < concurrency => Due::EndWorker(id),
                Rung::Terminate => Due::GiveUp(id),
            });
        }
        due
    }

    /// Takes a call off the table that the worker may still answer.
    pub(super) fn give_up(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.given_up.insert(id);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    const GRACE: Grace = Grace {
        cooperative: Duration::from_secs(1),
        interrupt: Duration::from_secs(1),
        terminate: Duration::from_secs(1),
    };

    fn table(
        timeouts_ms: &[u64],
        now: Instant,
    ) -> (Calls, Vec<oneshot::Receiver<super::super::command::Reply>>) {
        let mut calls = Calls::default();
        let mut answers = Vec::new();
        for (id, ms) in (0u64..).zip(timeouts_ms) {
            let (reply, answer) = oneshot::channel();
            let timeout = Duration::from_millis(*ms);
            calls.insert(id, Entry::new("t".into(), CallPipes::plain(reply), timeout, GRACE, now));
            answers.push(answer);
        }
        (calls, answers)
    }

    fn after(now: Instant, ms: u64) -> Instant {
        now + Duration::from_millis(ms)
    }

    #[tokio::test]
    async fn a_running_call_climbs_rung_by_rung_and_takes_its_worker_along() {
        let now = Instant::now();
        let (mut calls, _answers) = table(&[100], now);
        assert_eq!(calls.climb(after(now, 99), 1), []);
        assert_eq!(calls.climb(after(now, 100), 1), [Due::Ask(0)]);
        assert_eq!(calls.climb(after(now, 1099), 1), []);
        assert_eq!(calls.climb(after(now, 1100), 1), [Due::Interrupt(0)]);
        assert_eq!(calls.climb(after(now, 2100), 1), [Due::EndWorker(0)]);
        assert_eq!(calls.climb(after(now, 9999), 1), []);
    }

    #[tokio::test]
    async fn a_waiting_call_that_runs_out_of_time_leaves_the_worker_to_the_running_one() {
        let now = Instant::now();
        let (mut calls, _answers) = table(&[60_000, 100], now);
        assert_eq!(calls.climb(after(now, 100), 1), [Due::Ask(1)]);
        assert_eq!(calls.climb(after(now, 1100), 1), [Due::Interrupt(1)]);
        assert_eq!(calls.climb(after(now, 2100), 1), [Due::GiveUp(1)]);
        assert!(calls.give_up(1).is_some());
        assert!(calls.was_given_up(1, true), "a late answer is expected");
        assert!(!calls.was_given_up(1, true), "but only one");
    }

    #[tokio::test]
    async fn a_call_whose_caller_went_away_is_cancelled() {
        let now = Instant::now();
        let (mut calls, answers) = table(&[60_000], now);
        assert_eq!(calls.climb(now, 1), []);
        drop(answers);
        assert_eq!(calls.climb(now, 1), [Due::Ask(0)]);
        let cause = calls.get_mut(0).and_then(|entry| entry.asked_because());
        assert_eq!(cause, Some(Cause::Cancelled));
    }
}
