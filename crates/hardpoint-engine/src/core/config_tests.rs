//! A change of the configuration against disks that refuse, plugins that say no, and workers that end in between.

use super::{ConfigWish, Core, Effect, Input, KeepWhy, LifeId, Now, Started};
use crate::catalog::Installed;
use crate::config::ConfigRefusal;
use crate::logs::Logs;
use crate::settings::Settings;
use hardpoint_model::health::StartTimes;
use hardpoint_model::plugin_config::{ConfigSchema, Object};
use hardpoint_model::{Category, Exit, ExitReason, JobError, Manifest};
use hardpoint_store::{PluginConfig, StoreError};
use hardpoint_supervisor::Announced;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

const NAME: &str = "ocr";

type Answer = oneshot::Receiver<Result<Vec<String>, ConfigRefusal>>;

/// One plugin, of which nothing happens by itself.
struct World {
    core: Core<u64>,
    starting: VecDeque<(LifeId, Object)>,
    reconfiguring: VecDeque<(LifeId, Object, Object)>,
    keeping: VecDeque<(PluginConfig, KeepWhy)>,
    stopping: Vec<u64>,
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

impl World {
    fn new() -> Self {
        let maps = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self {
            core: Core::new(Settings::default(), true, maps, Logs::default()),
            starting: VecDeque::new(),
            reconfiguring: VecDeque::new(),
            keeping: VecDeque::new(),
            stopping: Vec::new(),
        };
        let text = "name = \"ocr\"\nversion = \"1\"\nentry = \"ocr:Ocr\"\n";
        let manifest = Ok(Manifest::parse(text, "hardpoint.toml").unwrap());
        world.input(Input::Found(vec![Installed {
            folder: NAME.to_owned(),
            dir: "/p/ocr".into(),
            manifest,
        }]));
        world.is_ready(1);
        world.disk(Ok(()));
        world
    }

    fn input(&mut self, input: Input<u64>) {
        self.core.on(input, Now { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH });
        for effect in self.core.take_effects() {
            match effect {
                Effect::Start(life, begun) => self.starting.push_back((life, begun.config)),
                Effect::Reconfigure { life, old, new, .. } => self.reconfiguring.push_back((life, old, new)),
                Effect::KeepConfig { config, why, .. } => self.keeping.push_back((config, why)),
                Effect::TellConfig(whom, result) => drop(whom.send(result)),
                Effect::Stop { worker, .. } => self.stopping.push(worker),
                Effect::AbortStart { .. }
                | Effect::Watch { .. }
                | Effect::AwaitIdle { .. }
                | Effect::Switch { .. }
                | Effect::Kill(_)
                | Effect::Keep { .. }
                | Effect::TellCreated(..)
                | Effect::TellKept(..)
                | Effect::Tell(_) => {}
            }
        }
    }

    /// The start that is under way ends well, with this worker; what it was begun with.
    #[track_caller]
    fn is_ready(&mut self, worker: u64) -> Object {
        let (life, config) = self.starting.pop_front().unwrap();
        let schema = json!({"properties": {"dpi": {"type": "integer", "default": 300}, "language": {"type": "string"}}});
        let schema = Some(Arc::new(ConfigSchema::compile(&schema).unwrap()));
        let announced = Announced { config_schema: schema, facts: None };
        let times = StartTimes { prepare: 0.0, worker: 0.0, import: 0.0 };
        self.input(Input::Started { life, result: Ok(Started { worker, times, announced }) });
        config
    }

    fn change(&mut self, patch: Value) -> Answer {
        let (answer, answered) = oneshot::channel();
        let patch = object(patch);
        let wish = ConfigWish { plugin: NAME.to_owned(), patch, unknown_keys: None, answer };
        self.input(Input::Configure(wish));
        answered
    }

    /// What the worker was asked to take up is in force, or was refused.
    #[track_caller]
    fn plugin(&mut self, result: Result<(), JobError>) -> (Value, Value) {
        let (life, old, new) = self.reconfiguring.pop_front().unwrap();
        self.input(Input::Reconfigured { life, result });
        (Value::Object(old), Value::Object(new))
    }

    #[track_caller]
    fn disk(&mut self, result: Result<(), StoreError>) -> Value {
        let (config, why) = self.keeping.pop_front().unwrap();
        self.input(Input::ConfigKept { plugin: NAME.to_owned(), why, result });
        Value::Object(config.values)
    }

