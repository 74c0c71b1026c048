//! What happens on an instance between two decisions: calls in flight, counts, durations, signs of life.
//!
//! Owns figures that change with every call, so that a call costs no turn of the loop. Written by calls and
//! by the watch, read by whoever shows health; nothing here decides.

use crate::limits::{CALLS_PER_PLUGIN_MAX, DURATIONS_KEPT};
use crate::schedule::Permit;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The figures of one instance, over all its incarnations.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    in_flight: AtomicU32,
    /// Calls that wait to begin: for memory, or for their plugin to be back.
    waiting: AtomicU32,
    idle: Notify,
    success: AtomicU64,
    errors: AtomicU64,
    last_used: Moment,
    durations: Mutex<Durations>,
    memory_peak_bytes: AtomicU64,
    gpu_peak_bytes: AtomicU64,
    /// Since when pings go unanswered.
    pub(crate) unresponsive_since: Moment,
    /// Since when one call has kept the main thread, once that is long.
    pub(crate) stuck_since: Moment,
}

/// A time that may not have come yet. Microseconds since 1970; 0 is "never".
#[derive(Debug, Default)]
pub(crate) struct Moment(AtomicI64);

impl Moment {
    pub(crate) fn set(&self, at: Option<Timestamp>) {
        self.0.store(at.map_or(0, Timestamp::as_microsecond), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        if at == 0 { None } else { Timestamp::from_microsecond(at).ok() }
    }
}

/// The last durations, in milliseconds.
#[derive(Debug, Default)]
struct Durations(VecDeque<f64>);

/// Figures about the last durations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Latency {
    pub(crate) last: Option<f64>,
    pub(crate) mean: Option<f64>,
    pub(crate) p95: Option<f64>,
}

impl Activity {
    /// One more call; `None` when there are too many.
    pub(crate) fn begin(self: &Arc<Self>, permit: Option<Arc<Permit>>) -> Option<Ticket> {
        let more = |count| if count < CALLS_PER_PLUGIN_MAX { Some(count + 1) } else { None };
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        Some(Ticket { activity: Arc::clone(self), _permit: permit })
    }

    /// One more call that has to wait before it can begin; `None` when there are too many.
    pub(crate) fn wait(self: &Arc<Self>) -> Option<Waiting> {
        let more =
            |count| if count + self.in_flight() < CALLS_PER_PLUGIN_MAX { Some(count + 1) } else { None };
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        Some(Waiting(Arc::clone(self)))
    }

    /// Calls that wait to begin.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Waits until there is no call.
    pub(crate) async fn until_idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.success.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }

    pub(crate) fn last_used(&self) -> Option<Timestamp> {
        self.last_used.get()
    }

    /// What a call, or all that run at once, used at most.
    pub(crate) fn measured(&self, memory_bytes: u64, gpu_bytes: u64) {
        self.memory_peak_bytes.fetch_max(memory_bytes, Ordering::Relaxed);
        self.gpu_peak_bytes.fetch_max(gpu_bytes, Ordering::Relaxed);
    }

    /// The most memory that was ever measured during a call, also by earlier hosts; 0: never measured.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes.load(Ordering::Relaxed)
    }

    /// The same of a GPU.
    pub(crate) fn gpu_peak_bytes(&self) -> u64 {
        self.gpu_peak_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn latency(&self) -> Latency {
        self.durations.lock().unwrap_or_else(PoisonError::into_inner).figures()
    }
}

impl Durations {
    fn push(&mut self, ms: f64) {
        self.0.push_back(ms);
        if self.0.len() > DURATIONS_KEPT {
            self.0.pop_front();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "there are at most DURATIONS_KEPT of them")]
    fn figures(&self) -> Latency {
        if self.0.is_empty() {
            return Latency::default();
        }
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        // The smallest value that 95 of 100 do not exceed.
        let rank = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        Latency {
            last: self.0.back().copied(),
            mean: Some(sorted.iter().sum::<f64>() / sorted.len() as f64),
            p95: sorted.get(rank).copied(),
        }
    }
}

/// One call that waits to begin; dropping it ends that for the count.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Activity>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One call in flight; dropping it ends the call for the count.
#[derive(Debug)]
pub(crate) struct Ticket {
    activity: Arc<Activity>,
    /// Given back with the call.
    _permit: Option<Arc<Permit>>,
}

impl Ticket {
    /// The call ended and was the plugin's to answer for.
    pub(crate) fn record(&self, ok: bool, ms: f64) {
        let activity = &self.activity;
        let count = if ok { &activity.success } else { &activity.errors };
        count.fetch_add(1, Ordering::Relaxed);
        activity.last_used.set(Some(Timestamp::now()));
        activity.durations.lock().unwrap_or_else(PoisonError::into_inner).push(ms);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.activity.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.activity.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_percentile_is_a_duration_that_95_of_100_do_not_exceed() {
        let mut durations = Durations::default();
        for ms in 1..=100 {
            durations.push(f64::from(ms));
        }
        let expected = Latency { last: Some(100.0), mean: Some(50.5), p95: Some(95.0) };
        assert_eq!(durations.figures(), expected);
        assert_eq!(Durations::default().figures(), Latency::default());
    }

    #[test]
    fn a_dropped_ticket_counts_as_no_call_and_too_many_are_refused() {
        let activity = Arc::new(Activity::default());
        let tickets: Vec<Ticket> = (0..CALLS_PER_PLUGIN_MAX).map(|_| activity.begin(None).unwrap()).collect();
        assert!(activity.begin(None).is_none());
        assert!(activity.wait().is_none(), "who waits counts like who runs");
        drop(tickets);
        let waiting: Vec<Waiting> = (0..CALLS_PER_PLUGIN_MAX).map(|_| activity.wait().unwrap()).collect();
        assert!(activity.wait().is_none());
        drop(waiting);
        assert_eq!((activity.in_flight(), activity.counts()), (0, (0, 0)));
    }
}
