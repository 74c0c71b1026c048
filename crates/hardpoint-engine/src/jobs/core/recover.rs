//! Taking up what the last host left.
//!
//! Owns what becomes of a job whose host died: no worker outlives its host, so nothing of it runs any more.

use super::batches::Purpose;
use super::live::{At, Live};
use super::{Core, Now, args_on_disk};
use hardpoint_model::job::{CancelPhase, Job, JobChange, JobStatus, OnHostLoss};
use hardpoint_model::{Category, JobError};
use hardpoint_store::Op;

impl<R> Core<R> {
    /// A job that was alive when the last host ended.
    pub(super) fn recover(&mut self, mut job: Job, now: Now) {
        self.position += 1;
        let id = job.job_id;
        let args = args_on_disk(&mut job);
        let mut live = Live::new(job, args, self.position, At::Waiting);
        let ops = self.bring_to_rest(&mut live, now);
        if !live.job.status.is_terminal() {
            self.jobs.insert(id, live);
            self.queue(id);
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact, now);
        }
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
            ops.extend(live.phase(CancelPhase::Completed, now));
            ops.extend(live.end(JobChange::Cancelled, now));
        } else if ran {
            let poisoned = live.attempts() >= self.settings.attempts_max;
            if poisoned || self.settings.on_host_loss == OnHostLoss::Fail {
                live.set_error(&error);
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
