//! The registry against a world of numbered workers: whatever happens in whatever order, its word is true.

mod found;
mod reload;
mod room;
mod unload;

use super::{Ask, Change, Core, Effect, Input, LifeId, Now, StartFailed, Started, Wish};
use crate::catalog::Installed;
use crate::logs::Logs;
use crate::settings::Settings;
use hardpoint_model::health::StartTimes;
use hardpoint_model::restart::{FailOn, Restart, RestartPolicy};
use hardpoint_model::{Category, Exit, ExitReason, JobError, Manifest, PluginEvent, PluginState};
use hardpoint_store::{PluginFlags, StoreError};
use hardpoint_supervisor::Announced;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot::{self, error::TryRecvError};

const NAME: &str = "ocr";

/// The world around one plugin: a clock, the start under way, the workers that run.
struct World {
    core: Core<u64>,
    now: Now,
    starting: Option<LifeId>,
    /// Whether the last start was a reload.
    reload: bool,
    running: BTreeSet<u64>,
    stopping: BTreeSet<u64>,
    lives: Vec<(u64, LifeId)>,
    told: usize,
    asked: Vec<oneshot::Receiver<()>>,
    /// What is on its way to the disk, what has come there, and whether that takes its time.
    keeping: VecDeque<(Wish, Change)>,
    disk: PluginFlags,
    disk_is_slow: bool,
    next_worker: u64,
    seen: (u64, PluginState),
}

fn installed(dir: &str) -> Installed {
    let text = "name = \"ocr\"\nversion = \"1\"\nentry = \"ocr:Ocr\"\n";
    Installed {
        folder: NAME.to_owned(),
        dir: dir.into(),
        manifest: Ok(Manifest::parse(text, "hardpoint.toml").unwrap()),
    }
}

impl World {
    fn new(settings: Settings) -> Self {
        Self::on(settings, PluginFlags::default())
    }

    /// With what earlier hosts were told.
    fn on(settings: Settings, disk: PluginFlags) -> Self {
        let mut world = Self {
            core: Core::new(
                settings,
                true,
                (BTreeMap::from([(NAME.to_owned(), disk)]), BTreeMap::new()),
                Logs::default(),
            ),
            now: Now { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH },
            starting: None,
            reload: false,
            running: BTreeSet::new(),
            stopping: BTreeSet::new(),
            lives: Vec::new(),
            told: 0,
            asked: Vec::new(),
            keeping: VecDeque::new(),
            disk,
            disk_is_slow: false,
            next_worker: 0,
            seen: (1, PluginState::Loaded),
        };
        world.input(Input::Found(vec![installed("/plugins/ocr")]));
        world
    }

    fn input(&mut self, input: Input<u64>) {
        self.core.on(input, self.now);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.timestamp += time;
        self.core.on_tick(self.now);
        self.settle();
    }

    fn settle(&mut self) {
        for effect in self.core.take_effects() {
            match effect {
                Effect::Start(life, beginning) => {
                    assert!(self.starting.is_none(), "two starts at once");
                    assert!(self.running.is_empty(), "a start beside a worker that lives");
                    self.reload = beginning.reload;
                    self.starting = Some(life);
                }
                Effect::AbortStart { .. } => self.starting = None,
                Effect::Watch { worker, .. } => assert!(self.running.contains(&worker)),
                Effect::Stop { worker, .. } | Effect::Kill(worker) => {
                    self.stopping.insert(worker);
                }
                // The configuration has its own world.
                Effect::AwaitIdle { .. }
                | Effect::Switch { .. }
                | Effect::Reconfigure { .. }
                | Effect::KeepConfig { .. }
                | Effect::TellConfig(..)
                | Effect::TellCreated(..) => {}
                Effect::Keep { wish, change } => self.keeping.push_back((wish, change)),
                Effect::TellKept(whom, result) => drop(whom.send(result)),
                Effect::Tell(whom) => {
                    self.told += 1;
                    let _ = whom.send(());
                }
            }
        }
        self.check();
        while !self.disk_is_slow && !self.keeping.is_empty() {
            self.disk_answers(Ok(()));
        }
    }

    /// What must be true after every single input.
    fn check(&mut self) {
        let _ = self.core.take_changed();
        let entry = &self.core.entries[NAME];
        assert_eq!(entry.reason.is_some(), entry.state.is_final(), "a reason exactly when it is down");
        let (incarnation, state) = self.seen;
        assert!(entry.incarnation >= incarnation, "an incarnation came back");
        if entry.incarnation == incarnation && state.is_final() {
            assert_eq!(entry.state, state, "a final state was left within an incarnation");
        }
        assert_eq!(
            entry.state.takes_calls(),
            entry.ready_at.is_some(),
            "uptime counts exactly while it can be called"
        );
        assert!(entry.ready_at.is_none() || entry.made_room.is_none() || !self.stopping.is_empty());
        assert!(entry.history.len() <= crate::limits::HISTORY_MAX);
        self.seen = (entry.incarnation, entry.state);
    }

