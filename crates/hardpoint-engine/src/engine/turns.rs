//! The loop: takes inputs to the core, carries out what it decided, publishes the snapshot.
//!
//! Owns every effect. Must not decide anything about plugins.

use super::begin::begin;
use super::{Command, Shared};
use crate::core::{Beginning, Change, Core, Effect, Entry, Input, KeepWhy, LifeId, Now, Phase, Wish};
use crate::decisions::Decisions;
use crate::limits::TICK;
use crate::settings::Settings;
use crate::snapshot::{PluginView, Snapshot};
use crate::watch;
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use hardpoint_model::plugin_config::Object;
use hardpoint_model::{JobError, MemoryEnforcer};
use hardpoint_store::{Op, PluginConfig, Store};
use hardpoint_supervisor::{Hook, Worker};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

type Keep = Pin<Box<dyn Future<Output = Input<Worker>> + Send>>;

pub(super) struct Loop {
    shared: Arc<Shared>,
    store: Option<Store>,
    /// In the order in which they were sent, which is the order in which the store answers.
    keeps: FuturesOrdered<Keep>,
    core: Core<Worker>,
    turns: Arc<Semaphore>,
    pace: watch::Pace,
    starts: HashMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Loop {
    pub(super) fn new(shared: Arc<Shared>, settings: Settings, decisions: Decisions) -> Self {
        let Decisions { store, flags, configs, usage: _ } = decisions;
        let (places, pace) = (settings.starts_at_once.max(1), watch::Pace::of(&settings));
        Self {
            core: Core::new(settings, store.is_some(), (flags, configs), shared.logs.clone()),
            shared,
            store,
            keeps: FuturesOrdered::new(),
            turns: Arc::new(Semaphore::new(places)),
            pace,
            starts: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// One input, decided on and carried out.
    pub(super) fn take(&mut self, input: Input<Worker>) {
        self.core.on(input, Now::read());
        self.turn();
    }

    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut inputs: mpsc::Receiver<Input<Worker>>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let stopped = loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Input(input)) => self.core.on(*input, Now::read()),
                    Some(Command::Stop(stopped)) => break Some(stopped),
                    None => break None,
                },
                Some(input) = inputs.recv() => self.core.on(input, Now::read()),
                Some(kept) = self.keeps.next() => self.core.on(kept, Now::read()),
                Some(_) = self.tasks.join_next() => continue,
                _ = tick.tick() => self.core.on_tick(Now::read()),
            }
            self.turn();
        };
        commands.close();
        self.close(inputs).await;
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    /// Carries out what was decided. The snapshot is published before anybody is told.
    fn turn(&mut self) {
        let effects = self.core.take_effects();
        let gone = self.publish();
        for effect in effects {
            match effect {
                Effect::Start(life, beginning) => self.start(life, beginning),
                Effect::AbortStart { plugin } => {
                    if let Some(start) = self.starts.remove(&plugin) {
                        start.abort();
                    }
                }
                Effect::Watch { life, worker, activity } => {
                    self.shared.usage.wake();
                    self.tasks.spawn(watch::end(life.clone(), worker.clone(), self.shared.inputs.clone()));
                    self.tasks.spawn(watch::pulse(
                        life,
                        worker,
                        activity,
                        self.pace,
                        self.shared.inputs.clone(),
                    ));
                }
                Effect::Stop { worker, grace } => {
                    self.tasks.spawn(async move { drop(worker.stop(grace).await) });
                }
                Effect::Kill(worker) => {
                    self.tasks.spawn(async move { drop(worker.kill().await) });
                }
                Effect::Reconfigure { life, worker, old, new } => self.reconfigure(life, worker, old, new),
                Effect::AwaitIdle { life, activity } => {
                    let inputs = self.shared.inputs.clone();
                    self.tasks.spawn(async move {
                        activity.until_idle().await;
                        let _ = inputs.send(Input::Idle(life)).await;
                    });
                }
                Effect::Switch { life, worker, enabled } => self.switch(life, worker, enabled),
                Effect::KeepConfig { plugin, config, why } => self.keep_config(plugin, config, why),
                Effect::TellConfig(whom, result) => drop(whom.send(result)),
                Effect::Keep { wish, change } => self.keep(wish, change),
                Effect::TellCreated(whom, result) => drop(whom.send(result)),
                Effect::TellKept(whom, result) => drop(whom.send(result)),
                Effect::Tell(whom) => drop(whom.send(())),
            }
        }
        for name in gone {
            self.starts.remove(&name);
        }
    }

    /// The store takes commits in the order in which this is called: the queue is entered right here.
    fn keep(&mut self, wish: Wish, change: Change) {
        let Some(store) = &self.store else { return };
        let Change { enabled, unloaded } = change;
        let commit = store.enqueue_apart(vec![Op::Plugin { name: wish.plugin.clone(), enabled, unloaded }]);
        self.keeps.push_back(Box::pin(async move {
            let result = commit.await.map(drop);
            Input::Kept { wish, change, result }
        }));
    }

    fn keep_config(&mut self, name: String, config: PluginConfig, why: KeepWhy) {
        let Some(store) = &self.store else { return };
        let (plugin, at) = (name.clone(), Timestamp::now());
        let commit = store.enqueue_apart(vec![Op::PluginConfig { name, config, at }]);
        self.keeps.push_back(Box::pin(async move {
            let result = commit.await.map(drop);
            Input::ConfigKept { plugin, why, result }
        }));
    }

    fn reconfigure(&mut self, life: LifeId, worker: Worker, old: Object, new: Object) {
        let hook = Hook::Reconfigure { old: Value::Object(old), new: Value::Object(new) };
        self.hook(life, worker, hook, |life, result| Input::Reconfigured { life, result });
    }

    fn switch(&mut self, life: LifeId, worker: Worker, enabled: bool) {
        let hook = if enabled { Hook::Enable } else { Hook::Disable };
        self.hook(life, worker, hook, |life, result| Input::Heard { life, result });
    }

    /// Runs a hook and tells the loop how it ended.
    fn hook(
        &mut self,
        life: LifeId,
        worker: Worker,
        hook: Hook,
        ended: impl FnOnce(LifeId, Result<(), JobError>) -> Input<Worker> + Send + 'static,
    ) {
        let inputs = self.shared.inputs.clone();
        self.tasks.spawn(async move {
            let result = match worker.hook(hook).await {
                Ok(answer) => answer.map(drop),
                Err(lost) => Err(lost.to_job_error(&life.plugin)),
            };
            let _ = inputs.send(ended(life, result)).await;
        });
    }

    /// Which instances are not there any more.
    fn publish(&mut self) -> Vec<String> {
        let enforcer = self.shared.enforcer;
        let changed = self.core.take_changed().into_iter();
        let changed: Vec<_> =
            changed.map(|(name, entry)| (name, entry.map(|entry| Arc::new(view(entry, enforcer))))).collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let mut gone = Vec::new();
        let before = self.shared.snapshot.load();
        let mut plugins: BTreeMap<String, Arc<PluginView>> = before.plugins.clone();
        for (name, view) in changed {
            match view {
                Some(view) => drop(plugins.insert(name, view)),
                None => {
                    plugins.remove(&name);
                    gone.push(name);
                }
            }
        }
        self.shared.snapshot.store(Arc::new(Snapshot { version: before.version + 1, plugins }));
        gone
    }

    fn start(&mut self, life: LifeId, beginning: Beginning) {
        let (shared, turns, plugin) =
            (Arc::clone(&self.shared), Arc::clone(&self.turns), life.plugin.clone());
        let task = self.tasks.spawn(async move {
            let Ok(_turn) = turns.acquire().await else { return };
            let inputs = shared.inputs.clone();
            let result = begin(&shared, &life, beginning).await;
            let _ = inputs.send(Input::Started { life, result }).await;
        });
        self.starts.insert(plugin, task);
    }

    async fn close(mut self, mut inputs: mpsc::Receiver<Input<Worker>>) {
        self.starts.drain().for_each(|(_, start)| start.abort());
        let (stopped, killed) = self.core.close();
        self.turn();
        let mut stops: JoinSet<()> = JoinSet::new();
        for worker in killed {
            stops.spawn(async move { drop(worker.kill().await) });
        }
        for worker in stopped {
            let grace = self.pace.stop_grace;
            stops.spawn(async move { drop(worker.stop(grace).await) });
        }
        // Ends are still noted, so that whoever waits for an answer about one gets it.
        loop {
            tokio::select! {
                stopped = stops.join_next() => if stopped.is_none() { break },
                Some(input) = inputs.recv() => {
                    self.core.on(input, Now::read());
                    self.core.take_effects().into_iter().for_each(|effect| if let Effect::Tell(whom) = effect {
                        let _ = whom.send(());
                    });
                    self.publish();
                }
            }
        }
        self.tasks.shutdown().await;
    }
}

fn view(entry: &Entry<Worker>, enforcer: MemoryEnforcer) -> PluginView {
    PluginView {
        name: entry.name.clone(),
        plugin: entry.plugin.clone(),
        concurrency: entry.concurrency,
        installed: Arc::clone(&entry.installed),
        state: entry.state,
        reason: entry.reason.clone(),
        hint: entry.hint.clone(),
        incarnation: entry.incarnation,
        enabled: entry.enabled,
        starting: entry.starting.clone(),
        stopping: matches!(entry.phase, Phase::Stopping { .. }),
        is_conflicting: entry.conflict.is_some(),
        ready_at: entry.ready_at,
        exit_reason: entry.exit_reason.clone(),
        start_error: entry.start_error.clone(),
        restarts: entry.restarts,
        restart_attempts: entry.attempts.count,
        restart_at: entry.restart_at.map(|(_, at)| at),
        history: entry.history.iter().cloned().collect(),
        times: entry.times,
        worker: entry.phase.worker().cloned(),
        made_room: entry.made_room.clone(),
        activity: Arc::clone(&entry.activity),
        output: entry.output.clone(),
        config: Arc::clone(&entry.configuration.view),
        facts: entry.facts.clone(),
        enforcer,
    }
}
