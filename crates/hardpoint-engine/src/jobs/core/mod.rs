//! The decisions about jobs.
//!
//! Owns every job that is not over: what waits, what runs, what is being cancelled. Pure in this sense: an input,
//! the time and what is known of plugins go in, batches come out. A batch is what must be true on disk, what may
//! be done once it is, and what follows when the disk refuses. Nothing is started, answered or published before.
//!
//! ```text
//!   submit ─> pending ─(a place is free)─> running ─> completed | failed | cancelled
//!                ^                            │
//!                └──── a retry, or a disk that refused the start
//! ```

mod ends;
mod live;
#[cfg(test)]
mod simulation;

use crate::jobs::Places;
use crate::jobs::limits::{PENDING_MAX, STARTS_PER_TURN};
use crate::jobs::settings::JobSettings;
pub(in crate::jobs) use ends::NOT_BEGUN;
use hardpoint_model::JobError;
use hardpoint_model::job::{Event, EventKind, Job, JobId, JobStatus, NewEvent};
use hardpoint_store::{Op, StoreError};
use jiff::Timestamp;
pub(crate) use live::Live;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The present, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

/// Why a request about a job was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JobRefusal {
    /// No such job waits or runs.
    #[error("there is no job {0} that waits or runs")]
    NotAlive(JobId),
    /// It is not pending any more.
    #[error("job {0} is not pending any more")]
    NotPending(JobId),
    /// Too many jobs wait.
    #[error("{PENDING_MAX} jobs wait already")]
    QueueFull,
    /// The disk refused it.
    #[error("it could not be kept: {0}")]
    Store(StoreError),
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

/// Who is told, and what. `R` is a way to answer; the core only hands it back.
#[derive(Debug)]
pub(crate) enum Told<R> {
    /// A submission was accepted, or had been.
    Accepted(R, JobId),
    /// Something was done.
    Done(R),
    /// Something was not.
    Refused(R, JobRefusal),
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input<R> {
    Submit {
        job: Box<Job>,
        reply: R,
    },
    Cancel {
        job: JobId,
        reply: R,
    },
    Reorder {
        job: JobId,
        priority: i32,
        reply: R,
    },
    /// A running call told how far it is.
    Progress {
        job: JobId,
        attempt: u32,
        progress: f64,
        message: String,
    },
    /// A call ended. `forced`: its worker had to be ended for it.
    Ended {
        job: JobId,
        attempt: u32,
        result: Result<Value, Box<JobError>>,
        forced: bool,
    },
    /// The plugin whose worker was ended for a cancellation is up again, or cannot be.
    Reloaded {
        job: JobId,
    },
    /// A batch is on disk, or is not.
    Written {
        number: u64,
        result: Result<Written, StoreError>,
    },
    /// Time passed, or a plugin changed.
    Tick,
}

/// What the disk said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) events: Vec<Event>,
    pub(crate) already: Option<JobId>,
}

/// What has to be done.
#[derive(Debug)]
pub(crate) enum Effect<R> {
    /// Write this; its end comes back as [`Input::Written`] with the same number. Once the disk has refused
    /// something it refuses all that follows in the same epoch, so that nothing overtakes what was refused.
    Write { number: u64, epoch: u64, ops: Vec<Op> },
    /// Call the tool.
    Start { job: JobId, attempt: u32, live: Box<Job> },
    /// Ask the running call to stop.
    Stop { job: JobId },
    /// Wait until the plugin is up again.
    Reload { job: JobId, plugin: String },
    /// Tell the subscribers.
    Publish(Vec<Event>),
    /// Answer.
    Tell(Told<R>),
}

/// A batch that is on its way to the disk.
#[derive(Debug)]
struct Batch<R> {
    /// It has to be sent again, or for the first time, when the disk is tried again.
    held: bool,
    ops: Vec<Op>,
    then: Vec<Effect<R>>,
    purpose: Purpose<R>,
}

/// What follows when the disk refuses.
#[derive(Debug)]
enum Purpose<R> {
    /// The job was never accepted.
    Submit(JobId, R),
    /// The job is pending again.
    Start(JobId),
    /// It is true whether the disk likes it or not: it is written again until it is.
    Fact,
}

pub(crate) struct Core<R> {
    settings: JobSettings,
    jobs: BTreeMap<JobId, Live<R>>,
    pending: BTreeSet<(Reverse<i32>, u64, JobId)>,
    running: BTreeMap<String, u32>,
    running_total: u32,
    position: u64,
    batches: BTreeMap<u64, Batch<R>>,
    next_batch: u64,
    epoch: u64,
    /// While the disk refuses: when the oldest batch is tried again.
    outage_until: Option<Instant>,
    draining: bool,
    effects: Vec<Effect<R>>,
}

