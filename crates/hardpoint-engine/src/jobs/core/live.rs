//! One job that is not over: its record, and what is known of it besides.
//!
//! Owns the steps that decisions are made of, and what each of them writes. Must not know who asked.

use super::Now;
use hardpoint_model::JobError;
use hardpoint_model::job::{
    CancelPhase, EventKind, IllegalJobTransition, Job, JobChange, JobId, JobStatus, NewEvent, Stage,
};
use hardpoint_store::{Attempt, AttemptEnd, Op};
use serde_json::Value;
use std::cmp::Reverse;
use std::time::Instant;

pub(crate) struct Live<R> {
    pub(crate) job: Job,
    pub(super) position: u64,
    /// Whether its submission is on disk.
    pub(super) on_disk: bool,
    /// The try that runs, if one does.
    pub(super) attempt: Option<u32>,
    /// Whether the beginning of that try is on its way to the disk.
    pub(super) beginning: bool,
    /// Who asked to cancel it meanwhile.
    pub(super) cancel_asked: Vec<R>,
    /// Not to be started before.
    pub(super) not_before: Option<Instant>,
    pub(super) blocked: Option<String>,
    pub(super) blocked_told: Option<String>,
    /// When the cancellation of a running call was asked for.
    pub(super) cancelling_since: Option<Instant>,
}

impl<R> Live<R> {
    pub(super) fn new(job: Job, position: u64) -> Self {
        Self {
            job,
            position,
            on_disk: false,
            attempt: None,
            beginning: false,
            cancel_asked: Vec::new(),
            not_before: None,
            blocked: None,
            blocked_told: None,
            cancelling_since: None,
        }
    }

    /// Its place among those that wait: priority, then order of submission.
    pub(super) fn key(&self) -> (Reverse<i32>, u64, JobId) {
        (Reverse(self.job.priority), self.position, self.job.job_id)
    }

    /// The instance that its stage runs on.
    pub(super) fn plugin(&self) -> String {
        self.job.stages.first().map(|stage| stage.plugin.to_string()).unwrap_or_default()
    }

    pub(super) fn event(&self, kind: EventKind, now: Now) -> NewEvent {
        let (job_id, plugin_instance_id) = (self.job.job_id, self.plugin());
        NewEvent { job_id, plugin_instance_id, stage: 0, timestamp: now.timestamp, kind }
    }

    /// A try begins.
    pub(super) fn begin(&mut self, now: Now) -> Result<Vec<Op>, IllegalJobTransition> {
        let mut ops = self.change(JobChange::Started, now)?;
        let number = self.stage().map_or(0, |stage| stage.attempts);
        self.attempt = Some(number);
        self.beginning = true;
        self.blocked = None;
        self.not_before = None;
        // Its own number tells which incarnation made it; the registry knows the rest.
        let job = self.job.job_id;
        let began = Attempt { job, stage: 0, number, incarnation: 0, started_at: now.timestamp };
        ops.insert(0, Op::AttemptBegan(began));
        Ok(ops)
    }

    /// The disk did not want to hear of the try: there was none.
    pub(super) fn unbegin(&mut self) {
        self.attempt = None;
        self.beginning = false;
        self.job.status = JobStatus::Pending;
        if let Some(stage) = self.job.stages.first_mut() {
            stage.status = JobStatus::Pending;
            stage.attempts = stage.attempts.saturating_sub(1);
            stage.started_at = None;
        }
    }

    /// The running try ends like this.
    pub(super) fn end_attempt(
        &mut self,
        outcome: JobStatus,
        error: Option<&JobError>,
        now: Now,
    ) -> Option<Op> {
        let number = self.attempt.take()?;
        self.cancelling_since = None;
        Some(Op::AttemptEnded(Box::new(AttemptEnd {
            job: self.job.job_id,
            stage: 0,
            number,
            ended_at: now.timestamp,
            outcome,
            error: error.cloned(),
        })))
    }

    /// The stage's value.
    pub(super) fn result(&self, value: Value) -> Op {
        Op::Result { job: self.job.job_id, stage: 0, value }
    }

    /// Job and stage change together; the event with them.
    pub(super) fn change(&mut self, change: JobChange, now: Now) -> Result<Vec<Op>, IllegalJobTransition> {
        let from = self.job.status;
        let to = from.next(change)?;
        self.job.status = to;
        if to == JobStatus::Running {
            self.job.started_at.get_or_insert(now.timestamp);
        }
        if to.is_terminal() {
            self.job.completed_at = Some(now.timestamp);
        }
        let mut ops = Vec::new();
        if let Some(stage) = self.job.stages.first_mut() {
            stage.status = to;
            match to {
                JobStatus::Running => {
                    stage.attempts += 1;
                    stage.started_at = Some(now.timestamp);
                    stage.ended_at = None;
                }
                JobStatus::Pending => stage.started_at = None,
                JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => {
                    stage.ended_at = Some(now.timestamp);
                }
            }
            ops.push(Op::Stage { job: self.job.job_id, number: 0, stage: Box::new(stage.clone()) });
        }
        ops.push(Op::Job(Box::new(self.job.clone())));
        ops.push(Op::Event(Box::new(self.event(EventKind::StateTransition { from: Some(from), to }, now))));
        Ok(ops)
    }

    /// The cancellation is this far.
    pub(super) fn phase(&mut self, phase: CancelPhase, now: Now) -> Vec<Op> {
        let from = self.job.cancel_phase.replace(phase);
        let event = self.event(EventKind::CancelPhaseChanged { from, to: phase }, now);
        vec![Op::Job(Box::new(self.job.clone())), Op::Event(Box::new(event))]
    }

    pub(super) fn set_error(&mut self, error: &JobError) {
        if let Some(stage) = self.job.stages.first_mut() {
            stage.error = Some(error.clone());
        }
        self.job.error = Some(error.clone());
    }

    pub(super) fn stage(&self) -> Option<&Stage> {
        self.job.stages.first()
    }
}
