//! One job that is not over: its record, where it is, and what is known of it besides.
//!
//! Owns the steps that decisions are made of, and what each of them writes. Must not know who asked.
//!
//! ```text
//!   Submitting ──> Waiting ──> Beginning ──> Running ──> (over, or the next stage waits)
//!                  ^   ^ └ Delayed <────────────┤
//!                  │   └────────────────────────┘         a disk that refused, a retry
//!                                               └──> Reloading ──> over
//! ```

use super::Now;
use super::ends::is_not_begun;
use super::queues::Key;
use hardpoint_model::JobError;
use hardpoint_model::job::{CancelPhase, EventKind, Job, JobChange, JobStatus, NewEvent, NewJob, Stage};
use hardpoint_model::pipeline::Pipeline;
use hardpoint_store::{Attempt, AttemptEnd, Op};
use hardpoint_supervisor::Timeout;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a job that is not over is.
#[derive(Debug)]
pub(super) enum At<R> {
    /// Its submission is on its way to the disk.
    Submitting,
    /// It waits for a place.
    Waiting,
    /// It is not to be started before.
    Delayed(Instant),
    /// The beginning of a try is on its way to the disk; who asked to cancel it meanwhile.
    Beginning { attempt: u32, cancel_asked: Vec<R> },
    /// A try runs; since when it is being cancelled, if it is.
    Running { attempt: u32, cancelling_since: Option<Instant> },
    /// Its try was ended by force, and its plugin comes up again.
    Reloading,
}

pub(crate) struct Live<R> {
    /// Its record, without the arguments of its stages.
    pub(super) job: Job,
    pub(super) position: u64,
    pub(super) at: At<R>,
    /// The stage that waits or runs, from 0.
    pub(super) current: usize,
    /// The arguments of its stages, those that are small; the others are read from the disk when they are needed.
    pub(super) args: Vec<Option<Arc<Map<String, Value>>>>,
    /// What it runs, if it is a run of a pipeline.
    pub(super) pipeline: Option<Arc<Pipeline>>,
    /// When all of it must be over.
    pub(super) deadline: Option<Instant>,
    /// The incarnation of its plugin in its last try.
    pub(super) incarnation: u64,
    /// Why it is not started, as subscribers were told.
    pub(super) blocked: Option<String>,
}

impl<R> Live<R> {
    pub(super) fn new(
        new: NewJob,
        args: Vec<Option<Arc<Map<String, Value>>>>,
        position: u64,
        at: At<R>,
    ) -> Self {
        let NewJob { job, pipeline, .. } = new;
        let over = job.stages.iter().take_while(|stage| stage.status.is_terminal());
        let current = over.count().min(job.stages.len().saturating_sub(1));
        let pipeline = pipeline.map(Arc::new);
        Self { job, position, at, current, args, pipeline, deadline: None, incarnation: 0, blocked: None }
    }

    /// Its place among those that wait: priority, then order of submission.
    pub(super) fn key(&self) -> Key {
        (Reverse(self.job.priority), self.position, self.job.job_id)
    }

    pub(super) fn stage(&self) -> Option<&Stage> {
        self.job.stages.get(self.current)
    }

    /// The instance that its stage runs on.
    pub(super) fn instance(&self) -> String {
        self.stage().map(|stage| stage.plugin.to_string()).unwrap_or_default()
    }

    pub(super) fn attempts(&self) -> u32 {
        self.stage().map_or(0, |stage| stage.attempts)
    }

    pub(super) fn number(&self) -> u32 {
        u32::try_from(self.current).unwrap_or(u32::MAX)
    }

    pub(super) fn event(&self, kind: EventKind, now: Now) -> Op {
        let (job_id, plugin_instance_id, stage) = (self.job.job_id, self.instance(), self.number());
        let kind = kind.bounded();
        Op::Event(Box::new(NewEvent { job_id, plugin_instance_id, stage, timestamp: now.timestamp, kind }))
    }

    /// A try begins.
    pub(super) fn begin(&mut self, incarnation: u64, now: Now) -> Vec<Op> {
        let mut ops = Vec::with_capacity(5);
        self.incarnation = incarnation;
        if let Some(reason) = self.blocked.take() {
            ops.push(self.event(EventKind::BlockReasonChanged { from: Some(reason), to: None }, now));
        }
        if let Some(stage) = self.job.stages.get_mut(self.current) {
            stage.attempts += 1;
            stage.started_at = Some(now.timestamp);
            stage.ended_at = None;
        }
        let (job, stage, number) = (self.job.job_id, self.number(), self.attempts());
        self.at = At::Beginning { attempt: number, cancel_asked: Vec::new() };
        ops.push(Op::AttemptBegan(Attempt { job, stage, number, incarnation, started_at: now.timestamp }));
        ops.extend(self.change_stage(JobChange::Started));
        ops.extend(self.stage_began(now));
        ops.extend(self.change_job(JobChange::Started, now));
        ops
    }

    /// The disk did not want to hear of the try: there was none. `was`: the job's status before.
    pub(super) fn unbegin(&mut self, was: JobStatus) {
        self.job.status = was;
        if let Some(stage) = self.job.stages.get_mut(self.current) {
            stage.status = JobStatus::Pending;
            stage.attempts = stage.attempts.saturating_sub(1);
            stage.started_at = None;
        }
    }

    /// A try ended like this.
    pub(super) fn end_attempt(
        &self,
        number: u32,
        outcome: JobStatus,
        error: Option<&JobError>,
        now: Now,
    ) -> Op {
        Op::AttemptEnded(Box::new(AttemptEnd {
            job: self.job.job_id,
            stage: self.number(),
            number,
            ended_at: now.timestamp,
            outcome,
            error: error.cloned(),
        }))
    }

