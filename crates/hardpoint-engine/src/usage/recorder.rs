//! The task that measures: awake while calls run, asleep otherwise.
//!
//! Owns the pace. Calls end at any time; all that ended between two looks are settled with the second one.

use super::reading::{Seen, Subject, gpu_of, look, may_have_gpu};
use super::records::Records;
use super::trace::{Over, Trace};
use super::{Alarm, Message};
use crate::activity::Activity;
use crate::engine::{Engine, Shared};
use crate::limits::{USAGE_GPU_EVERY, USAGE_LOOK_EVERY, USAGE_WRITE_EVERY};
use crate::mebibytes::bytes;
use hardpoint_model::usage::UsageSample;
use hardpoint_store::{Op, Store};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) struct Recorder {
    messages: mpsc::Receiver<Message>,
    alarm: Arc<Alarm>,
    records: Arc<Records>,
    store: Option<Store>,
    workers: HashMap<String, Watched>,
    /// Calls of workers that were not known when they ended.
    strangers: Vec<Over>,
    /// What the GPU's driver is being asked.
    gpu: JoinSet<Vec<(String, u64)>>,
    /// When it may be asked again; never where there is none.
    gpu_at: Option<Instant>,
    /// When what is not written yet is to be.
    write_at: Option<Instant>,
    stopped: Option<oneshot::Sender<()>>,
    engine_is_gone: bool,
}

/// A worker, and the calls on it that are to be settled.
struct Watched {
    plugin: String,
    pid: u32,
    activity: Arc<Activity>,
    trace: Trace,
    ended: Vec<Over>,
    gpu_bytes: u64,
    /// It has not been looked at yet.
    is_new: bool,
}

impl Watched {
    fn is_idle(&self) -> bool {
        !self.is_new && self.ended.is_empty() && self.activity.in_flight() == 0
    }
}

impl Recorder {
    pub(super) fn new(
        messages: mpsc::Receiver<Message>,
        alarm: Arc<Alarm>,
        records: Arc<Records>,
        store: Option<Store>,
    ) -> Self {
        Self {
            messages,
            alarm,
            records,
            store,
            workers: HashMap::new(),
            strangers: Vec::new(),
            gpu: JoinSet::new(),
            gpu_at: may_have_gpu().then(Instant::now),
            write_at: None,
            stopped: None,
            engine_is_gone: false,
        }
    }

