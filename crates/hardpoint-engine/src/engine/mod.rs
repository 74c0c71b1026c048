//! The engine as everybody else sees it: look at the snapshot, ask for something, stop.
//!
//! Owns the handle and its waits. The loop behind it is in `turns`, the way to a ready worker in `begin`. Must
//! not decide anything about plugins.

mod begin;
mod turns;

use crate::call::Refusal;
use crate::catalog::Catalog;
use crate::core::{Ask, Input, LifeId, Wish};
use crate::decisions::Decisions;
use crate::limits::{COMMAND_QUEUE, INPUT_QUEUE, LOGS_PATIENCE, RENEW_PATIENCE, SETTLE_LOOK};
use crate::logs::Logs;
use crate::schedule::{self, Scheduler};
use crate::settings::Settings;
use crate::snapshot::{PluginView, Snapshot};
use crate::start::Starter;
use crate::usage::Usage;
use arc_swap::ArcSwap;
use hardpoint_model::usage::UsageRecord;
use hardpoint_model::{JobError, MemoryEnforcer};
use hardpoint_process::{Launcher, MemoryMode};
use hardpoint_secrets::SecretStore;
use hardpoint_store::StoreError;
use hardpoint_supervisor::{Hook, Worker};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use turns::Loop;

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
    logs: Logs,
    pub(crate) usage: Usage,
    pub(crate) settings: Settings,
    pub(crate) scheduler: Scheduler,
}

#[derive(Debug)]
enum Command {
    Input(Box<Input<Worker>>),
    Stop(oneshot::Sender<()>),
}

