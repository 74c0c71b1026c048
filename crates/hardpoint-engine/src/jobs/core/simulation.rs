//! The whole life of jobs against a disk that refuses, workers that fail and a host that dies, by the thousand.
//!
//! Everything is decided by a seed; a failure names it, and `HARDPOINT_TEST_SEED` runs that one alone.

mod disk;

use super::{Core, Effect, Input, Now, Told};
use crate::jobs::settings::{JobSettings, WhenDown};
use crate::jobs::{Down, Place, Until};
use disk::Disk;
use hardpoint_model::job::{EventKind, JobId, JobStatus, NewJob, OnHostLoss};
use hardpoint_model::pipeline::Stage;
use hardpoint_model::{Category, JobError, Pipeline, Seconds};
use hardpoint_store::{Form, Op, Output, StoreError};
use hardpoint_testkit::faults_of_messages;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEEDS: u64 = 10_000;
const STEPS: u64 = 120;
const PLUGINS: [&str; 3] = ["ocr", "faces", "report"];

/// Numbers that look like chance and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.next(below as u64)).unwrap()
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.next(times) == 0
    }
}

/// A host in its world.
struct World {
    seed: u64,
    chance: Chance,
    now: Now,
    disk: Disk,
    core: Core<u64>,
    /// On their way to the disk.
    writes: VecDeque<(u64, u64, Arc<[Op]>)>,
    calls: BTreeMap<JobId, (u32, String)>,
    stopping: BTreeSet<JobId>,
    reloading: BTreeSet<JobId>,
    acknowledged: BTreeSet<JobId>,
    over: BTreeSet<JobId>,
    seen: u64,
    next_reply: u64,
    unanswered: BTreeSet<u64>,
    calm: bool,
}

