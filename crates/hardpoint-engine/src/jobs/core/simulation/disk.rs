//! The disk of the simulation: it keeps what the store would, and notices what must never be written.

use super::super::Written;
use hardpoint_model::Pipeline;
use hardpoint_model::job::{Event, Job, JobId, JobStatus, NewEvent, NewJob};
use hardpoint_store::Op;
use std::collections::{BTreeMap, BTreeSet};

/// What is on disk.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) pipelines: BTreeMap<JobId, Pipeline>,
    keys: BTreeMap<String, JobId>,
    pub(super) open_attempts: BTreeSet<(JobId, u32, u32)>,
    pub(super) events: Vec<Event>,
    /// What is refused: everything of an earlier epoch.
    pub(super) epoch: u64,
}

impl Disk {
    /// All of it or nothing, as a transaction.
    pub(super) fn write(&mut self, ops: &[Op], seed: u64) -> Written {
        let mut written = Written::default();
        for op in ops {
            match op {
                Op::Submit(new) => {
                    let job = &new.job;
                    if let Some(already) = job.idempotency_key.as_ref().and_then(|key| self.keys.get(key)) {
                        return Written { events: Vec::new(), already: Some(*already) };
                    }
                    if let Some(key) = &job.idempotency_key {
                        self.keys.insert(key.clone(), job.job_id);
                    }
                    assert!(
                        self.jobs.insert(job.job_id, job.clone()).is_none(),
                        "seed {seed}: accepted twice"
                    );
                    if let Some(pipeline) = &new.pipeline {
                        self.pipelines.insert(job.job_id, pipeline.clone());
                    }
                }
                Op::Job(job) => {
                    let old = self.jobs.get_mut(&job.job_id).unwrap();
                    assert!(!old.status.is_terminal(), "seed {seed}: {} changed after its end", job.job_id);
                    let stages = std::mem::take(&mut old.stages);
                    *old = Job { stages, ..(**job).clone() };
                }
                Op::Stage { job, number, stage } => {
                    let place = usize::try_from(*number).unwrap();
                    self.jobs.get_mut(job).unwrap().stages[place] = (**stage).clone();
                }
                Op::AttemptBegan(attempt) => {
                    let running = self.open_attempts.iter().any(|(job, ..)| *job == attempt.job);
                    assert!(!running, "seed {seed}: a job runs twice at once");
                    let before = usize::try_from(attempt.stage).unwrap();
                    let mut before = self.jobs[&attempt.job].stages.iter().take(before);
                    let goes_on =
                        self.pipelines.get(&attempt.job).is_some_and(|pipeline| !pipeline.fail_fast);
                    let over = |status: JobStatus| {
                        status == JobStatus::Completed || (goes_on && status.is_terminal())
                    };
                    let done = before.all(|stage| over(stage.status));
                    assert!(done, "seed {seed}: stage {} begins too early", attempt.stage);
                    self.open_attempts.insert((attempt.job, attempt.stage, attempt.number));
                }
                Op::AttemptEnded(end) => {
                    assert!(
                        self.open_attempts.remove(&(end.job, end.stage, end.number)),
                        "seed {seed}: an end without a beginning"
                    );
                }
                Op::Event(event) => written.events.push(self.append(event)),
                Op::Given(..)
                | Op::Result { .. }
                | Op::Resume { .. }
                | Op::ForgetOutputs(_)
                | Op::SavePipeline { .. }
                | Op::DeletePipeline(_)
                | Op::Plugin { .. }
                | Op::PluginConfig { .. }
                | Op::UsageRecord(_)
                | Op::PagesMax(_) => {}
            }
        }
        written
    }

    fn append(&mut self, event: &NewEvent) -> Event {
        let event = Event {
            number: self.events.len() as u64 + 1,
            kind: event.kind.clone(),
            job_id: event.job_id,
            plugin_instance_id: event.plugin_instance_id.clone(),
            stage: event.stage,
            timestamp: event.timestamp,
        };
        self.events.push(event.clone());
        event
    }

    pub(super) fn alive(&self) -> Vec<NewJob> {
        let alive = self.jobs.values().filter(|job| !job.status.is_terminal());
        let new = |job: &Job| NewJob { job: job.clone(), pipeline: self.pipelines.get(&job.job_id).cloned() };
        alive.map(new).collect()
    }
}
