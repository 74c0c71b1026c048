//! How tries end: a result, a failure, another try.
//!
//! Owns what takes a stage out of `running`, but for cancellations.

use super::batches::Purpose;
use super::live::At;
use super::{Core, Effect, Now};
use crate::jobs::{Down, Places, Until};
use hardpoint_model::job::{CancelPhase, EventKind, JobChange, JobId, JobStatus};
use hardpoint_model::{Category, JobError};
use hardpoint_store::{Op, Output};
use std::time::Duration;

/// The type of an error that says that a call was not begun.
pub(in crate::jobs) const NOT_BEGUN: &str = "PluginUnavailable";

impl<R> Core<R> {
    pub(super) fn ended(
        &mut self,
        id: JobId,
        attempt: u32,
        result: Result<Box<Output>, Box<JobError>>,
        forced: bool,
        places: &Places<'_>,
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
            Ok(output) => self.succeed(id, attempt, output, now),
            Err(error) => {
                let broken = places(&live.instance()).is_err_and(|down| down.until == Until::Mended);
                self.fail_or_retry(id, attempt, &error, broken, now);
            }
        }
    }

    fn succeed(&mut self, id: JobId, attempt: u32, output: Box<Output>, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let (stage, bytes) = (live.number(), output.bytes);
        let mut ops = vec![
            Op::Result { job: id, stage, output },
            live.end_attempt(attempt, JobStatus::Completed, None, now),
        ];
        ops.extend(live.stage_succeeded(bytes, now));
        if live.advance(JobChange::Succeeded, now, &mut ops) {
            self.queue(id);
        } else {
            ops.extend(live.end(JobChange::Succeeded, now));
            self.over(id);
        }
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }

    /// `broken`: nobody will bring its plugin up again by itself.
    fn fail_or_retry(&mut self, id: JobId, attempt: u32, error: &JobError, broken: bool, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let ops = vec![live.end_attempt(attempt, JobStatus::Failed, Some(error), now)];
        // A call that was not begun is no reason to give up, and none to say that the plugin was broken by it.
        let hopeless = broken && !is_not_begun(error);
        match self.wait_before_retry(id, error, now).filter(|_| !hopeless) {
            Some(wait) => self.retry(id, error, wait, ops, now),
            None => self.fail(id, error, ops, now),
        }
    }

    fn retry(&mut self, id: JobId, error: &JobError, wait: Duration, mut ops: Vec<Op>, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.set_stage_error(error);
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
        let renew = (error.category == Category::Resource && !is_not_begun(error)).then(|| Effect::Renew {
            plugin: live.instance(),
            incarnation: live.incarnation,
            error: Box::new(error.clone()),
        });
        self.write(ops, renew.into_iter().collect(), Purpose::Fact, now);
    }

    /// Its stage failed for good; what comes after it may still run.
    fn fail(&mut self, id: JobId, error: &JobError, mut ops: Vec<Op>, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.set_error(error);
        ops.extend(live.stage_failed(error, now));
        if live.goes_on() && live.advance(JobChange::Broke, now, &mut ops) {
            ops.push(live.record());
            self.queue(id);
        } else if live.goes_on() {
            live.end_stage(JobChange::Broke, now, &mut ops);
            // All that could be done is done: which stages failed is told by them. What only waits cannot complete.
            let runs = live.job.status == JobStatus::Running;
            let change = if runs { JobChange::Succeeded } else { JobChange::Broke };
            ops.extend(live.change_job(change, now));
            self.over(id);
        } else {
            ops.extend(live.end(JobChange::Broke, now));
            self.over(id);
        }
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }

    /// Its stage waits for a plugin that nobody will bring up.
    pub(super) fn give_up(&mut self, id: JobId, down: Down, now: Now) {
        let Some(live) = self.jobs.get(&id) else { return };
        let (instance, key) = (live.instance(), live.key());
        self.queues.remove(&instance, &key);
        // Why it has to be tried again says more than that it cannot be.
        let tried = live.stage().and_then(|stage| stage.error.clone());
        let error = tried.unwrap_or_else(|| match down.until {
            Until::Refused(error) => *error,
            Until::Clear | Until::Soon | Until::Mended | Until::Wanted => {
                JobError::new(Category::Fatal, NOT_BEGUN, down.reason).of_plugin(&instance)
            }
        });
        self.fail(id, &error, Vec::new(), now);
    }

    /// The time for all stages together is over: what waits fails; what runs has a deadline of its own.
    pub(super) fn end_overdue(&mut self, now: Now) {
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now.instant) {
            self.deadlines.remove(&(at, id));
            let Some(live) = self.jobs.get_mut(&id) else { continue };
            match &live.at {
                At::Waiting => {
                    let (instance, key) = (live.instance(), live.key());
                    self.queues.remove(&instance, &key);
                }
                At::Delayed(until) => self.queues.undelay(*until, id),
                At::Submitting | At::Beginning { .. } | At::Running { .. } | At::Reloading => continue,
            }
            self.run_out_of_time(id, now);
        }
    }

    /// It waits for its next stage and has no time left for it.
    fn run_out_of_time(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let seconds = live.total().unwrap_or_default().as_secs_f64();
        let message = format!("its stages took longer than {seconds} s together");
        let error = JobError::new(Category::Transient, "TimeoutError", message).of_plugin(&live.instance());
        live.set_error(&error);
        let mut ops = live.stage_failed(&error, now);
        ops.extend(live.end(JobChange::Broke, now));
        self.over(id);
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }

    /// How long to wait before the stage is tried again; `None`: it is not.
    fn wait_before_retry(&self, id: JobId, error: &JobError, now: Now) -> Option<Duration> {
        let live = self.jobs.get(&id)?;
        let tries = live.attempts();
        let may = match error.category {
            Category::Transient | Category::Resource => error.retriable && error.error_type != "Cancelled",
            Category::UserInput | Category::Fatal => false,
        };
        // A call that was refused was not tried: its plugin was busy, or on its way down. It waits for the next place.
        let refused = is_not_begun(error) && error.category == Category::Transient;
        let retries_max = live.retries().unwrap_or(self.settings.retries_max);
        if !may || !(refused || tries <= retries_max) {
            return None;
        }
        let asked = error.retry_after_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let wait = asked.unwrap_or_else(|| retry_delay(tries.saturating_sub(1)));
        let wait = wait.min(self.settings.retry_wait_max);
        let too_late = live.deadline.is_some_and(|at| at <= now.instant + wait);
        (!too_late).then_some(wait)
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
            ops.extend(live.stage_failed(error.unwrap_or(&cancelled()), now));
            ops.extend(live.phase(CancelPhase::Completed, now));
            ops.extend(live.end(JobChange::Cancelled, now));
            self.over(id);
            self.write(ops, Vec::new(), Purpose::Fact, now);
        }
    }
}

/// Whether the host could not begin the call.
pub(super) fn is_not_begun(error: &JobError) -> bool {
    error.error_type == NOT_BEGUN && error.is_of_host()
}

/// What a stage that was cancelled failed with, when its call said nothing.
pub(super) fn cancelled() -> JobError {
    JobError::new(Category::Transient, "Cancelled", "it was cancelled")
}

/// How long a stage waits before its next try, counted from 0.
fn retry_delay(tried_again: u32) -> Duration {
    Duration::from_secs(1 << tried_again.min(5))
}
