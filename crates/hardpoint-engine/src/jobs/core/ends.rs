//! How jobs end, are tried again, are cancelled, and come back after the host was gone.
//!
//! Owns the second half of the core: everything that takes a job out of `running`.

use super::live::Live;
use super::{Core, Effect, JobRefusal, Now, Purpose, Told, retry_delay};
use hardpoint_model::job::{
    CancelPhase, CancelStep, EventKind, Job, JobChange, JobId, JobStatus, OnHostLoss,
};
use hardpoint_model::{Category, JobError};
use hardpoint_store::Op;
use serde_json::Value;
use std::time::Duration;

/// The type of an error that says that a call was not begun.
pub(in crate::jobs) const NOT_BEGUN: &str = "PluginUnavailable";

impl<R> Core<R> {
    /// A job that was alive when the last host ended.
    pub(super) fn recover(&mut self, job: Job, now: Now) {
        self.position += 1;
        let (id, was_running) = (job.job_id, job.status == JobStatus::Running);
        let cancelling = job.cancel_phase.is_some_and(|phase| phase != CancelPhase::Completed);
        let mut live = Live::new(job, self.position);
        live.on_disk = true;
        let mut ops = Vec::new();
        if was_running {
            let attempts = live.stage().map_or(0, |stage| stage.attempts);
            // While the plugin is reloaded for a cancellation the try is over already.
            let reloading = live.job.cancel_phase == Some(CancelPhase::Reloading);
            live.attempt = (!reloading).then_some(attempts);
            let error = host_lost(&live);
            let poisoned = attempts >= self.settings.attempts_max;
            let change = if cancelling {
                JobChange::Cancelled
            } else if poisoned || self.settings.on_host_loss == OnHostLoss::Fail {
                live.set_error(&error);
                JobChange::Broke
            } else {
                JobChange::PutBack
            };
            ops.extend(live.end_attempt(JobStatus::Failed, Some(&error), now));
            if cancelling {
                ops.extend(live.phase(CancelPhase::Completed, now));
            }
            ops.extend(live.change(change, now).unwrap_or_default());
        }
        let alive = !live.job.status.is_terminal();
        if alive {
            self.pending.insert(live.key());
            self.jobs.insert(id, live);
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact);
        }
    }

    pub(super) fn unbegin(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let plugin = live.plugin();
        live.unbegin();
        self.pending.insert(live.key());
        self.give_back(&plugin);
        self.cancel_as_asked(id, now);
    }

    pub(super) fn start_is_on_disk(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.beginning = false;
        self.cancel_as_asked(id, now);
    }

    /// What was asked while nobody could know whether the job runs or waits.
    fn cancel_as_asked(&mut self, id: JobId, now: Now) {
        let asked = self.jobs.get_mut(&id).map(|live| std::mem::take(&mut live.cancel_asked));
        for reply in asked.into_iter().flatten() {
            self.cancel(id, reply, now);
        }
    }

    pub(super) fn ended(
        &mut self,
        id: JobId,
        attempt: u32,
        result: Result<Value, Box<JobError>>,
        forced: bool,
        now: Now,
    ) {
        let Some(live) = self.jobs.get_mut(&id).filter(|live| live.attempt == Some(attempt)) else { return };
        let plugin = live.plugin();
        let cancelling = live.cancelling_since.is_some();
        match result {
            // It finished although it was asked to stop: what is done is done.
            Ok(value) => self.succeed(id, value, now),
            Err(error) if cancelling => self.cancelled(id, &error, forced, now),
            Err(error) => self.fail_or_retry(id, &error, now),
        }
        self.give_back(&plugin);
    }

    fn succeed(&mut self, id: JobId, value: Value, now: Now) {
        let Some(mut live) = self.jobs.remove(&id) else { return };
        let mut ops = vec![live.result(value)];
        if live.job.cancel_phase.is_some() {
            ops.extend(live.phase(CancelPhase::Completed, now));
        }
        ops.extend(live.end_attempt(JobStatus::Completed, None, now));
        ops.extend(live.change(JobChange::Succeeded, now).unwrap_or_default());
        self.write(ops, Vec::new(), Purpose::Fact);
    }

    fn fail_or_retry(&mut self, id: JobId, error: &JobError, now: Now) {
        let Some(mut live) = self.jobs.remove(&id) else { return };
        let tries = live.stage().map_or(0, |stage| stage.attempts);
        let may = match error.category {
            Category::Transient | Category::Resource => error.retriable && error.error_type != "Cancelled",
            Category::UserInput | Category::Fatal => false,
        };
        live.set_error(error);
        let mut ops = Vec::new();
        ops.extend(live.end_attempt(JobStatus::Failed, Some(error), now));
        // A call that was refused was not tried: its plugin was busy, or on its way down. It waits for the next place.
        let by_host = error.error_type == NOT_BEGUN && error.traceback.is_none();
        let refused = by_host && error.category == Category::Transient;
        if may && (refused || tries <= self.settings.retries_max) {
            let asked = error.retry_after_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
            let wait = asked
                .unwrap_or_else(|| retry_delay(tries.saturating_sub(1)))
                .min(self.settings.retry_wait_max);
            live.job.error = None;
            ops.extend(live.change(JobChange::PutBack, now).unwrap_or_default());
            let kind = EventKind::RetryStarted { retry_count: tries, reason: error.to_string() };
            ops.push(Op::Event(Box::new(live.event(kind, now))));
            live.not_before = Some(now.instant + wait);
            self.pending.insert(live.key());
            self.jobs.insert(id, live);
        } else {
            ops.extend(live.change(JobChange::Broke, now).unwrap_or_default());
        }
        self.write(ops, Vec::new(), Purpose::Fact);
    }

    pub(super) fn cancel(&mut self, id: JobId, reply: R, now: Now) {
        let Some(live) = self.jobs.get_mut(&id).filter(|live| live.on_disk) else {
            return self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::NotAlive(id))));
        };
        if live.beginning {
            return live.cancel_asked.push(reply);
        }
        let key = live.key();
        if self.pending.remove(&key) {
            let ops = live.change(JobChange::Cancelled, now).unwrap_or_default();
            self.jobs.remove(&id);
            return self.write(ops, vec![Effect::Tell(Told::Done(reply))], Purpose::Fact);
        }
        // Also while its plugin is reloaded, when the call itself is over.
        if live.job.cancel_phase.is_some() {
            return self.effects.push(Effect::Tell(Told::Done(reply)));
        }
        live.cancelling_since = Some(now.instant);
        let ops = live.phase(CancelPhase::Cooperative, now);
        let then = vec![Effect::Stop { job: id }, Effect::Tell(Told::Done(reply))];
        self.write(ops, then, Purpose::Fact);
    }

    /// What did not stop when it was asked is being forced: the supervisor does it, this tells.
    pub(super) fn force_overdue_cancellations(&mut self, now: Now) {
        let grace = self.settings.cancel_grace;
        let mut ops = Vec::new();
        for live in self.jobs.values_mut() {
            let overdue =
                live.cancelling_since.is_some_and(|since| now.instant.duration_since(since) >= grace);
            let phase = live.job.cancel_phase.filter(|_| overdue);
            if let Some(Ok(next)) = phase.map(|phase| phase.next(CancelStep::GraceOver)) {
                ops.extend(live.phase(next, now));
            }
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact);
        }
    }

    fn cancelled(&mut self, id: JobId, error: &JobError, forced: bool, now: Now) {
        let Some(mut live) = self.jobs.remove(&id) else { return };
        let mut ops = Vec::new();
        ops.extend(live.end_attempt(JobStatus::Cancelled, Some(error), now));
        if forced {
            if live.job.cancel_phase == Some(CancelPhase::Cooperative) {
                ops.extend(live.phase(CancelPhase::Force, now));
            }
            ops.extend(live.phase(CancelPhase::Reloading, now));
            let then = vec![Effect::Reload { job: id, plugin: live.plugin() }];
            self.jobs.insert(id, live);
            return self.write(ops, then, Purpose::Fact);
        }
        ops.extend(live.phase(CancelPhase::Completed, now));
        ops.extend(live.change(JobChange::Cancelled, now).unwrap_or_default());
        self.write(ops, Vec::new(), Purpose::Fact);
    }

    pub(super) fn reloaded(&mut self, id: JobId, now: Now) {
        let Some(mut live) = self.jobs.remove(&id) else { return };
        let mut ops = live.phase(CancelPhase::Completed, now);
        ops.extend(live.change(JobChange::Cancelled, now).unwrap_or_default());
        self.write(ops, Vec::new(), Purpose::Fact);
    }

    fn give_back(&mut self, plugin: &str) {
        self.running_total = self.running_total.saturating_sub(1);
        if let Some(count) = self.running.get_mut(plugin) {
            *count = count.saturating_sub(1);
        }
    }
}

fn host_lost<R>(live: &Live<R>) -> JobError {
    let message = format!("`{}`: the host ended while it ran", live.plugin());
    JobError::new(Category::Transient, "HostLost", message).of_plugin(&live.plugin())
}
