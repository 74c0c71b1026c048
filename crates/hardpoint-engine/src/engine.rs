//! The loop: takes inputs to the core, carries out what it decided, publishes the snapshot.
//!
//! Owns every effect and the handle through which the engine is used. Must not decide anything about plugins.

use crate::call::Refusal;
use crate::catalog::{Catalog, CatalogError, Installed, read_plugin};
use crate::core::{Ask, Core, Effect, Entry, Input, LifeId, Now, Phase, StartFailed};
use crate::limits::{COMMAND_QUEUE, INPUT_QUEUE, TICK};
use crate::settings::Settings;
use crate::snapshot::{PluginView, Snapshot};
use crate::start::{StartError, StartEvent, StartOrder, Starter};
use crate::watch;
use arc_swap::ArcSwap;
use hardpoint_env::EnvEvent;
use hardpoint_model::{Diagnostics, MemoryEnforcer, PluginEvent};
use hardpoint_process::MemoryMode;
use hardpoint_supervisor::{Captured, Hook, Worker};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// Something that can be done with a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Load,
    Unload,
    Restart,
    Enable,
    Disable,
    Prefetch,
}

/// How far a verb got.
#[derive(Debug)]
pub struct Answer {
    /// The plugin afterwards.
    pub plugin: Arc<PluginView>,
    /// Whether it is done; if not, it goes on.
    pub done: bool,
}

/// The engine, as everybody else sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    snapshot: ArcSwap<Snapshot>,
    commands: mpsc::Sender<Command>,
    pub(crate) inputs: mpsc::Sender<Input<Worker>>,
    plugins_dir: PathBuf,
    draining: AtomicBool,
    enforcer: MemoryEnforcer,
    starter: Arc<Starter>,
}

#[derive(Debug)]
enum Command {
    Input(Input<Worker>),
    Stop(oneshot::Sender<()>),
}

impl Engine {
    /// Reads the plugins folder, and begins to start every plugin in it. The handle of the loop ends after
    /// [`Engine::stop`].
    pub fn start(
        settings: Settings,
        plugins_dir: &Path,
        starter: Starter,
    ) -> Result<(Self, JoinHandle<()>), CatalogError> {
        let catalog = Catalog::read(plugins_dir)?;
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::default(),
            commands,
            inputs,
            plugins_dir: plugins_dir.to_owned(),
            draining: AtomicBool::new(false),
            enforcer: enforcer(starter.launcher().memory_mode()),
            starter: Arc::new(starter),
        });
        let mut engine_loop = Loop {
            shared: Arc::clone(&shared),
            turns: Arc::new(Semaphore::new(settings.starts_at_once.max(1))),
            pace: watch::Pace::of(&settings),
            core: Core::new(settings),
            starts: HashMap::new(),
            tasks: JoinSet::new(),
        };
        // Before anybody can look, so that no plugin is ever unknown.
        engine_loop.core.on(Input::Found(catalog.iter().cloned().collect()), Now::read());
        engine_loop.turn();
        let handle = tokio::spawn(engine_loop.run(command_queue, input_queue));
        Ok((Self { shared }, handle))
    }

    /// All plugins, as they are now. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// The plugin of this name.
    pub fn plugin(&self, name: &str) -> Result<Arc<PluginView>, Refusal> {
        let snapshot = self.shared.snapshot.load();
        snapshot.plugins.get(name).cloned().ok_or_else(|| Refusal::UnknownPlugin {
            name: name.to_owned(),
            known: snapshot.plugins.keys().cloned().collect(),
        })
    }

    /// Does something with a plugin and waits for at most `patience` until it is done.
    pub async fn ask(&self, name: &str, verb: Verb, patience: Duration) -> Result<Answer, Refusal> {
        if self.is_draining() {
            return Err(Refusal::Stopping);
        }
        if verb == Verb::Load && self.plugin(name).is_err() {
            self.look_for_new_plugins().await?;
        }
        let plugin = self.plugin(name)?;
        let ask = match verb {
            Verb::Load => Ask::Load,
            Verb::Unload => Ask::Unload,
            Verb::Restart => Ask::Restart,
            Verb::Enable => Ask::Enable(true),
            Verb::Disable => Ask::Enable(false),
            Verb::Prefetch => return self.hook(plugin, Hook::Prefetch, patience).await,
        };
        let (settled, done) = oneshot::channel();
        self.command(Input::Asked { plugin: name.to_owned(), ask, settled })?;
        let done = tokio::time::timeout(patience, done).await.is_ok();
        let plugin = self.plugin(name)?;
        match verb {
            Verb::Enable if done => self.hook(plugin, Hook::Enable, patience).await,
            Verb::Disable if done => {
                let idle = tokio::time::timeout(patience, plugin.activity.until_idle()).await.is_ok();
                if idle {
                    self.hook(plugin, Hook::Disable, patience).await
                } else {
                    Ok(Answer { plugin, done: idle })
                }
            }
            Verb::Load | Verb::Unload | Verb::Restart | Verb::Enable | Verb::Disable | Verb::Prefetch => {
                Ok(Answer { plugin, done })
            }
        }
    }

    /// Takes no calls and no verbs any more.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Release);
    }

    /// Whether [`Engine::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Waits until no plugin has a call.
    pub async fn until_idle(&self) {
        for plugin in self.snapshot().plugins.values() {
            plugin.activity.until_idle().await;
        }
    }

    /// Stops every worker in order, and returns when no process is left.
    pub async fn stop(&self) {
        self.drain();
        let (stopped, done) = oneshot::channel();
        if self.shared.commands.send(Command::Stop(stopped)).await.is_ok() {
            let _ = done.await;
        }
        self.shared.starter.launcher().all_gone().await;
    }

    fn command(&self, input: Input<Worker>) -> Result<(), Refusal> {
        self.shared.commands.try_send(Command::Input(input)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Refusal::HostBusy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })
    }

    async fn look_for_new_plugins(&self) -> Result<(), Refusal> {
        let dir = self.shared.plugins_dir.clone();
        let read = tokio::task::spawn_blocking(move || Catalog::read(&dir)).await;
        let Ok(Ok(catalog)) = read else { return Ok(()) };
        let (settled, seen) = oneshot::channel();
        self.command(Input::Found(catalog.iter().cloned().collect()))?;
        // Commands are taken in order: when this one is answered, the one before is done.
        self.command(Input::Asked { plugin: String::new(), ask: Ask::Load, settled })?;
        let _ = seen.await;
        Ok(())
    }

    /// Runs a lifecycle hook, if there is a worker to run it.
    async fn hook(&self, plugin: Arc<PluginView>, hook: Hook, patience: Duration) -> Result<Answer, Refusal> {
        let Some(worker) = plugin.worker.clone().filter(|_| plugin.state.takes_calls()) else {
            return if hook == Hook::Prefetch {
                Err(Refusal::of(&plugin))
            } else {
                Ok(Answer { plugin, done: true })
            };
        };
        let name = plugin.name.clone();
        match tokio::time::timeout(patience, worker.hook(hook)).await {
            Ok(Ok(Ok(_))) => Ok(Answer { plugin: self.plugin(&name)?, done: true }),
            Ok(Ok(Err(error))) => Err(Refusal::Hook(Box::new(error))),
            Ok(Err(lost)) => Err(Refusal::Hook(Box::new(lost.to_job_error(&name)))),
            Err(_) => Ok(Answer { plugin: self.plugin(&name)?, done: false }),
        }
    }
}