impl Engine {
    /// Begins to start every plugin of the catalog that nobody disabled or unloaded. The handle of the loop ends after
    /// [`Engine::stop`].
    pub fn start(
        settings: Settings,
        catalog: &Catalog,
        starter: Starter,
        mut decisions: Decisions,
    ) -> (Self, JoinHandle<()>) {
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
        let (scheduler, wishes) = Scheduler::new(&settings.scheduler);
        let recording = settings.record_usage.then(|| Usage::open(&mut decisions));
        let (usage, recorder) = recording.unzip();
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::default(),
            commands,
            inputs,
            plugins_dir: catalog.dir().to_owned(),
            draining: AtomicBool::new(false),
            enforcer: enforcer(starter.launcher().memory_mode()),
            starter: Arc::new(starter),
            logs: Logs::open(&settings.logs),
            usage: usage.unwrap_or_default(),
            settings: settings.clone(),
            scheduler,
        });
        let engine = Self { shared: Arc::clone(&shared) };
        let scheduler = schedule::Turns::new(engine.clone(), settings.scheduler.clone(), wishes);
        let mut turns = Loop::new(Arc::clone(&shared), settings, decisions);
        // Before anybody can look, so that no plugin is ever unknown.
        turns.take(Input::Found(catalog.iter().cloned().collect()));
        if let Some(recorder) = recorder {
            shared.usage.runs(tokio::spawn(recorder.run(Arc::downgrade(&shared))));
        }
        let handle = tokio::spawn(async move {
            tokio::select! {
                () = turns.run(command_queue, input_queue) => {}
                never = scheduler.run() => match never {},
            }
        });
        (engine, handle)
    }

    /// All plugins, as they are now. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// What plugins said.
    pub fn logs(&self) -> &Logs {
        &self.shared.logs
    }

    /// What calls of an instance used, under each of its configurations, the one that was used last first.
    pub fn usage(&self, instance: &str) -> Vec<UsageRecord> {
        self.shared.usage.records(instance)
    }

    /// Calls whose use was not recorded, because too many ended at once.
    pub fn usage_dropped(&self) -> u64 {
        self.shared.usage.dropped()
    }

    /// The plugin of this name.
    pub fn plugin(&self, name: &str) -> Result<Arc<PluginView>, Refusal> {
        self.shared.snapshot.load().plugins.get(name).cloned().ok_or_else(|| self.unknown(name))
    }

    pub(crate) fn unknown(&self, name: &str) -> Refusal {
        let known = self.snapshot().plugins.keys().cloned().collect();
        Refusal::UnknownPlugin { name: name.to_owned(), known }
    }

    /// The plugin of this name. It may have come, moved, or lost its namesake since the folder was last read.
    pub(crate) async fn plugin_to_be_loaded(&self, name: &str) -> Result<Arc<PluginView>, Refusal> {
        if self.plugin(name).map_or(true, |plugin| plugin.is_conflicting) {
            self.look_for_new_plugins().await?;
        }
        self.plugin(name)
    }

    /// Does something with a plugin and waits for at most `patience` until it is done. Whether it is allowed to take
    /// calls, and whether it is unloaded, is on disk when this returns, whatever the patience.
    pub async fn ask(&self, name: &str, verb: Verb, patience: Duration) -> Result<Answer, Refusal> {
        if self.is_draining() {
            return Err(Refusal::Stopping);
        }
        let plugin = match verb {
            Verb::Load => self.plugin_to_be_loaded(name).await?,
            Verb::Restart if self.plugin(name)?.is_conflicting => self.plugin_to_be_loaded(name).await?,
            Verb::Restart | Verb::Unload | Verb::Enable | Verb::Disable | Verb::Prefetch => {
                self.plugin(name)?
            }
        };
        let ask = match verb {
            Verb::Load => Ask::Load,
            Verb::Unload => Ask::Unload,
            Verb::Restart => Ask::Restart,
            Verb::Enable => Ask::Enable(true),
            Verb::Disable => Ask::Enable(false),
            Verb::Prefetch => return self.prefetch(plugin, patience).await,
        };
        let (wish, (kept, done, heard)) = wish(name, ask);
        self.command(Input::Asked(wish))?;
        // A further instance may be unloaded meanwhile.
        let lost = |_| self.plugin(name).err().unwrap_or(Refusal::Stopping);
        kept.await.map_err(lost)?.map_err(Refusal::Store)?;
        let settled = async {
            let _ = done.await;
            // Dropped by whoever has nothing to hear.
            heard.await.unwrap_or(Ok(()))
        };
        let done = match tokio::time::timeout(patience, settled).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => return Err(Refusal::Hook(Box::new(error))),
            Err(_) => false,
        };
        // A further instance that was unloaded is not there any more.
        let plugin = self.plugin(name).or_else(|refusal| match verb {
            Verb::Unload => Ok(Arc::new(plugin.ended())),
            Verb::Load | Verb::Restart | Verb::Enable | Verb::Disable | Verb::Prefetch => Err(refusal),
        });
        Ok(Answer { plugin: plugin?, done })
    }

    /// Lets a plugin have a fresh worker, if it still has the one of this incarnation; its calls end first. Returns when
    /// it is up, or cannot be.
    pub(crate) async fn renew(&self, plugin: String, incarnation: u64) {
        let (done, renewed) = oneshot::channel();
        // A host that is too busy to hear it has a retry without it.
        if self.command(Input::Renew { life: LifeId { plugin, incarnation }, done }).is_ok() {
            // Dropped when it has another one already.
            let _ = tokio::time::timeout(RENEW_PATIENCE, renewed).await;
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

    /// Waits for at most `patience` until a plugin is neither starting nor stopping.
    pub async fn until_settled(&self, name: &str, patience: Duration) {
        let settled = async {
            while self.plugin(name).is_ok_and(|plugin| plugin.is_on_its_way()) {
                tokio::time::sleep(SETTLE_LOOK).await;
            }
        };
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// Stops every worker in order, and returns when no process is left.
    pub async fn stop(&self) {
        self.drain();
        let (stopped, done) = oneshot::channel();
        if self.shared.commands.send(Command::Stop(stopped)).await.is_ok() {
            let _ = done.await;
        }
        self.shared.usage.stop().await;
        self.shared.starter.launcher().all_gone().await;
        self.shared.logs.settled(LOGS_PATIENCE).await;
    }

    /// What starts every process.
    pub(crate) fn launcher(&self) -> &Launcher {
        self.shared.starter.launcher()
    }

    pub(crate) fn command(&self, input: Input<Worker>) -> Result<(), Refusal> {
        self.shared.commands.try_send(Command::Input(Box::new(input))).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Refusal::HostBusy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })
    }

    /// Something that need not be kept. Whether it is done within `patience`; if not, it goes on.
    pub(crate) async fn wish_for(&self, plugin: &str, ask: Ask, patience: Duration) -> Result<bool, Refusal> {
        let (wish, (_, done, _)) = wish(plugin, ask);
        self.command(Input::Asked(wish))?;
        Ok(tokio::time::timeout(patience, done).await.is_ok())
    }

    /// The same for whoever does not want to know.
    pub(crate) fn wish_without_waiting(&self, plugin: &str, ask: Ask) -> Result<(), Refusal> {
        self.command(Input::Asked(wish(plugin, ask).0))
    }

    /// Where the secrets of plugins are kept.
    pub(crate) fn secret_store(&self) -> &SecretStore {
        self.shared.starter.secrets()
    }

    async fn look_for_new_plugins(&self) -> Result<(), Refusal> {
        let dir = self.shared.plugins_dir.clone();
        let read = tokio::task::spawn_blocking(move || Catalog::read(&dir)).await;
        let Ok(Ok(catalog)) = read else { return Ok(()) };
        let (nobody, (_, seen, _)) = wish("", Ask::Load);
        self.command(Input::Found(catalog.iter().cloned().collect()))?;
        // Commands are taken in order: when this one is answered, the one before is done.
        self.command(Input::Asked(nobody))?;
        let _ = seen.await;
        Ok(())
    }

    async fn prefetch(&self, mut plugin: Arc<PluginView>, patience: Duration) -> Result<Answer, Refusal> {
        if plugin.rests() {
            self.wish_for(&plugin.name, Ask::Load, patience).await?;
            plugin = self.plugin(&plugin.name)?;
        }
        let Some(worker) = plugin.worker.clone().filter(|_| plugin.state.takes_calls()) else {
            return Err(Refusal::of(&plugin));
        };
        let name = plugin.name.clone();
        match tokio::time::timeout(patience, worker.hook(Hook::Prefetch)).await {
            Ok(Ok(Ok(_))) => Ok(Answer { plugin: self.plugin(&name)?, done: true }),
            Ok(Ok(Err(error))) => Err(Refusal::Hook(Box::new(error))),
            Ok(Err(lost)) => Err(Refusal::Hook(Box::new(lost.to_job_error(&name)))),
            Err(_) => Ok(Answer { plugin: self.plugin(&name)?, done: false }),
        }
    }
}

/// Where somebody is told that his wish is on disk, that it is done, and that the worker has heard of it.
type Told = (
    oneshot::Receiver<Result<(), StoreError>>,
    oneshot::Receiver<()>,
    oneshot::Receiver<Result<(), JobError>>,
);

/// A wish, and where it is told how far it is.
fn wish(plugin: &str, ask: Ask) -> (Wish, Told) {
    let ((kept, on_disk), (settled, done), (heard, told)) =
        (oneshot::channel(), oneshot::channel(), oneshot::channel());
    (Wish { plugin: plugin.to_owned(), ask, kept, settled, heard }, (on_disk, done, told))
}

fn enforcer(mode: &MemoryMode) -> MemoryEnforcer {
    match mode {
        MemoryMode::CgroupV2(_) => MemoryEnforcer::CgroupV2,
        MemoryMode::CgroupV1(_) => MemoryEnforcer::CgroupV1,
        MemoryMode::Sampler => MemoryEnforcer::Sampler,
    }
}
