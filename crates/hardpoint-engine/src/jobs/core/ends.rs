//! How tries end: a result, a failure, another try.
//!
//! Owns what takes a stage out of `running`, but for cancellations.

use super::batches::Purpose;
use super::live::{At, Live};
use super::{Core, Now};
use hardpoint_model::job::{CancelPhase, EventKind, JobChange, JobId, JobStatus};
use hardpoint_model::{Category, JobError};
use hardpoint_store::Op;
use serde_json::Value;
use std::time::Duration;

/// The type of an error that says that a call was not begun.
pub(in crate::jobs) const NOT_BEGUN: &str = "PluginUnavailable";

impl<R> Core<R> {
    pub(super) fn ended(
        &mut self,
        id: JobId,
        attempt: u32,
        result: Result<Value, Box<JobError>>,
        forced: bool,
        now: Now,
    ) {
        let Some(live) = self.jobs.get(&id) else { return };
        let At::Running { attempt: running, cancelling_since } = &live.at else { return };
        if *running != attempt {
            return;
        }
        let cancelling = cancelling_since.is_some();
        self.queues.give_back(&live.instance());
        self.look = true;
        match result {
            // What it brings after it was asked to stop is not wanted any more.
            Ok(_) if cancelling => self.cancelled(id, attempt, None, false, now),
            Err(error) if cancelling => self.cancelled(id, attempt, Some(&error), forced, now),
            Ok(value) => self.succeed(id, attempt, value, now),
            Err(error) => self.fail_or_retry(id, attempt, &error, now),
        }
    }

    fn succeed(&mut self, id: JobId, attempt: u32, value: Value, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let stage = live.number();
        let mut ops = vec![
            Op::Result { job: id, stage, value },
            live.end_attempt(attempt, JobStatus::Completed, None, now),
        ];
        if live.advance(now, &mut ops) {
            let kind = EventKind::SequenceAdvanced {
                prior_job_id: id,
                prior_step_index: stage,
                prior_success: true,
            };
            ops.push(live.event(kind, now));
            self.queue(id);
        } else {
            ops.extend(live.end(JobChange::Succeeded, now));
            self.jobs.remove(&id);
        }
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }

    fn fail_or_retry(&mut self, id: JobId, attempt: u32, error: &JobError, now: Now) {
        let Some(mut live) = self.jobs.remove(&id) else { return };
        live.set_error(error);
        let mut ops = vec![live.end_attempt(attempt, JobStatus::Failed, Some(error), now)];
        if let Some(wait) = self.wait_before_retry(&live, error) {
            live.job.error = None;
            ops.extend(live.put_back(now));
            let kind = EventKind::RetryStarted {
                attempt: live.attempts(),
                exception_repr: error.original_exc_repr.clone().unwrap_or_else(|| error.to_string()),
                exception_category: error.category,
            };
            ops.push(live.event(kind, now));
            let until = now.instant + wait;
            live.at = At::Delayed(until);
            self.queues.delay(until, id);
            self.jobs.insert(id, live);
        } else {
            ops.extend(live.end(JobChange::Broke, now));
        }
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }

    /// How long to wait before the stage is tried again; `None`: it is not.
    fn wait_before_retry(&self, live: &Live<R>, error: &JobError) -> Option<Duration> {
        let tries = live.attempts();
        let may = match error.category {
            Category::Transient | Category::Resource => error.retriable && error.error_type != "Cancelled",
            Category::UserInput | Category::Fatal => false,
        };
        // A call that was refused was not tried: its plugin was busy, or on its way down. It waits for the next place.
        let by_host = error.error_type == NOT_BEGUN && error.traceback.is_none();
        let refused = by_host && error.category == Category::Transient;
        if !may || !(refused || tries <= self.settings.retries_max) {
            return None;
        }
        let asked = error.retry_after_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let wait = asked.unwrap_or_else(|| retry_delay(tries.saturating_sub(1)));
        Some(wait.min(self.settings.retry_wait_max))
    }

    /// `error`: what the call said when it stopped.
    pub(super) fn cancelled(
        &mut self,
        id: JobId,
        attempt: u32,
        error: Option<&JobError>,
        forced: bool,
        now: Now,
    ) {
        self.cancelling.remove(&id);
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let mut ops = vec![live.end_attempt(attempt, JobStatus::Cancelled, error, now)];
        if forced {
            self.reload(id, ops, now);
        } else {
            ops.extend(live.phase(CancelPhase::Completed, now));
            ops.extend(live.end(JobChange::Cancelled, now));
            self.jobs.remove(&id);
            self.write(ops, Vec::new(), Purpose::Fact, now);
        }
    }
}

/// How long a stage waits before its next try, counted from 0.
fn retry_delay(tried_again: u32) -> Duration {
    Duration::from_secs(1 << tried_again.min(5))
}
