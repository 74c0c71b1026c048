//! Cancelling: what waits is over at once, what runs is asked to stop, and made to.
//!
//! Owns the phases. The call itself is asked and made to stop by its supervisor, within the same time.

use super::batches::Purpose;
use super::ends::cancelled;
use super::live::At;
use super::{Core, Effect, JobRefusal, Now, Told};
use hardpoint_model::job::{CancelPhase, CancelStep, JobChange, JobId};
use hardpoint_store::Op;

impl<R> Core<R> {
    pub(super) fn cancel(&mut self, id: JobId, reply: R, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else {
            return self.tell(Told::Refused(reply, JobRefusal::NotAlive(id)));
        };
        match &mut live.at {
            At::Submitting => self.tell(Told::Refused(reply, JobRefusal::NotAlive(id))),
            // Nobody can know yet whether it runs or waits.
            At::Beginning { cancel_asked, .. } => cancel_asked.push(reply),
            At::Waiting => {
                let (instance, key) = (live.instance(), live.key());
                self.queues.remove(&instance, &key);
                self.cancel_waiting(id, reply, now);
            }
            At::Delayed(until) => {
                self.queues.undelay(*until, id);
                self.cancel_waiting(id, reply, now);
            }
            At::Running { cancelling_since: Some(_), .. } | At::Reloading => self.tell(Told::Done(reply)),
            At::Running { cancelling_since: since @ None, .. } => {
                *since = Some(now.instant);
                let ops = live.phase(CancelPhase::Cooperative, now);
                self.cancelling.insert(id);
                self.write(ops, vec![Effect::Stop { job: id }], Purpose::Wish(reply), now);
            }
        }
    }

    fn cancel_waiting(&mut self, id: JobId, reply: R, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let mut ops = live.stage_failed(&cancelled(), now);
        ops.extend(live.end(JobChange::Cancelled, now));
        self.over(id);
        // Who waited behind it may be first now.
        self.look = true;
        self.write(ops, Vec::new(), Purpose::Wish(reply), now);
    }

    /// What did not stop when it was asked is being made to: the supervisor does it, this tells.
    pub(super) fn force_overdue_cancellations(&mut self, now: Now) {
        let grace = self.settings.cancel_grace;
        let mut ops = Vec::new();
        for id in &self.cancelling {
            let Some(live) = self.jobs.get_mut(id) else { continue };
            let At::Running { cancelling_since: Some(since), .. } = &live.at else { continue };
            let overdue = now.instant.duration_since(*since) >= grace;
            let phase = live.job.cancel_phase.filter(|_| overdue);
            if let Some(Ok(next)) = phase.map(|phase| phase.next(CancelStep::GraceOver)) {
                ops.extend(live.phase(next, now));
            }
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact, now);
        }
    }

    /// The worker had to go: the job is over when its plugin has the next one, or cannot have one.
    pub(super) fn reload(&mut self, id: JobId, mut ops: Vec<Op>, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        if live.job.cancel_phase == Some(CancelPhase::Cooperative) {
            ops.extend(live.phase(CancelPhase::Force, now));
        }
        ops.extend(live.phase(CancelPhase::Reloading, now));
        live.at = At::Reloading;
        let then = vec![Effect::Reload { job: id, plugin: live.instance() }];
        self.write(ops, then, Purpose::Fact, now);
    }

    pub(super) fn reloaded(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let mut ops = live.stage_failed(&cancelled(), now);
        ops.extend(live.phase(CancelPhase::Completed, now));
        ops.extend(live.end(JobChange::Cancelled, now));
        self.over(id);
        self.write(ops, Vec::new(), Purpose::Fact, now);
    }
}