impl<R> Core<R> {
    /// With the jobs that were alive when the host last ended, in their order.
    pub(crate) fn new(settings: JobSettings, alive: Vec<Job>, now: Now) -> Self {
        let mut core = Self {
            settings,
            jobs: BTreeMap::new(),
            pending: BTreeSet::new(),
            running: BTreeMap::new(),
            running_total: 0,
            position: 0,
            batches: BTreeMap::new(),
            next_batch: 0,
            epoch: 0,
            outage_until: None,
            draining: false,
            effects: Vec::new(),
        };
        for job in alive {
            core.recover(job, now);
        }
        core
    }

    pub(crate) fn take_effects(&mut self) -> Vec<Effect<R>> {
        std::mem::take(&mut self.effects)
    }

    /// Nothing new is accepted or started.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether something is still on its way to the disk.
    pub(crate) fn is_writing(&self) -> bool {
        !self.batches.is_empty()
    }

    pub(crate) fn on(&mut self, input: Input<R>, places: &Places<'_>, now: Now) {
        match input {
            Input::Submit { job, reply } => self.submit(*job, reply, now),
            Input::Cancel { job, reply } => self.cancel(job, reply, now),
            Input::Reorder { job, priority, reply } => self.reorder(job, priority, reply),
            Input::Progress { job, attempt, progress, message } => {
                self.progress(job, attempt, progress, message, now);
            }
            Input::Ended { job, attempt, result, forced } => self.ended(job, attempt, result, forced, now),
            Input::Reloaded { job } => self.reloaded(job, now),
            Input::Written { number, result } => self.written(number, result, now),
            Input::Tick => self.tick(now),
        }
        self.start_what_can(places, now);
    }

