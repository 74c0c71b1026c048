//! The loop: takes inputs to the core, writes what it decided, and does the rest once that is on disk.
//!
//! Owns every effect. Must not decide anything about jobs.

use super::call::{self, Stops};
use super::core::{Called, Core, Effect, Input, JobRefusal, Now, Told, Written};
use super::limits::{TICK, WRITES_IN_FLIGHT_MAX};
use super::rooms::Rooms;
use super::{Ask, Reply, Shared};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use hardpoint_model::job::{Event, JobId};
use hardpoint_store::{Committed, Op, StoreError};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

type Write = Pin<Box<dyn Future<Output = (u64, Result<Committed, StoreError>)> + Send>>;

/// An epoch, and what is to be true on disk.
type Commit = (u64, Arc<[Op]>);

pub(super) struct Loop {
    host: call::Host,
    shared: Arc<Shared>,
    core: Core<Reply>,
    /// In the order in which they were sent, which is the order in which the store answers.
    writes: FuturesOrdered<Write>,
    stops: Stops,
    rooms: RefCell<Rooms>,
    tasks: JoinSet<()>,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { instant: std::time::Instant::now(), timestamp: jiff::Timestamp::now() }
    }
}

impl Loop {
    pub(super) fn new(host: call::Host, shared: Arc<Shared>, core: Core<Reply>) -> Self {
        let (writes, stops, tasks) = (FuturesOrdered::new(), Stops::default(), JoinSet::new());
        let rooms = RefCell::new(Rooms::new());
        Self { host, shared, core, writes, stops, rooms, tasks }
    }

    /// Runs until it is told to stop and everything that was decided is on disk, or the disk has had its time.
    pub(super) async fn run(
        mut self,
        mut asks: mpsc::Receiver<Ask>,
        mut inputs: mpsc::Receiver<Input<Reply>>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut stopped = None;
        let mut patience = None;
        loop {
            let may_take = self.writes.len() < WRITES_IN_FLIGHT_MAX;
            tokio::select! {
                Some((number, result)) = self.writes.next() => {
                    let result = result.map(|done| Written { events: done.events, already: done.already });
                    self.take(Input::Written { number, result });
                }
                Some(ask) = asks.recv(), if may_take => match ask {
                    Ask::Input(input) => self.take(input),
                    Ask::Stop { patience: time, done } => {
                        self.core.drain();
                        stopped = Some(done);
                        patience = Some(tokio::time::Instant::now() + time);
                    }
                },
                Some(input) = inputs.recv(), if may_take => self.take(input),
                () = self.rooms.get_mut().changed() => self.take(Input::Tick),
                Some(_) = self.tasks.join_next() => {}
                _ = tick.tick() => self.take(Input::Tick),
            }
            let late = patience.is_some_and(|end| end <= tokio::time::Instant::now());
            if stopped.is_some() && (late || (self.stops.is_empty() && !self.core.is_writing())) {
                break;
            }
        }
        self.tasks.shutdown().await;
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    fn take(&mut self, input: Input<Reply>) {
        if let Input::Ended { job, .. } = &input {
            self.stops.forget(*job);
        }
        let engine = &self.host.engine;
        let places = |instance: &str| call::places(engine, &mut self.rooms.borrow_mut(), instance);
        self.core.on(input, &places, Now::read());
        self.rooms.get_mut().keep(|instance| self.core.concerns(instance));
        // What one input leads to is written with one wait for the disk: the end of a stage and the beginning of the next.
        let mut writes = Vec::new();
        for effect in self.core.take_effects() {
            self.carry_out(effect, &mut writes);
        }
        if !writes.is_empty() {
            self.write(writes);
        }
    }

    fn carry_out(&mut self, effect: Effect<Reply>, writes: &mut Vec<(u64, Commit)>) {
        match effect {
            Effect::Write { number, epoch, ops } => writes.push((number, (epoch, ops))),
            Effect::Start(called) => self.start(*called),
            Effect::Stop { job } => self.stops.stop(job),
            Effect::Reload { job, plugin } => self.reload(job, plugin),
            Effect::Renew { plugin, incarnation, error } => {
                self.rooms.get_mut().renew(&self.host.engine, plugin, incarnation, *error);
            }
            Effect::Over { job } => self.host.outputs.forget(job),
            Effect::Publish(events) => self.publish(events),
            Effect::Tell(told) => tell(told),
        }
    }

    /// The store takes commits in the order in which this is called: the queue is entered right here.
    fn write(&mut self, writes: Vec<(u64, Commit)>) {
        let (numbers, commits): (Vec<u64>, Vec<_>) = writes.into_iter().unzip();
        for (number, commit) in numbers.into_iter().zip(self.shared.store.enqueue(commits)) {
            self.writes.push_back(Box::pin(async move { (number, commit.await) }));
        }
    }

    fn start(&mut self, called: Called) {
        let stop = self.stops.begin(called.job);
        let permit = self.rooms.get_mut().permit(&called.plugin.to_string());
        self.tasks.spawn(call::run(self.host.clone(), called, permit, stop));
    }

    fn reload(&mut self, job: JobId, plugin: String) {
        let call::Host { engine, inputs, .. } = self.host.clone();
        self.tasks.spawn(async move {
            engine.until_settled(&plugin, RELOAD_PATIENCE).await;
            let _ = inputs.send(Input::Reloaded { job }).await;
        });
    }

    fn publish(&self, events: Vec<Event>) {
        for event in events {
            // Nobody may be listening.
            let _ = self.shared.events.send(Arc::new(event));
        }
    }
}

/// How long a cancellation waits at most for the plugin's next worker.
const RELOAD_PATIENCE: Duration = Duration::from_mins(2);

fn tell(told: Told<Reply>) {
    let (reply, answer): (Reply, Result<Option<JobId>, JobRefusal>) = match told {
        Told::Accepted(reply, job) => (reply, Ok(Some(job))),
        Told::Done(reply) => (reply, Ok(None)),
        Told::Refused(reply, why) => (reply, Err(why)),
    };
    let _ = reply.send(answer);
}