    /// Asks for something; what is told of the disk.
    fn ask(&mut self, ask: Ask) -> oneshot::Receiver<Result<(), StoreError>> {
        let ((kept, on_disk), (settled, done)) = (oneshot::channel(), oneshot::channel());
        self.asked.push(done);
        self.input(Input::Asked(Wish {
            plugin: NAME.to_owned(),
            ask,
            kept,
            settled,
            heard: oneshot::channel().0,
        }));
        on_disk
    }

    /// What has waited longest for the disk is there, or is refused.
    fn disk_answers(&mut self, result: Result<(), StoreError>) {
        let Some((wish, change)) = self.keeping.pop_front() else { return };
        if result.is_ok() {
            self.disk.enabled = change.enabled.or(self.disk.enabled);
            self.disk.unloaded = change.unloaded.unwrap_or(self.disk.unloaded);
        }
        self.input(Input::Kept { wish, change, result });
    }

    fn start_ends_well(&mut self) {
        let Some(life) = self.starting.take() else { return };
        self.next_worker += 1;
        let worker = self.next_worker;
        self.running.insert(worker);
        self.lives.push((worker, life.clone()));
        let times = StartTimes { prepare: 1.0, worker: 1.0, import: 1.0 };
        self.input(Input::Started {
            life,
            result: Ok(Started { worker, times, announced: Announced::default() }),
        });
    }

    fn start_fails(&mut self, event: PluginEvent) {
        let Some(life) = self.starting.take() else { return };
        let failed =
            StartFailed { event, reason: "no".to_owned(), hint: None, detail: None, exit: None, error: None };
        self.input(Input::Started { life, result: Err(failed) });
    }

    /// Some worker ends: one that was stopped, or else the one that runs.
    fn worker_ends(&mut self, reason: ExitReason) {
        let Some(worker) = self.stopping.iter().chain(&self.running).next().copied() else { return };
        self.stopping.remove(&worker);
        self.running.remove(&worker);
        let life = self.lives.iter().find(|(known, _)| *known == worker).unwrap().1.clone();
        let exit = Exit { reason, stderr_tail: Vec::new(), descendants_killed: 0, output_leaked: false };
        self.input(Input::Ended { life, exit: Arc::new(exit), noted: None });
    }

    fn call_fails(&mut self, category: Category) {
        let Some((_, life)) = self.lives.last().cloned() else { return };
        let (noted, heard) = oneshot::channel();
        self.asked.push(heard);
        let error = Box::new(JobError::new(category, "RuntimeError", "no"));
        self.input(Input::CallFailed { life, tool: "read".to_owned(), error, noted });
    }

    fn hangs(&mut self) {
        let Some((_, life)) = self.lives.last().cloned() else { return };
        self.input(Input::Hung { life, silent_for: Duration::from_secs(30) });
    }

    fn state(&self) -> PluginState {
        self.core.entries[NAME].state
    }
}

fn settings(policy: RestartPolicy, fail_on: FailOn) -> Settings {
    Settings { restart: Restart { policy, ..Restart::default() }, fail_on, ..Settings::default() }
}

fn crash() -> ExitReason {
    ExitReason::Signal { signal: 11, name: "SIGSEGV".to_owned() }
}