    /// Its stage changes; the job does not yet. A change that cannot be changes nothing.
    pub(super) fn change_stage(&mut self, change: JobChange) -> Option<Op> {
        let (job, number) = (self.job.job_id, self.number());
        let stage = self.job.stages.get_mut(self.current)?;
        stage.status = stage.status.next(change).ok()?;
        Some(Op::Stage { job, number, stage: Box::new(stage.clone()) })
    }

    /// The job changes, and the event with it. A change that cannot be changes nothing.
    pub(super) fn change_job(&mut self, change: JobChange, now: Now) -> Vec<Op> {
        let from = self.job.status;
        let Ok(to) = from.next(change) else { return Vec::new() };
        self.job.status = to;
        if to == JobStatus::Running {
            self.job.started_at.get_or_insert(now.timestamp);
        }
        if to.is_terminal() {
            self.job.completed_at = Some(now.timestamp);
        }
        vec![self.record(), self.event(EventKind::StateTransition { from: Some(from), to }, now)]
    }

    /// Its stage goes back to wait, and the job with it.
    pub(super) fn put_back(&mut self, now: Now) -> Vec<Op> {
        if let Some(stage) = self.job.stages.get_mut(self.current) {
            stage.started_at = None;
        }
        let stage = self.change_stage(JobChange::PutBack);
        stage.into_iter().chain(self.change_job(JobChange::PutBack, now)).collect()
    }

    /// The job is over, and its stage like it; the stages after it will never run.
    pub(super) fn end(&mut self, change: JobChange, now: Now) -> Vec<Op> {
        let mut ops = Vec::with_capacity(3);
        self.end_stage(change, now, &mut ops);
        let at = self.current;
        while self.current + 1 < self.job.stages.len() {
            self.current += 1;
            self.end_stage(JobChange::Cancelled, now, &mut ops);
        }
        self.current = at;
        ops.extend(self.change_job(change, now));
        ops
    }

    pub(super) fn end_stage(&mut self, change: JobChange, now: Now, ops: &mut Vec<Op>) {
        if let Some(stage) = self.job.stages.get_mut(self.current) {
            stage.ended_at = Some(now.timestamp);
        }
        ops.extend(self.change_stage(change));
    }

    /// Its stage ended like this: the next one is its stage from now on. `false`: there is none.
    pub(super) fn advance(&mut self, change: JobChange, now: Now, ops: &mut Vec<Op>) -> bool {
        if self.current + 1 >= self.job.stages.len() {
            return false;
        }
        self.end_stage(change, now, ops);
        let kind = EventKind::SequenceAdvanced {
            prior_job_id: self.job.job_id,
            prior_step_index: self.number(),
            prior_success: change == JobChange::Succeeded,
        };
        self.current += 1;
        ops.push(self.event(kind, now));
        true
    }

    /// Whether it goes on after a stage failed.
    pub(super) fn goes_on(&self) -> bool {
        self.pipeline.as_ref().is_some_and(|pipeline| !pipeline.fail_fast)
    }

    /// How long a try of its stage may take: what is written at the stage goes before what its tool says, the rest
    /// of its pipeline only bounds that.
    pub(super) fn timeout(&self, now: Now) -> Timeout {
        let Some(pipeline) = &self.pipeline else { return Timeout::Declared };
        let left = self.deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(now.instant));
        match pipeline.stages.get(self.current).and_then(|stage| stage.timeout_seconds) {
            Some(written) => Timeout::Exactly(written.as_duration().min(left)),
            None => Timeout::Within(pipeline.timeout_seconds.as_duration().min(left)),
        }
    }

    /// Whether its stage was tried, and failed.
    pub(super) fn has_failed(&self) -> bool {
        let error = self.job.stages.get(self.current).and_then(|stage| stage.error.as_ref());
        error.is_some_and(|error| !is_not_begun(error))
    }

    /// How often its stage is tried again, where its pipeline says so.
    pub(super) fn retries(&self) -> Option<u32> {
        self.pipeline.as_ref()?.stages.get(self.current)?.retries
    }

    /// How long all of it may take, counted from its first beginning.
    pub(super) fn total(&self) -> Option<Duration> {
        Some(self.pipeline.as_ref()?.total_timeout_seconds?.as_duration())
    }

    /// The cancellation is this far.
    pub(super) fn phase(&mut self, phase: CancelPhase, now: Now) -> Vec<Op> {
        let from = self.job.cancel_phase.replace(phase);
        vec![self.record(), self.event(EventKind::CancelPhaseChanged { from, to: phase }, now)]
    }

    /// What keeps it from being started is this now; the event, if that is news.
    pub(super) fn block(&mut self, reason: Option<String>, now: Now) -> Option<Op> {
        if reason == self.blocked {
            return None;
        }
        let from = std::mem::replace(&mut self.blocked, reason);
        Some(self.event(EventKind::BlockReasonChanged { from, to: self.blocked.clone() }, now))
    }

    /// Why its stage failed; the first stage that does is why the job does.
    pub(super) fn set_error(&mut self, error: &JobError) {
        self.set_stage_error(error);
        self.job.error.get_or_insert_with(|| error.clone());
    }

    pub(super) fn set_stage_error(&mut self, error: &JobError) {
        if let Some(stage) = self.job.stages.get_mut(self.current) {
            stage.error = Some(error.clone());
        }
    }

    /// The job as it is, to be written; its stages are written one by one.
    pub(super) fn record(&self) -> Op {
        Op::Job(Box::new(Job { stages: Vec::new(), ..self.job.clone() }))
    }
}