    /// Runs until it is told to stop, or there is no engine any more.
    pub(crate) async fn run(mut self, engine: Weak<Shared>) {
        while !self.engine_is_gone && (self.stopped.is_none() || !self.is_settled()) {
            let Some(shared) = engine.upgrade() else { break };
            self.turn(&Engine { shared }).await;
            if self.stopped.is_none() {
                self.pause().await;
            }
        }
        self.write().await;
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.send(());
        }
    }

    /// Looks at whatever runs or has just run, and settles what is over.
    async fn turn(&mut self, engine: &Engine) {
        // Before the look: what ended before it is settled with it. And before new workers are found, so that a call that
        // ended its worker is settled with what is known of that one.
        let idle = self.idle();
        self.find_workers(engine, &idle);
        self.place_strangers();
        let subjects = self.subjects();
        if !subjects.is_empty() {
            let seen = look(subjects).await;
            self.ask_for_gpu(engine, &seen);
            for seen in &seen {
                self.looked(seen);
            }
        }
        self.settle();
        if self.write_at.is_some_and(|at| at <= Instant::now()) {
            self.write().await;
        }
    }

    /// Until the next look; while nothing runs until somebody rings, or there is something to write.
    async fn pause(&mut self) {
        let next = Instant::now() + USAGE_LOOK_EVERY;
        if self.is_idle() {
            self.alarm.reset();
            // A call may have begun or ended before it was known that it has to ring.
            if self.messages.is_empty() && self.is_idle() {
                let alarm = Arc::clone(&self.alarm);
                tokio::select! {
                    () = alarm.rung() => {}
                    () = until(self.write_at) => {}
                    message = self.messages.recv() => match message {
                        Some(message) => self.take(message),
                        None => self.engine_is_gone = true,
                    }
                }
                return;
            }
        }
        let alarm = Arc::clone(&self.alarm);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = alarm.rung() => {}
        }
    }

    /// Instances without a call that is to be settled. A call is told of before it counts as over: of those that are idle
    /// the last one has come, and is taken here.
    fn idle(&mut self) -> HashSet<String> {
        let idle = self.workers.iter().filter(|(_, watched)| watched.is_idle());
        let mut idle: HashSet<String> = idle.map(|(name, _)| name.clone()).collect();
        self.take_messages();
        idle.retain(|name| self.workers.get(name).is_some_and(|watched| watched.ended.is_empty()));
        idle
    }

    fn is_settled(&self) -> bool {
        self.strangers.is_empty() && self.workers.values().all(|watched| watched.ended.is_empty())
    }

    fn find_workers(&mut self, engine: &Engine, idle: &HashSet<String>) {
        let snapshot = engine.snapshot();
        for (name, plugin) in &snapshot.plugins {
            let Some(pid) = plugin.worker().map(hardpoint_supervisor::Worker::pid) else { continue };
            let known = self.workers.get(name);
            if known.is_some_and(|known| known.pid == pid || !known.ended.is_empty()) {
                continue;
            }
            let highest = self.records.of_instance(name);
            for record in highest {
                plugin
                    .activity
                    .measured(bytes(record.memory_mb_peak_max), bytes(record.gpu_memory_mb_peak_max));
            }
            let watched = Watched {
                plugin: plugin.plugin.clone(),
                pid,
                activity: Arc::clone(&plugin.activity),
                trace: Trace::default(),
                ended: Vec::new(),
                gpu_bytes: 0,
                is_new: true,
            };
            self.workers.insert(name.clone(), watched);
        }
        let is_there = |name: &String, _: &mut Watched| {
            !idle.contains(name) || snapshot.plugins.get(name).is_some_and(|plugin| plugin.worker().is_some())
        };
        self.workers.retain(is_there);
    }

    fn take_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Over(over) => self.place(*over),
            Message::Stop(stopped) => self.stopped = Some(stopped),
        }
    }

    fn place(&mut self, over: Over) {
        match self.workers.get_mut(&over.instance) {
            Some(watched) if watched.pid == over.pid => watched.ended.push(over),
            Some(_) | None => self.strangers.push(over),
        }
    }

    /// Their workers are known by now, unless the one before is still to be settled, or they are gone.
    fn place_strangers(&mut self) {
        for over in std::mem::take(&mut self.strangers) {
            match self.workers.get(&over.instance) {
                Some(watched) if watched.pid == over.pid || !watched.ended.is_empty() => self.place(over),
                Some(_) | None => {
                    let ended = [over];
                    self.add(&ended, &Trace::default().samples(&ended));
                }
            }
        }
    }

    /// Whether nothing runs, and nothing is to be settled.
    fn is_idle(&self) -> bool {
        self.strangers.is_empty() && self.workers.values().all(Watched::is_idle)
    }

    fn subjects(&self) -> Vec<Subject> {
        let busy = self.workers.iter().filter(|(_, watched)| !watched.is_idle());
        let subject = |(name, watched): (&String, &Watched)| Subject {
            instance: name.clone(),
            pid: watched.pid,
            gpu_bytes: watched.gpu_bytes,
        };
        busy.map(subject).collect()
    }

    fn looked(&mut self, seen: &Seen) {
        let Some(watched) = self.workers.get_mut(&seen.instance) else { return };
        watched.is_new = false;
        if let Some(moment) = seen.moment {
            watched.trace.push(moment);
        }
    }

    /// The driver takes its time, and nothing waits for it: what it says counts from the next look on.
    fn ask_for_gpu(&mut self, engine: &Engine, seen: &[Seen]) {
        while let Some(said) = self.gpu.try_join_next() {
            for (instance, bytes) in said.unwrap_or_default() {
                if let Some(watched) = self.workers.get_mut(&instance) {
                    watched.gpu_bytes = bytes;
                }
            }
        }
        let is_due = self.gpu_at.is_some_and(|at| at <= Instant::now()) && self.gpu.is_empty();
        let runs = |seen: &&Seen| self.workers.get(&seen.instance).is_some_and(|watched| !watched.is_new);
        let asked: Vec<_> =
            seen.iter().filter(runs).map(|seen| (seen.instance.clone(), seen.processes.clone())).collect();
        if is_due && !asked.is_empty() {
            self.gpu_at = Some(Instant::now() + USAGE_GPU_EVERY);
            self.gpu.spawn(gpu_of(engine.clone(), asked));
        }
    }

    fn settle(&mut self) {
        let mut over = Vec::new();
        for watched in self.workers.values_mut().filter(|watched| !watched.ended.is_empty()) {
            let ended = std::mem::take(&mut watched.ended);
            over.push((watched.trace.samples(&ended), ended, Arc::clone(&watched.activity)));
        }
        for (samples, ended, activity) in over {
            for sample in &samples {
                activity.measured(bytes(sample.memory_mb_peak), bytes(sample.gpu_memory_mb_peak));
            }
            self.add(&ended, &samples);
        }
        for name in self.idle() {
            if let Some(watched) = self.workers.get_mut(&name) {
                watched.trace.rest();
            }
        }
    }

    fn add(&mut self, ended: &[Over], samples: &[UsageSample]) {
        for (over, sample) in ended.iter().zip(samples) {
            let plugin = self.workers.get(&over.instance).map_or(&over.instance, |watched| &watched.plugin);
            self.records.add((&over.instance, plugin), &over.config_hash, sample);
        }
        if self.store.is_some() {
            self.write_at.get_or_insert_with(|| Instant::now() + USAGE_WRITE_EVERY);
        }
    }

    /// All that is not on disk yet, in one transaction. What the disk refuses is tried again.
    async fn write(&mut self) {
        self.write_at = None;
        let Some(store) = &self.store else { return };
        let records = self.records.take_unwritten();
        if records.is_empty() {
            return;
        }
        let ops = records.iter().map(|record| Op::UsageRecord(Box::new(record.clone()))).collect();
        if store.enqueue_apart(ops).await.is_err() {
            self.records.keep_unwritten(&records);
            self.write_at = Some(Instant::now() + USAGE_WRITE_EVERY);
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