    /// The worker of this incarnation ends by itself.
    fn ends(&mut self, incarnation: u64) {
        let life = LifeId { plugin: NAME.to_owned(), incarnation };
        let reason = ExitReason::ExitCode { code: 1 };
        let exit =
            Arc::new(Exit { reason, stderr_tail: Vec::new(), descendants_killed: 0, output_leaked: false });
        self.input(Input::Ended { life, exit, noted: None });
    }

    fn values(&self) -> Value {
        Value::Object(self.core.entries[NAME].configuration.view.effective.values.clone())
    }
}

fn refused(error_type: &str) -> JobError {
    JobError::new(Category::Fatal, error_type, "no")
}

#[test]
fn a_change_is_told_once_the_plugin_and_then_the_disk_have_it() {
    let mut world = World::new();
    let mut answer = world.change(json!({"dpi": 600}));
    assert_eq!(world.plugin(Ok(())), (json!({"dpi": 300}), json!({"dpi": 600})));
    assert!(answer.try_recv().is_err(), "it is not on disk yet");
    assert_eq!((world.values(), world.disk(Ok(()))), (json!({"dpi": 300}), json!({"dpi": 600})));
    assert!(answer.try_recv().unwrap().unwrap().is_empty());
    assert_eq!(world.values(), json!({"dpi": 600}));
}

#[test]
fn a_change_that_the_disk_refuses_is_taken_back_by_the_plugin() {
    let mut world = World::new();
    let mut answer = world.change(json!({"dpi": 600}));
    world.plugin(Ok(()));
    world.disk(Err(StoreError::Full));
    assert!(answer.try_recv().is_err(), "the plugin still goes by it");
    assert_eq!(world.plugin(Ok(())), (json!({"dpi": 600}), json!({"dpi": 300})));
    assert!(matches!(answer.try_recv().unwrap(), Err(ConfigRefusal::Store(StoreError::Full))));
    assert_eq!((world.values(), world.stopping.len()), (json!({"dpi": 300}), 0));
}

#[test]
fn what_can_be_taken_back_by_nobody_is_put_right_by_a_new_worker() {
    let mut world = World::new();
    world.change(json!({"dpi": 600}));
    world.plugin(Ok(()));
    world.disk(Err(StoreError::Full));
    world.plugin(Err(refused("ValueError")));
    assert_eq!(world.stopping, [1]);
    let mut world = World::new();
    let mut answer = world.change(json!({"dpi": 600}));
    world.plugin(Err(refused("ConfigNotRestored")));
    assert!(matches!(answer.try_recv().unwrap(), Err(ConfigRefusal::Hook(_))));
    assert_eq!(world.stopping, [1]);
    world.ends(1);
    assert_eq!(world.is_ready(2), Object::new(), "it begins with what there was");
}

#[test]
fn changes_wait_for_each_other_and_build_on_what_came_of_those_before() {
    let mut world = World::new();
    let mut first = world.change(json!({"dpi": 600}));
    let mut second = world.change(json!({"language": "deu"}));
    let mut third = world.change(json!({"dpi": "many"}));
    assert_eq!(world.reconfiguring.len(), 1);
    world.plugin(Err(refused("ValueError")));
    assert!(matches!(first.try_recv().unwrap(), Err(ConfigRefusal::Hook(_))));
    assert_eq!(world.plugin(Ok(())).1, json!({"dpi": 300, "language": "deu"}));
    world.disk(Ok(()));
    assert!(second.try_recv().unwrap().is_ok());
    assert!(matches!(third.try_recv().unwrap(), Err(ConfigRefusal::Mistakes(_))));
    assert!(world.stopping.is_empty());
}

#[test]
fn a_worker_that_ends_before_its_change_is_kept_has_a_successor_that_knows_it() {
    let mut world = World::new();
    let mut answer = world.change(json!({"dpi": 600}));
    world.plugin(Ok(()));
    world.ends(1);
    let wish = |ask| {
        let ((kept, _), (settled, _)) = (oneshot::channel(), oneshot::channel());
        super::Wish { plugin: NAME.to_owned(), ask, kept, settled, heard: oneshot::channel().0 }
    };
    world.input(Input::Asked(wish(super::Ask::Restart)));
    assert_eq!(world.is_ready(2), Object::new(), "it was not on disk when this life began");
    world.disk(Ok(()));
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(world.stopping, [2], "it goes by what there was");
    world.ends(2);
    assert_eq!(world.is_ready(3), object(json!({"dpi": 600})));
    assert_eq!(world.stopping, [2]);
}