#[derive(Debug, Clone)]
enum Step {
    Ask(Ask),
    StartsWell,
    StartFails(PluginEvent),
    Ends(ExitReason),
    CallFails(Category),
    Hangs,
    Lacks,
    MakesRoom,
    FoundAgain,
    FoundElsewhere,
    DiskTakes,
    DiskRefuses,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ask = prop_oneof![
        Just(Ask::Load),
        Just(Ask::Unload),
        Just(Ask::Restart),
        Just(Ask::Reload),
        Just(Ask::Enable(true)),
        Just(Ask::Enable(false))
    ];
    let category = prop_oneof![Just(Category::UserInput), Just(Category::Transient), Just(Category::Fatal)];
    let end = prop_oneof![
        Just(crash()),
        Just(ExitReason::Cancelled { tool: "read".to_owned() }),
        Just(ExitReason::ExitCode { code: 0 }),
        Just(ExitReason::ExitCode { code: 3 }),
        Just(ExitReason::OwnStop)
    ];
    let step = prop_oneof![
        4 => ask.prop_map(Step::Ask),
        6 => Just(Step::StartsWell),
        2 => prop_oneof![Just(PluginEvent::Broke), Just(PluginEvent::NeedMissing)].prop_map(Step::StartFails),
        4 => end.prop_map(Step::Ends),
        2 => category.prop_map(Step::CallFails),
        1 => Just(Step::Hangs),
        1 => Just(Step::Lacks),
        2 => Just(Step::MakesRoom),
        1 => Just(Step::FoundAgain),
        1 => Just(Step::FoundElsewhere),
        4 => Just(Step::DiskTakes),
        2 => Just(Step::DiskRefuses),
        4 => (0_u64..70).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..60)
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let policy = prop_oneof![
        Just(RestartPolicy::Never),
        Just(RestartPolicy::OnFailure),
        Just(RestartPolicy::Always),
        Just(RestartPolicy::UnlessStopped)
    ];
    let fail_on = prop_oneof![Just(FailOn::Crash), Just(FailOn::Fatal), Just(FailOn::Any)];
    (policy, fail_on).prop_map(|(policy, fail_on)| settings(policy, fail_on))
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_worker_at_a_time_and_a_reason_exactly_when_it_is_down(
        settings in any_settings(), steps in steps(), disk_is_slow in any::<bool>(),
    ) {
        let mut world = World::new(settings);
        world.disk_is_slow = disk_is_slow;
        for step in steps {
            match step {
                Step::Ask(ask) => drop(world.ask(ask)),
                Step::DiskTakes => world.disk_answers(Ok(())),
                Step::DiskRefuses => world.disk_answers(Err(StoreError::Full)),
                Step::StartsWell => world.start_ends_well(),
                Step::StartFails(event) => world.start_fails(event),
                Step::Ends(reason) => world.worker_ends(reason),
                Step::CallFails(category) => world.call_fails(category),
                Step::Hangs => world.hangs(),
                Step::Lacks => world.renew(),
                Step::MakesRoom => world.evict(),
                Step::FoundAgain => world.input(Input::Found(vec![installed("/plugins/ocr")])),
                Step::FoundElsewhere => {
                    world.input(Input::Found(vec![installed("/plugins/ocr"), installed("/plugins/ocr-copy")]));
                }
                Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
            }
        }
        // Let everything that is under way come to its end: then nobody waits any more.
        while !world.keeping.is_empty() {
            world.disk_answers(Ok(()));
        }
        let entry = &world.core.entries[NAME];
        prop_assert_eq!((entry.flags, entry.enabled), (world.disk, world.disk.enabled.unwrap_or(true)));
        for _ in 0..4 {
            world.start_ends_well();
            while !world.stopping.is_empty() {
                world.worker_ends(ExitReason::OwnStop);
            }
        }
        for mut waiting in world.asked {
            prop_assert!(waiting.try_recv() != Err(TryRecvError::Empty), "somebody still waits");
        }
    }

    #[test]
    fn events_of_an_earlier_life_change_nothing(steps in steps()) {
        let mut world = World::new(settings(RestartPolicy::Never, FailOn::Any));
        world.start_ends_well();
        let old = world.lives[0].1.clone();
        world.ask(Ask::Restart);
        world.worker_ends(ExitReason::OwnStop);
        world.start_ends_well();
        let before = (world.state(), world.core.entries[NAME].incarnation);
        let exit = Exit { reason: crash(), stderr_tail: Vec::new(), descendants_killed: 0, output_leaked: false };
        for _ in steps {
            world.input(Input::Ended { life: old.clone(), exit: Arc::new(exit.clone()), noted: None });
            world.input(Input::Hung { life: old.clone(), silent_for: Duration::from_secs(99) });
            prop_assert_eq!((world.state(), world.core.entries[NAME].incarnation), before);
        }
    }
}

#[test]
fn a_failed_plugin_stays_failed_until_it_is_restarted_as_a_new_incarnation() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.start_ends_well();
    world.worker_ends(crash());
    world.pass(Duration::from_hours(1));
    assert_eq!((world.state(), world.starting.is_none()), (PluginState::Failed, true));
    assert!(!world.reload);
    world.ask(Ask::Restart);
    world.start_ends_well();
    let entry = &world.core.entries[NAME];
    assert_eq!((entry.state, entry.incarnation, entry.restarts), (PluginState::Initialized, 2, 1));
    assert!(world.reload);
    assert_eq!(
        entry.history[0].reason.as_deref(),
        Some("plugin `ocr`: its worker was killed by signal 11 (SIGSEGV)")
    );
}

