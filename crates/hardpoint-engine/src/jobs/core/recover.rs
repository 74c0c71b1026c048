//! Taking up what the last host left.
//!
//! Owns what becomes of a job whose host died: no worker outlives its host, so nothing of it runs any more.

use super::batches::Purpose;
use super::ends::cancelled;
use super::live::{At, Live};
use super::{Core, Now, args_on_disk};
use hardpoint_model::job::{CancelPhase, JobChange, JobStatus, NewJob, OnHostLoss};
use hardpoint_model::{Category, JobError};
use hardpoint_store::Op;
use std::time::Duration;

impl<R> Core<R> {
    /// A job that was alive when the last host ended.
    pub(super) fn recover(&mut self, mut new: NewJob, now: Now) {
        self.position += 1;
        let id = new.job.job_id;
        let args = args_on_disk(&mut new.job);
        let mut live = Live::new(new, args, self.position, At::Waiting);
        self.remember_deadline(&mut live, now);
        let ops = self.bring_to_rest(&mut live, now);
        if !live.job.status.is_terminal() {
            self.jobs.insert(id, live);
            self.queue(id);
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact, now);
        }
    }

    /// Its time goes on while no host runs.
    fn remember_deadline(&mut self, live: &mut Live<R>, now: Now) {
        let Some((total, began)) = live.total().zip(live.job.started_at) else { return };
        let spent = Duration::try_from(now.timestamp.duration_since(began)).unwrap_or_default();
        let deadline = now.instant + total.saturating_sub(spent);
        live.deadline = Some(deadline);
        self.deadlines.insert((deadline, live.job.job_id));
    }

    /// What was under way is not any more: it waits again, or is over.
    fn bring_to_rest(&self, live: &mut Live<R>, now: Now) -> Vec<Op> {
        let ran = live.stage().is_some_and(|stage| stage.status == JobStatus::Running);
        let cancelling = live.job.cancel_phase.is_some_and(|phase| phase != CancelPhase::Completed);
        let mut ops = Vec::new();
        let error = host_lost(live);
        // While the plugin is reloaded for a cancellation the try is over already.
        if ran && live.job.cancel_phase != Some(CancelPhase::Reloading) {
            ops.push(live.end_attempt(live.attempts(), JobStatus::Failed, Some(&error), now));
        }
        if cancelling {
            ops.extend(live.stage_failed(&cancelled(), now));
            ops.extend(live.phase(CancelPhase::Completed, now));
            ops.extend(live.end(JobChange::Cancelled, now));
        } else if ran {
            let poisoned = live.attempts() >= self.settings.attempts_max;
            if poisoned || self.settings.on_host_loss == OnHostLoss::Fail {
                live.set_error(&error);
                ops.extend(live.stage_failed(&error, now));
                ops.extend(live.end(JobChange::Broke, now));
            } else {
                ops.extend(live.put_back(now));
            }
        }
        ops
    }
}

fn host_lost<R>(live: &Live<R>) -> JobError {
    let message = format!("`{}`: the host ended while it ran", live.instance());
    JobError::new(Category::Transient, "HostLost", message).of_plugin(&live.instance())
}