    fn submit(&mut self, job: Job, reply: R, now: Now) {
        if self.draining {
            return self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::Stopping)));
        }
        if self.jobs.len() >= PENDING_MAX {
            return self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::QueueFull)));
        }
        let id = job.job_id;
        let event = state_event(&job, None, JobStatus::Pending, now);
        let ops = vec![Op::Submit(Box::new(job.clone())), Op::Event(Box::new(event))];
        self.position += 1;
        // It waits for the disk before it waits for a place.
        self.jobs.insert(id, Live::new(job, self.position));
        self.write(ops, Vec::new(), Purpose::Submit(id, reply));
    }

    fn reorder(&mut self, id: JobId, priority: i32, reply: R) {
        let Some(live) = self.jobs.get_mut(&id) else {
            return self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::NotAlive(id))));
        };
        let key = live.key();
        if !self.pending.remove(&key) {
            return self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::NotPending(id))));
        }
        live.job.priority = priority;
        self.pending.insert(live.key());
        let ops = vec![Op::Job(Box::new(live.job.clone()))];
        self.write(ops, vec![Effect::Tell(Told::Done(reply))], Purpose::Fact);
    }

    fn progress(&mut self, id: JobId, attempt: u32, progress: f64, message: String, now: Now) {
        let Some(live) = self.jobs.get(&id).filter(|live| live.attempt == Some(attempt)) else { return };
        let kind = EventKind::ProgressChanged { progress, status_message: message };
        let ops = vec![Op::Event(Box::new(live.event(kind, now)))];
        self.write(ops, Vec::new(), Purpose::Fact);
    }

    /// Starts pending jobs in their order while there are places; what cannot start says why.
    fn start_what_can(&mut self, places: &Places<'_>, now: Now) {
        if self.draining || self.outage_until.is_some() {
            return;
        }
        let mut full: BTreeSet<String> = BTreeSet::new();
        let mut starts = Vec::new();
        for key in &self.pending {
            if self.running_total as usize + starts.len() >= self.settings.running_max
                || starts.len() >= STARTS_PER_TURN
            {
                break;
            }
            let Some(live) = self.jobs.get_mut(&key.2) else { continue };
            let plugin = live.plugin();
            if full.contains(&plugin) || live.not_before.is_some_and(|at| at > now.instant) {
                continue;
            }
            let used = self.running.get(&plugin).copied().unwrap_or(0);
            match places(&plugin) {
                Ok(places) if used < places => {
                    *self.running.entry(plugin).or_default() += 1;
                    starts.push(*key);
                }
                Ok(_) => drop(full.insert(plugin)),
                Err(reason) => {
                    live.blocked = Some(reason);
                    full.insert(plugin);
                }
            }
        }
        self.running_total += u32::try_from(starts.len()).unwrap_or(u32::MAX);
        for key in starts {
            self.pending.remove(&key);
            self.start(key.2, now);
        }
        self.tell_block_reasons(now);
    }

    fn start(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let Ok(ops) = live.begin(now) else { return };
        let attempt = live.attempt.unwrap_or(0);
        let then = vec![Effect::Start { job: id, attempt, live: Box::new(live.job.clone()) }];
        self.write(ops, then, Purpose::Start(id));
    }

    /// A reason that changed is an event, once.
    fn tell_block_reasons(&mut self, now: Now) {
        let mut ops = Vec::new();
        for live in self.jobs.values_mut() {
            if live.blocked != live.blocked_told {
                let from = std::mem::replace(&mut live.blocked_told, live.blocked.clone());
                let kind = EventKind::BlockReasonChanged { from, to: live.blocked.clone() };
                ops.push(Op::Event(Box::new(live.event(kind, now))));
            }
        }
        if !ops.is_empty() {
            self.write(ops, Vec::new(), Purpose::Fact);
        }
    }

    fn write(&mut self, ops: Vec<Op>, then: Vec<Effect<R>>, purpose: Purpose<R>) {
        let number = self.next_batch;
        self.next_batch += 1;
        // During an outage order matters more than speed: everything waits behind what was refused.
        let held = self.outage_until.is_some();
        if !held {
            self.effects.push(Effect::Write { number, epoch: self.epoch, ops: ops.clone() });
        }
        self.batches.insert(number, Batch { held, ops, then, purpose });
    }

    fn written(&mut self, number: u64, result: Result<Written, StoreError>, now: Now) {
        let Some(batch) = self.batches.remove(&number) else { return };
        let Batch { ops, then, purpose, .. } = batch;
        match (result, purpose) {
            (Ok(written), Purpose::Submit(id, reply)) => self.accepted(id, written, reply),
            (Ok(written), Purpose::Start(id)) => {
                self.effects.push(Effect::Publish(written.events));
                self.effects.extend(then);
                self.start_is_on_disk(id, now);
            }
            (Ok(written), Purpose::Fact) => {
                self.effects.push(Effect::Publish(written.events));
                self.effects.extend(then);
            }
            (Err(error), Purpose::Submit(id, reply)) => {
                self.jobs.remove(&id);
                self.effects.push(Effect::Tell(Told::Refused(reply, JobRefusal::Store(error))));
                self.outage(now);
            }
            (Err(_), Purpose::Start(id)) => {
                self.outage(now);
                self.unbegin(id, now);
            }
            (Err(_), Purpose::Fact) => {
                self.batches.insert(number, Batch { held: true, ops, then, purpose: Purpose::Fact });
                self.outage(now);
            }
        }
    }

    fn accepted(&mut self, id: JobId, written: Written, reply: R) {
        if let Some(already) = written.already {
            self.jobs.remove(&id);
            return self.effects.push(Effect::Tell(Told::Accepted(reply, already)));
        }
        self.effects.push(Effect::Publish(written.events));
        self.effects.push(Effect::Tell(Told::Accepted(reply, id)));
        if let Some(live) = self.jobs.get_mut(&id) {
            live.on_disk = true;
            self.pending.insert(live.key());
        }
    }

    fn outage(&mut self, now: Now) {
        self.outage_until.get_or_insert(now.instant + self.settings.store_retry);
    }

    /// The disk is tried again with everything that it owes, in order; so all that was sent must be back first.
    fn tick(&mut self, now: Now) {
        let all_back = self.batches.values().all(|batch| batch.held);
        if all_back && self.outage_until.is_some_and(|until| until <= now.instant) {
            self.outage_until = None;
            self.epoch += 1;
            for (number, batch) in self.batches.iter_mut().filter(|(_, batch)| batch.held) {
                batch.held = false;
                self.effects.push(Effect::Write {
                    number: *number,
                    epoch: self.epoch,
                    ops: batch.ops.clone(),
                });
            }
        }
        self.force_overdue_cancellations(now);
    }
}

fn state_event(job: &Job, from: Option<JobStatus>, to: JobStatus, now: Now) -> NewEvent {
    let instance = job.stages.first().map(|stage| stage.plugin.to_string()).unwrap_or_default();
    NewEvent {
        job_id: job.job_id,
        plugin_instance_id: instance,
        stage: 0,
        timestamp: now.timestamp,
        kind: EventKind::StateTransition { from, to },
    }
}

/// How long a stage waits before its next try, counted from 0.
fn retry_delay(tried_again: u32) -> Duration {
    Duration::from_secs(1 << tried_again.min(5))
}
