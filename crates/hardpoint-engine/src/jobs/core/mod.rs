//! The decisions about jobs.
//!
//! Owns every job that is not over: what waits, what runs, what is being cancelled. Pure in this sense: an input,
//! the time and what is known of plugins go in, batches come out. A batch is what must be true on disk, what may
//! be done once it is, and what follows when the disk refuses. Nothing is started, answered or published before.
//! What an input costs does not depend on how many jobs wait.
//!
//! ```text
//!   submit ─> pending ─(a place is free)─> running ─> completed | failed | cancelled
//!                ^                            │
//!                └──── a retry, or a disk that refused the start
//! ```

mod batches;
mod cancel;
mod ends;
mod live;
mod messages;
mod queues;
mod recover;
#[cfg(test)]
mod simulation;
mod told;

pub use told::JobRefusal;
pub(crate) use told::{Called, Effect, Input, Now, Resumed, Told, Written};

use crate::jobs::limits::{ARGS_KEPT_BYTES_MAX, STARTS_PER_TURN};
use crate::jobs::settings::{JobSettings, WhenDown};
use crate::jobs::values::size;
use crate::jobs::{Down, Places, Until};
use batches::{Batch, Batches, Purpose};
pub(in crate::jobs) use ends::NOT_BEGUN;
use hardpoint_model::job::{EventKind, Job, JobId, JobStatus, NewEvent, NewJob};
use hardpoint_store::{Given, Op, StoreError};
use live::{At, Live};
use queues::{Queues, Start};
use serde_json::Map;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Core<R> {
    settings: JobSettings,
    jobs: BTreeMap<JobId, Live<R>>,
    queues: Queues,
    /// Jobs whose call was asked to stop, and may have to be made to.
    cancelling: BTreeSet<JobId>,
    /// When jobs must be over, all their stages together.
    deadlines: BTreeSet<(Instant, JobId)>,
    position: u64,
    batches: Batches<R>,
    draining: bool,
    /// Whether something may be startable that was not before.
    look: bool,
    effects: Vec<Effect<R>>,
}

impl<R> Core<R> {
    /// With the jobs that were alive when the host last ended, in the order of their submission.
    pub(crate) fn new(settings: JobSettings, alive: Vec<NewJob>, now: Now) -> Self {
        let mut core = Self {
            settings,
            jobs: BTreeMap::new(),
            queues: Queues::default(),
            cancelling: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            position: 0,
            batches: Batches::default(),
            draining: false,
            look: true,
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
            Input::Submit { new, given, resumed, reply } => self.submit(*new, given, resumed, reply, now),
            Input::Cancel { job, reply } => self.cancel(job, reply, now),
            Input::Reorder { job, priority, reply } => self.reorder(job, priority, reply, now),
            Input::Told { job, attempt, what } => self.told(job, attempt, what, now),
            Input::Ended { job, attempt, result, forced } => {
                self.ended(job, attempt, result, forced, places, now);
            }
            Input::Reloaded { job } => self.reloaded(job, now),
            Input::Written { number, result } => self.written(number, result, now),
            Input::Tick => self.tick(now),
        }
        if self.look && !self.draining && self.batches.outage().is_none() {
            self.start_what_can(places, now);
        }
    }

    fn submit(
        &mut self,
        mut new: NewJob,
        given: Option<Box<Given>>,
        resumed: Option<Resumed>,
        reply: R,
        now: Now,
    ) {
        if self.draining {
            return self.tell(Told::Refused(reply, JobRefusal::Stopping));
        }
        if let Some(why) = self.batches.outage() {
            let why = JobRefusal::Store(why.clone());
            return self.tell(Told::Refused(reply, why));
        }
        if self.jobs.len() >= self.settings.pending_max {
            return self.tell(Told::Refused(reply, JobRefusal::QueueFull(self.settings.pending_max)));
        }
        let id = new.job.job_id;
        let event = first_event(&new.job, now);
        let submitted = new.clone();
        // Else they are only for people, and what counts is on disk.
        let counts = given.is_none() && resumed.is_none();
        let args = new.job.stages.iter_mut().map(|stage| {
            let args = std::mem::take(&mut stage.args);
            let small = args.values().map(size).sum::<usize>() <= ARGS_KEPT_BYTES_MAX;
            (counts && small).then(|| Arc::new(args))
        });
        let args = args.collect();
        self.position += 1;
        // It waits for the disk before it waits for a place.
        self.jobs.insert(id, Live::new(new, args, self.position, At::Submitting));
        let resumed =
            resumed.map(|Resumed { from, stages, files }| Op::Resume { job: id, from, stages, files });
        let given = given.map(|given| Op::Given(id, given));
        let ops = std::iter::once(Op::Submit(Box::new(submitted))).chain(given).chain(resumed);
        let ops = ops.chain([Op::Event(Box::new(event))]).collect();
        self.write(ops, Vec::new(), Purpose::Submit(id, reply), now);
    }

