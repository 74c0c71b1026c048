//! What was measured of one worker, moment by moment, and what of it belongs to which call.
//!
//! Pure. Each moment knows the most memory since the one before it. Between calls a worker uses no processor to speak of:
//! what was used between the last look before a call and the first look after it is the call's, and that of calls
//! that ended between the same two looks; they share it by their time.

use crate::limits::USAGE_MOMENTS_KEPT;
use crate::mebibytes::mebibytes;
use hardpoint_model::usage::UsageSample;
use hardpoint_supervisor::UsageTally;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A call that is over.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) config_hash: Arc<str>,
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    pub(crate) success: bool,
    pub(crate) observed_at: Timestamp,
    pub(crate) usage: UsageTally,
}

/// One look at a worker and all that it started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    /// Since the worker began.
    pub(super) cpu: Duration,
    /// The most since the look before.
    pub(super) memory_bytes: u64,
    /// At this moment, or when it was asked last.
    pub(super) gpu_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Trace(VecDeque<Moment>);

impl Trace {
    pub(super) fn push(&mut self, moment: Moment) {
        self.0.push_back(moment);
        if self.0.len() > USAGE_MOMENTS_KEPT {
            // A long call: where it began stays, and so does the most that it had.
            if let Some(gone) = self.0.remove(1)
                && let Some(next) = self.0.get_mut(1)
            {
                next.memory_bytes = next.memory_bytes.max(gone.memory_bytes);
                next.gpu_bytes = next.gpu_bytes.max(gone.gpu_bytes);
            }
        }
    }

    /// Nothing runs: only the last look is needed.
    pub(super) fn rest(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(1));
    }

    /// What calls used that ended since the look before the last one.
    pub(super) fn samples(&self, ended: &[Over]) -> Vec<UsageSample> {
        ended.iter().map(|over| self.sample(over, ended)).collect()
    }

    fn sample(&self, over: &Over, ended: &[Over]) -> UsageSample {
        let before = self.0.iter().rposition(|moment| moment.at <= over.began);
        let since = before.map_or(0, |before| before + 1);
        let during = || self.0.iter().skip(since);
        // Where nothing was measured during it, what was there before is all that is known.
        let known = || during().chain(during().next().is_none().then(|| self.0.back()).flatten());
        UsageSample {
            cpu_percent: before.map_or(0.0, |before| self.cpu_percent(before, over, ended)),
            memory_mb_peak: mebibytes(known().map(|moment| moment.memory_bytes).max().unwrap_or(0)),
            gpu_memory_mb_peak: mebibytes(known().map(|moment| moment.gpu_bytes).max().unwrap_or(0)),
            duration_seconds: over.took.as_secs_f64(),
            success: over.success,
            observed_at: over.observed_at,
            api_usage: over.usage.take(),
        }
    }

    fn cpu_percent(&self, before: usize, over: &Over, ended: &[Over]) -> f64 {
        let (Some(first), Some(last)) = (self.0.get(before), self.0.back()) else { return 0.0 };
        let span = last.at.duration_since(first.at);
        let inside = |other: &Over| {
            let end = (other.began + other.took).min(last.at);
            end.saturating_duration_since(other.began.max(first.at))
        };
        let busy: Duration = ended.iter().map(inside).sum();
        let busy = busy.min(span).max(over.took.min(span));
        let used = last.cpu.saturating_sub(first.cpu);
        if busy.is_zero() { 0.0 } else { 100.0 * used.as_secs_f64() / busy.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn over(start: Instant, began_ms: u32, took_ms: u32) -> Over {
        Over {
            instance: "a".to_owned(),
            pid: 1,
            config_hash: "h".into(),
            began: start + MS * began_ms,
            took: MS * took_ms,
            success: true,
            observed_at: Timestamp::UNIX_EPOCH,
            usage: UsageTally::default(),
        }
    }

    /// Looks as time, processor time and memory in MiB; calls as beginning and duration; processor and memory of each.
    #[track_caller]
    fn check(looks: &[(u32, u32, u64)], calls: &[(u32, u32)], expected: &[(f64, f64)]) {
        let start = Instant::now();
        let mut trace = Trace::default();
        for (at, cpu, memory) in looks {
            let (at, cpu) = (start + MS * *at, MS * *cpu);
            trace.push(Moment { at, cpu, memory_bytes: memory << 20, gpu_bytes: 0 });
        }
        let ended: Vec<Over> = calls.iter().map(|(began, took)| over(start, *began, *took)).collect();
        let found: Vec<(f64, f64)> = trace
            .samples(&ended)
            .iter()
            .map(|sample| (sample.cpu_percent.round(), sample.memory_mb_peak))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_used_between_the_looks_around_a_call_is_the_calls() {
        // Idle for long before: only the call's own time counts.
        check(&[(0, 5, 10), (1000, 105, 90)], &[(800, 100)], &[(100.0, 90.0)]);
        // The most of all looks during it, and not what was before.
        check(&[(0, 0, 500), (50, 50, 40), (100, 100, 80), (150, 100, 20)], &[(0, 100)], &[(100.0, 80.0)]);
        // A thousand short ones in a row share what they used.
        check(&[(0, 0, 10), (100, 50, 11)], &[(0, 25), (25, 25), (50, 25), (75, 25)], &[(50.0, 11.0); 4]);
        // Two beside each other: what both used counts for both.
        check(&[(0, 0, 10), (100, 200, 11)], &[(0, 100), (0, 100)], &[(200.0, 11.0); 2]);
        // Its worker is gone, and with it every look after its beginning.
        check(&[(0, 7, 30)], &[(10, 50)], &[(0.0, 30.0)]);
        check(&[], &[(10, 50)], &[(0.0, 0.0)]);
    }

    #[test]
    fn a_call_of_hours_costs_no_more_than_one_of_seconds_and_keeps_its_peak_and_its_beginning() {
        let mut looks: Vec<(u32, u32, u64)> = (0..10_000).map(|at| (at * 50, at * 25, 20)).collect();
        looks[3].2 = 700;
        check(&looks, &[(1, 9999 * 50 - 1)], &[(50.0, 700.0)]);
    }
}
