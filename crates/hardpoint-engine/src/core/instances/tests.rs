//! Instances come, go and come back under the same id, while starts and ends of earlier ones are still on their way.

use super::super::{Ask, Core, Effect, Input, LifeId, Now, Started, Wish};
use super::Create;
use crate::catalog::Installed;
use crate::instance::InstanceRefusal;
use crate::limits::INSTANCES_PER_PLUGIN_MAX;
use crate::logs::Logs;
use crate::settings::Settings;
use hardpoint_model::health::StartTimes;
use hardpoint_model::plugin_config::Object;
use hardpoint_model::{Exit, ExitReason, Manifest};
use hardpoint_store::PluginFlags;
use hardpoint_supervisor::Announced;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot::{self, error::TryRecvError};

const IDS: [&str; 3] = ["ocr", "fast", "slow"];

type Answer = oneshot::Receiver<Result<(String, bool), InstanceRefusal>>;

/// Everything outside the core: the starts under way and the workers that run, each with whose they are.
struct World {
    core: Core<u64>,
    starting: BTreeMap<String, LifeId>,
    running: BTreeMap<u64, LifeId>,
    next_worker: u64,
    /// What was kept on disk, and for whom.
    kept: BTreeSet<String>,
    waiting: Vec<oneshot::Receiver<()>>,
}

fn folders(names: &[&str]) -> Vec<Installed> {
    let installed = |name: &&str| {
        let text = format!("name = \"{name}\"\nversion = \"1\"\nentry = \"ocr:Ocr\"\n");
        let manifest = Ok(Manifest::parse(&text, "hardpoint.toml").unwrap());
        Installed { folder: (*name).to_owned(), dir: format!("/plugins/{name}").into(), manifest }
    };
    names.iter().map(installed).collect()
}

impl World {
    fn new() -> Self {
        let maps = (BTreeMap::<String, PluginFlags>::new(), BTreeMap::new());
        let mut world = Self {
            core: Core::new(Settings::default(), true, maps, Logs::default()),
            starting: BTreeMap::new(),
            running: BTreeMap::new(),
            next_worker: 0,
            kept: BTreeSet::new(),
            waiting: Vec::new(),
        };
        world.input(Input::Found(folders(&["ocr"])));
        world
    }

    fn input(&mut self, input: Input<u64>) {
        self.core.on(input, Now { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH });
        for effect in self.core.take_effects() {
            match effect {
                Effect::Start(life, beginning) => {
                    assert_eq!(beginning.own.id.as_deref().unwrap_or("ocr"), life.plugin);
                    assert_eq!(beginning.plugin, "ocr");
                    let of_same = self.running.values().any(|other| other.plugin == life.plugin);
                    assert!(!of_same, "{life:?} is started beside a worker of its instance");
                    let before = self.starting.insert(life.plugin.clone(), life);
                    assert!(before.is_none(), "two starts of one instance at once");
                }
                // What had been on its way all the same still comes.
                Effect::AbortStart { plugin } => drop(self.starting.remove(&plugin)),
                Effect::Keep { wish, change } => {
                    self.kept.insert(wish.plugin.clone());
                    self.input(Input::Kept { wish, change, result: Ok(()) });
                }
                Effect::KeepConfig { plugin, .. } => drop(self.kept.insert(plugin)),
                Effect::TellCreated(whom, result) => drop(whom.send(result)),
                Effect::TellKept(whom, result) => drop(whom.send(result)),
                Effect::Tell(whom) => drop(whom.send(())),
                Effect::TellConfig(whom, result) => drop(whom.send(result)),
                Effect::Watch { .. }
                | Effect::Stop { .. }
                | Effect::Kill(_)
                | Effect::Reconfigure { .. }
                | Effect::AwaitIdle { .. }
                | Effect::Switch { .. } => {}
            }
        }
        let _ = self.core.take_changed();
        assert!(self.core.entries.contains_key("ocr"), "the default instance stays");
    }

    fn ask(&mut self, id: &str, ask: Ask) {
        let (settled, done) = oneshot::channel();
        self.waiting.push(done);
        let (kept, heard) = (oneshot::channel().0, oneshot::channel().0);
        self.input(Input::Asked(Wish { plugin: id.to_owned(), ask, kept, settled, heard }));
    }

    fn create(&mut self, ids: &[&str]) -> Answer {
        let ((answer, answered), (settled, done)) = (oneshot::channel(), oneshot::channel());
        self.waiting.push(done);
        let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
        let (plugin, config) = ("ocr".to_owned(), Object::new());
        self.input(Input::Create(Create { plugin, ids, config, concurrency: None, answer, settled }));
        answered
    }

    fn is_ready(&mut self, id: &str) {
        let Some(life) = self.starting.remove(id) else { return };
        self.next_worker += 1;
        self.running.insert(self.next_worker, life.clone());
        self.started(life, self.next_worker);
    }