    fn accepted(&mut self, id: JobId, written: Written, reply: R) {
        if let Some(already) = written.already {
            self.jobs.remove(&id);
            return self.tell(Told::Accepted(reply, already));
        }
        self.effects.push(Effect::Publish(written.events));
        self.tell(Told::Accepted(reply, id));
        self.queue(id);
    }

    /// Its stage waits for a place from now on.
    fn queue(&mut self, id: JobId) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.at = At::Waiting;
        self.queues.push(&live.instance(), live.key());
        self.look = true;
    }

    fn reorder(&mut self, id: JobId, priority: i32, reply: R, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else {
            return self.tell(Told::Refused(reply, JobRefusal::NotAlive(id)));
        };
        let waits = match live.at {
            At::Waiting => true,
            At::Delayed(_) => false,
            At::Submitting | At::Beginning { .. } | At::Running { .. } | At::Reloading => {
                return self.tell(Told::Refused(reply, JobRefusal::NotPending(id)));
            }
        };
        let (instance, before) = (live.instance(), live.key());
        live.job.priority = priority;
        let ops = vec![live.record()];
        if waits {
            self.queues.remove(&instance, &before);
            self.queues.push(&instance, live.key());
        }
        self.write(ops, Vec::new(), Purpose::Wish(reply), now);
    }

    fn told(&mut self, id: JobId, attempt: u32, what: EventKind, now: Now) {
        let Some(live) = self.jobs.get(&id) else { return };
        if matches!(&live.at, At::Running { attempt: running, .. } if *running == attempt) {
            self.write(vec![live.event(what, now)], Vec::new(), Purpose::Fact, now);
        }
    }

    /// Starts pending stages in their order while there are places; whoever is first and cannot start says why.
    fn start_what_can(&mut self, places: &Places<'_>, now: Now) {
        let mut turn = self.queues.turn(places);
        self.look = false;
        let (mut reasons, mut hopeless) = (Vec::new(), Vec::new());
        for (id, down) in std::mem::take(&mut turn.heads) {
            match down {
                Some(down) if self.is_hopeless(id, &down.until) => hopeless.push((id, down)),
                Some(Down { until: Until::Clear, .. }) => {}
                down => {
                    let reason = down.map(|down| down.reason);
                    reasons.extend(self.jobs.get_mut(&id).and_then(|live| live.block(reason, now)));
                }
            }
        }
        if !reasons.is_empty() {
            self.write(reasons, Vec::new(), Purpose::Fact, now);
        }
        for (id, down) in hopeless {
            self.give_up(id, down, now);
        }
        for started in 0..=STARTS_PER_TURN {
            if self.queues.running() >= self.settings.running_max {
                return;
            }
            if started == STARTS_PER_TURN {
                // Others get their turn first.
                self.look = true;
                return;
            }
            let Some(start) = self.queues.next(&mut turn) else { return };
            self.start(start, now);
        }
    }

    /// Whether a stage that waits for a plugin is not worth waiting for. One that has failed has a truer end than to wait
    /// for a plugin that is broken: more often than not it is what broke it.
    fn is_hopeless(&self, id: JobId, until: &Until) -> bool {
        let has_failed = || self.jobs.get(&id).is_some_and(Live::has_failed);
        match (until, self.settings.when_down) {
            (Until::Clear | Until::Soon, _) => false,
            (Until::Refused(_), _) => true,
            (Until::Mended | Until::Wanted, WhenDown::Fail) => true,
            (Until::Mended, WhenDown::Wait) => has_failed(),
            (Until::Wanted, WhenDown::Wait) => false,
        }
    }

    fn start(&mut self, start: Start, now: Now) {
        let Some(live) = self.jobs.get_mut(&start.job) else { return };
        let was = live.job.status;
        if live.deadline.is_none()
            && let Some(total) = live.total()
        {
            live.deadline = Some(now.instant + total);
            self.deadlines.insert((now.instant + total, start.job));
        }
        let ops = live.begin(start.incarnation, now);
        self.write(ops, Vec::new(), Purpose::Start(start.job, was), now);
    }

    fn start_is_on_disk(&mut self, id: JobId, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        let At::Beginning { attempt, cancel_asked } = std::mem::replace(&mut live.at, At::Waiting) else {
            return;
        };
        live.at = At::Running { attempt, cancelling_since: None };
        if let Some(stage) = live.stage() {
            let (stage, plugin, tool) = (live.number(), stage.plugin.clone(), stage.tool.clone());
            let args = live.args.get(live.current).cloned().flatten();
            let (pipeline, timeout) = (live.pipeline.clone(), live.timeout(now));
            let called = Called { job: id, stage, attempt, plugin, tool, args, pipeline, timeout };
            self.effects.push(Effect::Start(Box::new(called)));
        }
        for reply in cancel_asked {
            self.cancel(id, reply, now);
        }
    }

    fn start_was_refused(&mut self, id: JobId, was: JobStatus, now: Now) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.unbegin(was);
        let instance = live.instance();
        let at = std::mem::replace(&mut live.at, At::Waiting);
        self.queues.give_back(&instance);
        self.queue(id);
        if let At::Beginning { cancel_asked, .. } = at {
            for reply in cancel_asked {
                self.cancel(id, reply, now);
            }
        }
    }

    /// During an outage facts wait behind what was refused, and nothing else is accepted.
    fn write(&mut self, ops: Vec<Op>, then: Vec<Effect<R>>, purpose: Purpose<R>, now: Now) {
        let batch = Batch { ops: ops.into(), then, purpose };
        match self.batches.outage().cloned() {
            None => {
                let write = self.batches.send(batch);
                self.effects.push(write);
            }
            Some(why) => self.refused(None, batch, why, now),
        }
    }

    fn written(&mut self, number: u64, result: Result<Written, StoreError>, now: Now) {
        let Some(batch) = self.batches.take(number) else { return };
        let written = match result {
            Ok(written) => written,
            Err(why) => {
                self.batches.refused(why.clone(), now.instant + self.settings.store_retry);
                return self.refused(Some(number), batch, why, now);
            }
        };
        match batch.purpose {
            Purpose::Submit(id, reply) => return self.accepted(id, written, reply),
            Purpose::Start(id, _) => {
                self.effects.push(Effect::Publish(written.events));
                self.start_is_on_disk(id, now);
            }
            Purpose::Wish(reply) => {
                self.effects.push(Effect::Publish(written.events));
                self.tell(Told::Done(reply));
            }
            Purpose::Fact => self.effects.push(Effect::Publish(written.events)),
        }
        self.effects.extend(batch.then);
    }

    fn refused(&mut self, number: Option<u64>, batch: Batch<R>, why: StoreError, now: Now) {
        let Batch { ops, mut then, purpose } = batch;
        match purpose {
            Purpose::Submit(id, reply) => {
                self.jobs.remove(&id);
                return self.tell(Told::Refused(reply, JobRefusal::Store(why)));
            }
            Purpose::Start(id, was) => return self.start_was_refused(id, was, now),
            Purpose::Wish(reply) => {
                // A call is asked to stop although that cannot be kept yet.
                self.effects.append(&mut then);
                self.tell(Told::Refused(reply, JobRefusal::Store(why)));
            }
            Purpose::Fact => {}
        }
        self.batches.hold(number, ops, then);
    }

    fn tick(&mut self, now: Now) {
        let again = self.batches.retry(now.instant);
        self.effects.extend(again);
        while let Some(id) = self.queues.pop_due(now.instant) {
            self.queue(id);
        }
        self.end_overdue(now);
        self.force_overdue_cancellations(now);
        // Plugins come and go without an input.
        self.look = true;
    }

    /// Whether a stage waits for this instance, or runs on it.
    pub(crate) fn concerns(&self, instance: &str) -> bool {
        self.queues.concern(instance)
    }

    /// Nothing more will happen to it.
    fn over(&mut self, id: JobId) {
        self.jobs.remove(&id);
        self.effects.push(Effect::Over { job: id });
    }

    fn tell(&mut self, told: Told<R>) {
        self.effects.push(Effect::Tell(told));
    }
}

/// It is accepted. What begins with the finished stages of another one waits for the stage after them.
fn first_event(job: &Job, now: Now) -> NewEvent {
    let current = job.stages.iter().position(|stage| !stage.status.is_terminal()).unwrap_or_default();
    let instance = job.stages.get(current).map(|stage| stage.plugin.to_string()).unwrap_or_default();
    NewEvent {
        job_id: job.job_id,
        plugin_instance_id: instance,
        stage: u32::try_from(current).unwrap_or(u32::MAX),
        timestamp: now.timestamp,
        kind: EventKind::StateTransition { from: None, to: JobStatus::Pending },
    }
}

/// No arguments at all: those of a job that a new host takes up are read when they are needed.
fn args_on_disk(job: &mut Job) -> Vec<Option<Arc<Map<String, serde_json::Value>>>> {
    job.stages.iter_mut().map(|stage| stage.args.clear()).map(|()| None).collect()
}