#[test]
fn a_crash_loop_is_restarted_five_times_and_then_stays_failed_with_its_history() {
    let mut world = World::new(settings(RestartPolicy::OnFailure, FailOn::Fatal));
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.start_fails(PluginEvent::Broke);
        let mut waited = 0;
        while world.starting.is_none() && waited < 100 {
            world.pass(Duration::from_secs(1));
            waited += 1;
        }
        waits.push(waited);
    }
    // The tick that sees a wait of 0 s is the first one after it.
    assert_eq!(waits, [1, 1, 2, 4, 8, 100]);
    let entry = &world.core.entries[NAME];
    assert_eq!((entry.state, entry.incarnation, entry.history.len()), (PluginState::Failed, 6, 5));
    assert!(entry.reason.as_deref().unwrap().contains("5 restarts in a row did not help"));
}

#[test]
fn a_missing_need_is_unavailable_and_no_policy_restarts_it() {
    let mut world = World::new(settings(RestartPolicy::Always, FailOn::Fatal));
    world.start_fails(PluginEvent::NeedMissing);
    world.pass(Duration::from_mins(10));
    assert_eq!((world.state(), world.starting.is_none()), (PluginState::Unavailable, true));
}

#[test]
fn fail_on_decides_which_exception_takes_a_plugin_down() {
    for (fail_on, category, expected) in [
        (FailOn::Crash, Category::Fatal, PluginState::Initialized),
        (FailOn::Fatal, Category::Fatal, PluginState::Failed),
        (FailOn::Fatal, Category::UserInput, PluginState::Initialized),
        (FailOn::Fatal, Category::Transient, PluginState::Initialized),
        (FailOn::Any, Category::UserInput, PluginState::Failed),
    ] {
        let mut world = World::new(settings(RestartPolicy::Never, fail_on));
        world.start_ends_well();
        world.call_fails(category);
        assert_eq!(world.state(), expected, "{fail_on:?} {category:?}");
        assert_eq!(
            world.stopping.is_empty(),
            expected != PluginState::Failed,
            "a failed one keeps no worker"
        );
    }
}

#[test]
fn an_unloaded_plugin_is_loaded_in_a_new_incarnation() {
    let mut world = World::new(settings(RestartPolicy::Always, FailOn::Fatal));
    world.start_ends_well();
    world.ask(Ask::Unload);
    world.worker_ends(ExitReason::OwnStop);
    world.pass(Duration::from_mins(10));
    assert_eq!((world.state(), world.starting.is_none()), (PluginState::Loaded, true));
    world.ask(Ask::Load);
    world.start_ends_well();
    let entry = &world.core.entries[NAME];
    assert_eq!((entry.state, entry.incarnation, entry.restarts), (PluginState::Initialized, 2, 0));
}

#[test]
fn a_worker_that_was_ended_by_a_cancellation_is_replaced_without_a_policy() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.start_ends_well();
    world.worker_ends(ExitReason::Cancelled { tool: "read".to_owned() });
    assert_eq!((world.state(), world.starting.is_some()), (PluginState::Loaded, true));
    world.start_ends_well();
    let entry = &world.core.entries[NAME];
    assert_eq!((entry.state, entry.incarnation, entry.attempts.count), (PluginState::Initialized, 2, 0));
}

#[test]
fn what_was_decided_happens_once_it_is_on_disk_and_never_if_it_is_refused() {
    let calm = || settings(RestartPolicy::Never, FailOn::Fatal);
    let mut world = World::new(calm());
    world.start_ends_well();
    world.disk_is_slow = true;
    let mut told = world.ask(Ask::Enable(false));
    assert!(world.core.entries[NAME].enabled && told.try_recv().is_err(), "it is not on disk yet");
    world.disk_answers(Err(StoreError::Full));
    assert_eq!((world.core.entries[NAME].enabled, told.try_recv()), (true, Ok(Err(StoreError::Full))));
    let mut told = world.ask(Ask::Enable(false));
    world.disk_answers(Ok(()));
    assert_eq!((world.core.entries[NAME].enabled, told.try_recv()), (false, Ok(Ok(()))));
    // Nothing new is to be kept: a disk that is full keeps nobody from it.
    let mut told = [world.ask(Ask::Restart), world.ask(Ask::Load), world.ask(Ask::Enable(false))];
    assert!(told.iter_mut().all(|told| told.try_recv() == Ok(Ok(()))) && world.keeping.is_empty());
    let next = World::on(calm(), world.disk);
    assert!(!next.core.entries[NAME].enabled && next.starting.is_none(), "the next host starts it");
}