fn enforcer(mode: &MemoryMode) -> MemoryEnforcer {
    match mode {
        MemoryMode::CgroupV2(_) => MemoryEnforcer::CgroupV2,
        MemoryMode::CgroupV1(_) => MemoryEnforcer::CgroupV1,
        MemoryMode::Sampler => MemoryEnforcer::Sampler,
    }
}

struct Loop {
    shared: Arc<Shared>,
    core: Core<Worker>,
    turns: Arc<Semaphore>,
    pace: watch::Pace,
    starts: HashMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Loop {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut inputs: mpsc::Receiver<Input<Worker>>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let stopped = loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Input(input)) => self.core.on(input, Now::read()),
                    Some(Command::Stop(stopped)) => break Some(stopped),
                    None => break None,
                },
                Some(input) = inputs.recv() => self.core.on(input, Now::read()),
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
        self.publish();
        for effect in effects {
            match effect {
                Effect::Start { life, dir, output } => self.start(life, dir, output),
                Effect::AbortStart { plugin } => {
                    if let Some(start) = self.starts.remove(&plugin) {
                        start.abort();
                    }
                }
                Effect::Watch { life, worker, activity } => {
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
                Effect::Tell(whom) => drop(whom.send(())),
            }
        }
    }

    fn publish(&mut self) {
        let enforcer = self.shared.enforcer;
        let changed: Vec<_> =
            self.core.take_changed().into_iter().map(|entry| Arc::new(view(entry, enforcer))).collect();
        if changed.is_empty() {
            return;
        }
        let before = self.shared.snapshot.load();
        let mut plugins: BTreeMap<String, Arc<PluginView>> = before.plugins.clone();
        plugins.extend(changed.into_iter().map(|view| (view.name.clone(), view)));
        self.shared.snapshot.store(Arc::new(Snapshot { version: before.version + 1, plugins }));
    }

    fn start(&mut self, life: LifeId, dir: PathBuf, output: Captured) {
        let (shared, turns, plugin) =
            (Arc::clone(&self.shared), Arc::clone(&self.turns), life.plugin.clone());
        let task = self.tasks.spawn(async move {
            let Ok(_turn) = turns.acquire().await else { return };
            let inputs = shared.inputs.clone();
            let result = start(&shared, &life, dir, output).await;
            let _ = inputs.send(Input::Started { life, result }).await;
        });
        self.starts.insert(plugin, task);
    }

    async fn close(mut self, mut inputs: mpsc::Receiver<Input<Worker>>) {
        self.starts.drain().for_each(|(_, start)| start.abort());
        let workers = self.core.close();
        self.turn();
        let mut stops: JoinSet<()> = JoinSet::new();
        for worker in workers {
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

/// The manifest is read anew for each life, so that a mended one counts.
async fn start(
    shared: &Shared,
    life: &LifeId,
    dir: PathBuf,
    output: Captured,
) -> Result<(Worker, hardpoint_model::health::StartTimes), StartFailed> {
    let installed = tokio::task::spawn_blocking(move || read_plugin(dir)).await;
    let installed: Arc<Installed> =
        Arc::new(installed.map_err(|_| StartFailed::plain("its manifest could not be read"))?);
    let _ = shared.inputs.send(Input::Read { life: life.clone(), installed: Arc::clone(&installed) }).await;
    let manifest =
        installed.manifest.as_ref().map_err(|mistakes| StartFailed::of_manifest(&life.plugin, mistakes))?;
    if manifest.name.as_str() != life.plugin {
        let text =
            format!("its manifest now calls it `{}`: start the host again to see it there", manifest.name);
        return Err(StartFailed::plain(&text));
    }
    let order = StartOrder { installed: &installed, manifest, incarnation: life.incarnation, output };
    let tell = |event: StartEvent| {
        // A step that is not told is followed by another.
        let _ = shared.inputs.try_send(Input::Step { life: life.clone(), step: step(&event) });
    };
    shared.starter.start(order, &tell).await.map_err(|error| StartFailed::of(&life.plugin, &error))
}

fn step(event: &StartEvent) -> String {
    match event {
        StartEvent::Probing => "looking at what it needs".to_owned(),
        StartEvent::Starting => "starting its worker".to_owned(),
        StartEvent::Environment(event) => match event {
            EnvEvent::Interpreter { version, .. } => format!("using Python {version}"),
            EnvEvent::Waiting { .. } => "waiting for another process that builds its environment".to_owned(),
            EnvEvent::Installing { what, .. } => format!("installing: {what}"),
            EnvEvent::Ready { .. } => "its environment is ready".to_owned(),
        },
    }
}

impl StartFailed {
    fn plain(reason: &str) -> Self {
        let event = PluginEvent::Broke;
        Self { event, reason: reason.to_owned(), hint: None, detail: None, exit: None }
    }

    fn of_manifest(plugin: &str, diagnostics: &Diagnostics) -> Self {
        let reason = match diagnostics.items.as_slice() {
            [only] => format!("plugin `{plugin}`: its manifest has a mistake: {}", only.place_and_message()),
            [first, rest @ ..] => {
                let (count, first) = (rest.len() + 1, first.place_and_message());
                format!("plugin `{plugin}`: its manifest has {count} mistakes, the first: {first}")
            }
            [] => format!("plugin `{plugin}`: its manifest cannot be read"),
        };
        let hint =
            Some("correct hardpoint.toml, then start the plugin again; its log has every mistake".to_owned());
        Self { hint, detail: Some(diagnostics.to_string()), ..Self::plain(&reason) }
    }

    fn of(plugin: &str, error: &StartError) -> Self {
        let (detail, exit) = match error {
            StartError::Worker(failure) => {
                (failure.error.traceback.clone(), failure.exit.as_ref().map(|exit| exit.reason.clone()))
            }
            StartError::Lock(_) | StartError::Missing(_) | StartError::Environment(_) => (None, None),
        };
        Self { event: error.event(), reason: error.to_string(), hint: error.hint(plugin), detail, exit }
    }
}

fn view(entry: &Entry<Worker>, enforcer: MemoryEnforcer) -> PluginView {
    PluginView {
        name: entry.name.clone(),
        installed: Arc::clone(&entry.installed),
        state: entry.state,
        reason: entry.reason.clone(),
        hint: entry.hint.clone(),
        incarnation: entry.incarnation,
        enabled: entry.enabled,
        starting: entry.starting.clone(),
        stopping: matches!(entry.phase, Phase::Stopping { .. }),
        ready_at: entry.ready_at,
        exit_reason: entry.exit_reason.clone(),
        restarts: entry.restarts,
        restart_attempts: entry.attempts.count,
        restart_at: entry.restart_at.map(|(_, at)| at),
        history: entry.history.iter().cloned().collect(),
        times: entry.times,
        worker: entry.phase.worker().cloned(),
        activity: Arc::clone(&entry.activity),
        output: entry.output.clone(),
        enforcer,
    }
}