    fn started(&mut self, life: LifeId, worker: u64) {
        let times = StartTimes { prepare: 1.0, worker: 1.0, import: 1.0 };
        let result = Ok(Started { worker, times, announced: Announced::default() });
        self.input(Input::Started { life, result });
    }

    /// A start that ended well at the moment when it was given up: its worker is ended, and its word comes when somebody
    /// has asked for the instance again already.
    fn starts_too_late(&mut self, id: &str) {
        let Some(life) = self.starting.get(id).cloned() else { return };
        self.ask(id, Ask::Unload);
        assert!(!self.starting.contains_key(id), "a start under way is given up");
        drop(self.create(&[id]));
        self.next_worker += 1;
        self.started(life.clone(), self.next_worker);
        self.ended(life);
    }

    fn ends(&mut self, id: &str) {
        let Some((&worker, _)) = self.running.iter().find(|(_, life)| life.plugin == id) else { return };
        let life = self.running.remove(&worker).unwrap();
        self.ended(life);
    }

    fn ended(&mut self, life: LifeId) {
        let exit = Exit {
            reason: ExitReason::OwnStop,
            stderr_tail: Vec::new(),
            descendants_killed: 0,
            output_leaked: false,
        };
        self.input(Input::Ended { life, exit: Arc::new(exit), noted: None });
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Ask(usize, Ask),
    Starts(usize),
    /// The start had ended well just when it was given up.
    StartsTooLate(usize),
    Ends(usize),
    Found,
    FoundNamesake,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ask = prop_oneof![
        3 => Just(Ask::Unload),
        1 => Just(Ask::Load),
        1 => Just(Ask::Restart),
        1 => Just(Ask::Reload),
        1 => Just(Ask::Enable(false)),
        1 => Just(Ask::Enable(true)),
    ];
    let which = 0..IDS.len();
    let step = prop_oneof![
        4 => which.clone().prop_map(Step::Create),
        6 => (which.clone(), ask).prop_map(|(which, ask)| Step::Ask(which, ask)),
        4 => which.clone().prop_map(Step::Starts),
        2 => which.clone().prop_map(Step::StartsTooLate),
        4 => which.prop_map(Step::Ends),
        1 => Just(Step::Found),
        1 => Just(Step::FoundNamesake),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn whatever_is_unloaded_reloaded_and_found_no_instance_ever_has_two_workers(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Create(which) => drop(world.create(&[IDS[which]])),
                Step::Ask(which, ask) => world.ask(IDS[which], ask),
                Step::Starts(which) => world.is_ready(IDS[which]),
                Step::StartsTooLate(which) => world.starts_too_late(IDS[which]),
                Step::Ends(which) => world.ends(IDS[which]),
                Step::Found => world.input(Input::Found(folders(&["ocr"]))),
                Step::FoundNamesake if !world.core.entries.contains_key("slow") => {}
                Step::FoundNamesake => world.input(Input::Found(folders(&["ocr", "slow"]))),
            }
            for (worker, life) in &world.running {
                let entry = world.core.entries.get(&life.plugin);
                let held = entry.and_then(|entry| entry.phase.worker());
                prop_assert_eq!(held, Some(worker), "{:?} runs, and its instance does not know it", life);
            }
        }
        prop_assert!(world.kept.iter().all(|name| name == "ocr"), "{:?} is on disk", world.kept);
        for _ in 0..2 {
            for id in IDS {
                world.is_ready(id);
                world.ask(id, Ask::Unload);
                world.ends(id);
            }
        }
        prop_assert_eq!(world.core.entries.len(), 1, "every further instance that is unloaded is gone");
        for mut waiting in world.waiting {
            prop_assert!(waiting.try_recv() != Err(TryRecvError::Empty), "somebody still waits");
        }
    }
}

#[test]
fn there_are_only_so_many_instances_and_the_first_free_id_is_taken() {
    let mut world = World::new();
    let place = |mut answer: Answer| answer.try_recv().unwrap();
    assert!(matches!(place(world.create(&["fast"])), Ok((id, true)) if id == "fast"));
    assert!(matches!(place(world.create(&["fast"])), Ok((id, false)) if id == "fast"));
    assert!(matches!(place(world.create(&["fast", "slow"])), Ok((id, true)) if id == "slow"));
    assert!(matches!(place(world.create(&["fast", "slow"])), Err(InstanceRefusal::NoId(_))));
    for number in 2..INSTANCES_PER_PLUGIN_MAX {
        assert!(place(world.create(&[&format!("n{number}")])).is_ok());
    }
    assert!(matches!(place(world.create(&["more"])), Err(InstanceRefusal::TooMany(_))));
    world.ask("fast", Ask::Unload);
    assert!(place(world.create(&["more"])).is_ok());
}