fn settings(chance: &mut Chance) -> JobSettings {
    let on_host_loss = if chance.one_in(2) { OnHostLoss::Retry } else { OnHostLoss::Fail };
    let when_down = if chance.one_in(2) { WhenDown::Wait } else { WhenDown::Fail };
    JobSettings { running_max: 1 + chance.index(5), on_host_loss, when_down, ..JobSettings::default() }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let now = Now { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH };
        let core = Core::new(settings(&mut chance), Vec::new(), now);
        Self {
            seed,
            chance,
            now,
            disk: Disk::default(),
            core,
            writes: VecDeque::new(),
            calls: BTreeMap::new(),
            stopping: BTreeSet::new(),
            reloading: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            over: BTreeSet::new(),
            seen: 0,
            next_reply: 0,
            unanswered: BTreeSet::new(),
            calm: false,
        }
    }

    fn reply(&mut self) -> u64 {
        self.next_reply += 1;
        self.unanswered.insert(self.next_reply);
        self.next_reply
    }

    fn input(&mut self, input: Input<u64>) {
        let down = if self.calm { PLUGINS.len() as u64 } else { self.chance.next(8) };
        let no_room = Box::new(JobError::new(Category::Resource, "ResourceError", "no room"));
        let ways = [Until::Soon, Until::Mended, Until::Wanted, Until::Clear, Until::Refused(no_room)];
        let until = &ways[self.chance.index(ways.len())];
        let places = |plugin: &str| {
            if PLUGINS.iter().position(|known| *known == plugin) == usize::try_from(down).ok() {
                return Err(Down { reason: format!("{plugin} is down"), until: until.clone() });
            }
            Ok(Place { stages_max: 1 + u32::from(plugin == "faces"), incarnation: 1 })
        };
        self.core.on(input, &places, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        for effect in self.core.take_effects() {
            match effect {
                Effect::Write { number, epoch, ops } => self.writes.push_back((number, epoch, ops)),
                Effect::Start(called) => {
                    let (job, attempt, plugin) = (called.job, called.attempt, called.plugin.to_string());
                    let beside = self.calls.values().filter(|(_, other)| *other == plugin).count();
                    assert!(
                        beside < 1 + usize::from(plugin == "faces"),
                        "seed {}: {plugin} is overrun",
                        self.seed
                    );
                    let stage = &self.disk.jobs[&job].stages[usize::try_from(called.stage).unwrap()];
                    assert_eq!(
                        (self.disk.jobs[&job].status, stage.status, stage.attempts),
                        (JobStatus::Running, JobStatus::Running, attempt),
                        "seed {}: run before it was on disk",
                        self.seed
                    );
                    let running = self.calls.insert(job, (attempt, plugin));
                    assert!(running.is_none(), "seed {}: {job} runs twice at once", self.seed);
                }
                Effect::Stop { job } => drop(self.stopping.insert(job)),
                Effect::Renew { .. } => {}
                Effect::Reload { job, .. } => drop(self.reloading.insert(job)),
                Effect::Over { job } => {
                    assert!(self.over.insert(job), "seed {}: {job} is over twice", self.seed);
                }
                Effect::Publish(events) => {
                    for event in events {
                        assert!(
                            event.number > self.seen,
                            "seed {}: event {} comes again",
                            self.seed,
                            event.number
                        );
                        self.seen = event.number;
                    }
                }
                Effect::Tell(told) => {
                    let (Told::Accepted(reply, _) | Told::Done(reply) | Told::Refused(reply, _)) = &told;
                    assert!(self.unanswered.remove(reply), "seed {}: answered twice", self.seed);
                    if let Told::Accepted(_, job) = told {
                        assert!(
                            self.disk.jobs.contains_key(&job),
                            "seed {}: acknowledged and not on disk",
                            self.seed
                        );
                        self.acknowledged.insert(job);
                    }
                }
            }
        }
    }

    fn submit(&mut self) {
        let key = self.chance.one_in(4).then(|| format!("key-{}", self.chance.next(6)));
        let mut new = if self.chance.one_in(3) {
            let plugin = PLUGINS[self.chance.index(3)].parse().unwrap();
            NewJob::of_tool(plugin, "read".to_owned(), Map::new())
        } else {
            NewJob::of_pipeline(self.pipeline())
        };
        (new.job.idempotency_key, new.job.submitted_at) = (key, self.now.timestamp);
        new.job.priority = i32::try_from(self.chance.next(3)).unwrap();
        let reply = self.reply();
        self.input(Input::Submit { new: Box::new(new), given: None, resumed: None, reply });
    }

    fn pipeline(&mut self) -> Pipeline {
        let stages = (0..=self.chance.index(3)).map(|_| Stage {
            plugin: PLUGINS[self.chance.index(3)].parse().unwrap(),
            tool: "read".to_owned(),
            config: Map::new(),
            args: None,
            timeout_seconds: None,
            retries: self.chance.one_in(3).then(|| u32::try_from(self.chance.next(3)).unwrap()),
        });
        let mut pipeline = Pipeline::of_stages(stages.collect());
        let total = 5 + self.chance.next(60);
        pipeline.total_timeout_seconds =
            self.chance.one_in(3).then(|| Seconds::whole(u32::try_from(total).unwrap()));
        pipeline.fail_fast = !self.chance.one_in(3);
        pipeline
    }

    fn some_job(&mut self) -> Option<JobId> {
        let count = self.disk.jobs.len();
        if count == 0 { None } else { self.disk.jobs.keys().nth(self.chance.index(count)).copied() }
    }

    fn write_one(&mut self) {
        let Some((number, epoch, ops)) = self.writes.pop_front() else { return };
        if !self.calm && self.chance.one_in(12) {
            self.disk.epoch = epoch + 1;
        }
        let refused = epoch < self.disk.epoch;
        let result = if refused { Err(StoreError::Full) } else { Ok(self.disk.write(&ops, self.seed)) };
        self.input(Input::Written { number, result });
    }

    fn call_ends(&mut self) {
        let count = self.calls.len();
        if count == 0 {
            return;
        }
        let job = *self.calls.keys().nth(self.chance.index(count)).unwrap();
        let (attempt, _) = self.calls.remove(&job).unwrap();
        let asked = self.stopping.remove(&job);
        let error = |category, kind: &str| Err(Box::new(JobError::new(category, kind, "no")));
        let result = match self.chance.next(6) {
            0 => error(Category::Transient, "Busy"),
            1 => error(Category::Fatal, "RuntimeError"),
            2 => error(Category::Resource, "MemoryLimitExceeded"),
            _ if asked => error(Category::Transient, "Cancelled"),
            _ => Ok(Box::new(Output {
                value: Value::from("done"),
                form: Form::Wire,
                blobs: Vec::new(),
                bytes: 6,
            })),
        };
        let forced = asked && self.chance.one_in(2);
        self.input(Input::Ended { job, attempt, result, forced });
    }

    fn reload_ends(&mut self) {
        if let Some(job) = self.reloading.pop_first() {
            self.input(Input::Reloaded { job });
        }
    }

    /// The host is killed: what was not on disk never was, and nobody is answered.
    fn host_dies(&mut self) {
        self.writes.clear();
        self.calls.clear();
        self.stopping.clear();
        self.reloading.clear();
        self.unanswered.clear();
        self.over.clear();
        self.seen = self.disk.events.len() as u64;
        self.disk.epoch = 0;
        let settings = settings(&mut self.chance);
        self.core = Core::new(settings, self.disk.alive(), self.now);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.timestamp += time;
        self.input(Input::Tick);
    }

    fn step(&mut self) {
        match self.chance.next(20) {
            0..5 => self.submit(),
            5..10 => self.write_one(),
            10..14 => self.call_ends(),
            14 => self.reload_ends(),
            15 => {
                if let Some(job) = self.some_job() {
                    let reply = self.reply();
                    self.input(Input::Cancel { job, reply });
                }
            }
            16 => {
                if let (Some(job), priority) = (self.some_job(), i32::try_from(self.chance.next(5)).unwrap())
                {
                    let reply = self.reply();
                    self.input(Input::Reorder { job, priority, reply });
                }
            }
            17 if self.chance.one_in(6) => self.host_dies(),
            _ => {
                let time = Duration::from_millis(self.chance.next(4000));
                self.pass(time);
            }
        }
    }

    /// Everybody behaves from now on: then everything that was acknowledged comes to its end.
    fn quiesce(&mut self) {
        self.calm = true;
        for _ in 0..2000 {
            self.write_one();
            self.call_ends();
            self.reload_ends();
            if self.writes.is_empty() && self.calls.is_empty() {
                self.pass(Duration::from_secs(10));
                if self.disk.alive().is_empty() && self.writes.is_empty() && !self.core.is_writing() {
                    return;
                }
            }
        }
        panic!("seed {}: {} jobs never end", self.seed, self.disk.alive().len());
    }

    fn check(&self) {
        let seed = self.seed;
        for job in &self.acknowledged {
            let ended = &self.disk.jobs[job];
            assert!(ended.status.is_terminal(), "seed {seed}: {job} did not end");
            let mut stages = ended.stages.iter();
            assert!(
                stages.all(|stage| stage.status.is_terminal()),
                "seed {seed}: a stage of {job} did not end"
            );
            let of_job = self.disk.events.iter().filter(|event| event.job_id == *job);
            let ends: Vec<JobStatus> = of_job
                .filter_map(|event| match event.kind {
                    EventKind::StateTransition { to, .. } if to.is_terminal() => Some(to),
                    _ => None,
                })
                .collect();
            assert_eq!(ends, [ended.status], "seed {seed}: the end of {job} is told once, as it is");
            let planned = self.disk.pipelines.get(job).map_or(ended.stages.len(), |run| run.stages.len());
            assert_eq!(ended.stages.len(), planned, "seed {seed}: {job}");
        }
        let runs = self.disk.pipelines.iter().filter(|(job, _)| self.acknowledged.contains(*job));
        let runs = runs.map(|(job, pipeline)| (&self.disk.jobs[job], pipeline.fail_fast));
        let faults = faults_of_messages(runs, &self.disk.events);
        assert!(faults.is_empty(), "seed {seed}: {faults:#?}");
        assert!(self.disk.open_attempts.is_empty(), "seed {seed}: a try never ended");
        assert!(self.unanswered.is_empty(), "seed {seed}: somebody was never answered");
        assert_eq!(self.seen, self.disk.events.len() as u64, "seed {seed}: the last event was not published");
    }
}

#[test]
fn every_acknowledged_job_ends_once_whatever_disk_workers_and_host_do() {
    let only = std::env::var("HARDPOINT_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = only.map_or(1..=SEEDS, |seed: u64| seed..=seed);
    for seed in seeds {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.quiesce();
        world.check();
    }
}
