//! Calls are allowed and forbidden while some run, and while hooks do.

use super::super::{Ask, Core, Effect, Input, LifeId, Now, Started, Wish};
use crate::catalog::Installed;
use crate::logs::Logs;
use crate::settings::Settings;
use hardpoint_model::health::StartTimes;
use hardpoint_model::{JobError, Manifest};
use hardpoint_supervisor::Announced;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::sync::oneshot;

const NAME: &str = "ocr";

type Answer = oneshot::Receiver<Result<(), JobError>>;

/// One plugin that is up, with calls.
struct World {
    core: Core<u64>,
    life: LifeId,
    /// How often somebody was to wait for the end of the calls.
    awaited: u32,
    /// What its worker was told.
    told: Vec<bool>,
}

impl World {
    fn running() -> Self {
        let core = Core::new(Settings::default(), false, (BTreeMap::new(), BTreeMap::new()), Logs::default());
        let life = LifeId { plugin: NAME.to_owned(), incarnation: 1 };
        let mut world = Self { core, life: life.clone(), awaited: 0, told: Vec::new() };
        let text = "name = \"ocr\"\nversion = \"1\"\nentry = \"ocr:Ocr\"\n";
        let manifest = Ok(Manifest::parse(text, "hardpoint.toml").unwrap());
        world.input(Input::Found(vec![Installed {
            folder: NAME.to_owned(),
            dir: "/p/ocr".into(),
            manifest,
        }]));
        let times = StartTimes { prepare: 0.0, worker: 0.0, import: 0.0 };
        let started = Started { worker: 1, times, announced: Announced::default() };
        world.input(Input::Started { life, result: Ok(started) });
        world
    }

    fn input(&mut self, input: Input<u64>) {
        self.core.on(input, Now { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH });
        for effect in self.core.take_effects() {
            if let Effect::AwaitIdle { .. } = effect {
                self.awaited += 1;
            } else if let Effect::Switch { enabled, .. } = effect {
                self.told.push(enabled);
            }
        }
    }

    fn ask(&mut self, enabled: bool) -> Answer {
        let (heard, answer) = oneshot::channel();
        let (plugin, ask) = (NAME.to_owned(), Ask::Enable(enabled));
        let wish = Wish { plugin, ask, kept: oneshot::channel().0, settled: oneshot::channel().0, heard };
        self.input(Input::Asked(wish));
        answer
    }

    fn calls_are_over(&mut self) {
        self.input(Input::Idle(self.life.clone()));
    }

    fn hook_ends(&mut self) {
        self.input(Input::Heard { life: self.life.clone(), result: Ok(()) });
    }
}

#[track_caller]
fn is_done(answer: &mut Answer) {
    assert!(answer.try_recv().unwrap().is_ok());
}

#[track_caller]
fn waits(answer: &mut Answer) {
    assert_eq!(answer.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty);
}

#[test]
fn a_worker_hears_that_calls_are_forbidden_when_the_last_one_is_over() {
    let mut world = World::running();
    let mut disabled = world.ask(false);
    assert_eq!((world.awaited, world.told.len()), (1, 0));
    waits(&mut disabled);
    world.calls_are_over();
    assert_eq!(world.told, [false]);
    waits(&mut disabled);
    world.hook_ends();
    is_done(&mut disabled);
    let mut enabled = world.ask(true);
    assert_eq!(world.told, [false, true]);
    world.hook_ends();
    is_done(&mut enabled);
}

#[test]
fn whoever_allows_calls_again_before_the_last_one_is_over_spares_the_plugin_both_hooks() {
    let mut world = World::running();
    let mut disabled = world.ask(false);
    let mut enabled = world.ask(true);
    is_done(&mut disabled);
    is_done(&mut enabled);
    world.calls_are_over();
    is_done(&mut world.ask(true));
    assert!(world.told.is_empty());
}

#[test]
fn what_is_decided_while_a_hook_runs_is_told_when_it_has_ended() {
    let mut world = World::running();
    let mut disabled = world.ask(false);
    world.calls_are_over();
    let mut enabled = world.ask(true);
    assert_eq!(world.told, [false]);
    world.hook_ends();
    assert_eq!(world.told, [false, true]);
    waits(&mut disabled);
    world.hook_ends();
    is_done(&mut disabled);
    is_done(&mut enabled);
}
