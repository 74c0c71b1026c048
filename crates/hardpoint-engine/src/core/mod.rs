//! The decisions about all plugins.
//!
//! Owns the registry: which plugins there are, in which incarnation and state, and what is to follow. Pure in
//! this sense: an input and the time go in, effects come out. It never waits, reads or starts anything, and it
//! does not look into a worker `W`; it only hands it back.

mod asked;
mod config;
#[cfg(test)]
mod config_tests;
mod entry;
mod evict;
mod found;
mod instances;
mod switch;
#[cfg(test)]
mod tests;

pub(crate) use asked::{Change, Wish};
pub(crate) use config::{ConfigWish, KeepWhy};
pub(crate) use entry::{Entry, Phase};
pub(crate) use instances::Create;

use crate::activity::Activity;
use crate::catalog::Installed;
use crate::config::ConfigRefusal;
use crate::instance::{InstanceRefusal, Own};
use crate::logs::Logs;
use crate::settings::Settings;
use crate::start::StartError;
use config::ConfigAnswer;
use entry::{Then, Why};
use hardpoint_model::health::StartTimes;
use hardpoint_model::plugin_config::{Object, UnknownKeys};
use hardpoint_model::restart::Ended;
use hardpoint_model::{Exit, ExitReason, JobError, PluginEvent};
use hardpoint_store::{PluginConfig, PluginFlags, StoreError};
use hardpoint_supervisor::{Announced, Captured};
use hardpoint_wire::LogLevel;
use instances::{CreateAnswer, Departed, Presence};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use switch::Switch;
use tokio::sync::oneshot;

/// One life of one instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LifeId {
    /// The id of the instance: of the default one, the name of its plugin.
    pub(crate) plugin: String,
    pub(crate) incarnation: u64,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Load,
    Unload,
    Restart,
    /// A restart, if it runs: what it is given at its start is different now.
    Reload,
    Enable(bool),
}

/// How a start failed, as far as decisions go.
#[derive(Debug)]
pub(crate) struct StartFailed {
    pub(crate) event: PluginEvent,
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
    /// More than fits a reason, for the log: a traceback, or every mistake of a manifest.
    pub(crate) detail: Option<String>,
    pub(crate) exit: Option<ExitReason>,
    /// All of it, for whoever has to tell it in other words.
    pub(crate) error: Option<Arc<StartError>>,
}

/// A worker that is ready.
#[derive(Debug)]
pub(crate) struct Started<W> {
    pub(crate) worker: W,
    pub(crate) times: StartTimes,
    pub(crate) announced: Announced,
}

/// What a life is begun with.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) plugin: String,
    pub(crate) dir: PathBuf,
    pub(crate) output: Captured,
    /// What is set by hand in the configuration of the plugin.
    pub(crate) config: Object,
    pub(crate) own: Own,
    pub(crate) unknown_keys: UnknownKeys,
    /// Whether somebody asked for a restart.
    pub(crate) reload: bool,
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input<W> {
    /// Somebody asks for something.
    Asked(Wish),
    /// Somebody wants one more instance of a plugin.
    Create(Create),
    /// What was asked for is on disk, or is not.
    Kept { wish: Wish, change: Change, result: Result<(), StoreError> },
    /// Somebody wants another configuration.
    Configure(ConfigWish),
    /// The worker of a life has taken up another configuration, or has not.
    Reconfigured { life: LifeId, result: Result<(), JobError> },
    /// A configuration is on disk, or is not.
    ConfigKept { plugin: String, why: KeepWhy, result: Result<(), StoreError> },
    /// Folders that were found.
    Found(Vec<Installed>),
    /// A start is at this step.
    Step { life: LifeId, step: String },
    /// A start read the manifest anew.
    Read { life: LifeId, installed: Arc<Installed> },
    /// A start ended.
    Started { life: LifeId, result: Result<Started<W>, StartFailed> },
    /// The plugin of a life has no call, or had none a moment ago.
    Idle(LifeId),
    /// The worker of a life has heard whether calls are allowed, or has failed to.
    Heard { life: LifeId, result: Result<(), JobError> },
    /// A worker ended.
    Ended { life: LifeId, exit: Arc<Exit>, noted: Option<oneshot::Sender<()>> },
    /// A call ended with an exception.
    CallFailed { life: LifeId, tool: String, error: Box<JobError>, noted: oneshot::Sender<()> },
    /// A call of this life lacked resources, and is to be made again: its worker is to give back what it holds.
    Renew { life: LifeId, done: oneshot::Sender<()> },
    /// Another instance needs what the worker of this life holds; nothing happens if it has a call.
    Evict { life: LifeId, needy: String, done: oneshot::Sender<()> },
    /// A worker without calls has given no sign of life for this long.
    Hung { life: LifeId, silent_for: Duration },
}

/// What has to be done.
#[derive(Debug)]
pub(crate) enum Effect<W> {
    /// Start this life.
    Start(LifeId, Beginning),
    /// Give up the start of this plugin that is under way.
    AbortStart { plugin: String },
    /// Report the end and the signs of life of this worker.
    Watch { life: LifeId, worker: W, activity: Arc<Activity> },
    /// End the worker in order, and by force when this grace is over.
    Stop { worker: W, grace: Duration },
    /// End the worker now: it cannot hear a request.
    Kill(W),
    /// Keep this; the end comes back as [`Input::Kept`], in the order of these effects.
    Keep { wish: Wish, change: Change },
    /// Let the worker take up another configuration; the end comes back as [`Input::Reconfigured`].
    Reconfigure { life: LifeId, worker: W, old: Object, new: Object },
    /// Report when there is no call: [`Input::Idle`].
    AwaitIdle { life: LifeId, activity: Arc<Activity> },
    /// Tell the worker whether calls are allowed; the end comes back as [`Input::Heard`].
    Switch { life: LifeId, worker: W, enabled: bool },
    /// Keep this; the end comes back as [`Input::ConfigKept`], in the order of these effects.
    KeepConfig { plugin: String, config: PluginConfig, why: KeepWhy },
    /// Whoever wanted another configuration is told, once the snapshot is published.
    TellConfig(ConfigAnswer, Result<Vec<String>, ConfigRefusal>),
    /// Whoever wanted one more instance is told, once the snapshot is published.
    TellCreated(CreateAnswer, Result<(String, bool), InstanceRefusal>),
    /// Whoever waits for the disk is told, once the snapshot is published.
    TellKept(oneshot::Sender<Result<(), StoreError>>, Result<(), StoreError>),
    /// Whoever waits may go on, once the snapshot is published.
    Tell(oneshot::Sender<()>),
}

pub(crate) struct Core<W> {
    settings: Settings,
    /// Whether decisions are kept at all.
    keeps: bool,
    /// What earlier hosts were told.
    flags: BTreeMap<String, PluginFlags>,
    configs: BTreeMap<String, PluginConfig>,
    logs: Logs,
    entries: BTreeMap<String, Entry<W>>,
    departed: Departed,
    effects: Vec<Effect<W>>,
    changed: Vec<String>,
}

/// The present, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), timestamp: Timestamp::now() }
    }
}

impl<W: Clone> Core<W> {
    pub(crate) fn new(
        settings: Settings,
        keeps: bool,
        (flags, configs): (BTreeMap<String, PluginFlags>, BTreeMap<String, PluginConfig>),
        logs: Logs,
    ) -> Self {
        let (entries, departed, effects, changed) =
            (BTreeMap::new(), Departed::default(), Vec::new(), Vec::new());
        Self { settings, keeps, flags, configs, logs, entries, departed, effects, changed }
    }

    pub(crate) fn take_effects(&mut self) -> Vec<Effect<W>> {
        std::mem::take(&mut self.effects)
    }

    /// The entries that are not as they were when this was last asked; `None`: it is gone.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, Option<&Entry<W>>)> {
        let mut names = std::mem::take(&mut self.changed);
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name.clone(), self.entries.get(&name))).collect()
    }

    pub(crate) fn on(&mut self, input: Input<W>, now: Now) {
        match input {
            Input::Found(found) => self.register(found, now),
            Input::Asked(wish) => self.asked(wish, now),
            Input::Create(create) => self.create(create, now),
            Input::Kept { wish, change, result } => self.kept(wish, change, result, now),
            Input::Configure(wish) => self.configure(wish, now),
            Input::Reconfigured { life, result } => self.reconfigured(&life, result, now),
            Input::ConfigKept { plugin, why, result } => self.config_kept(&plugin, why, result, now),
            Input::Step { life, step } => self.of(&life, |entry, _| entry.step(step), now),
            Input::Read { life, installed } => {
                self.of(&life, |entry, scene| entry.read(installed, scene), now);
            }
            Input::Started { life, result } => match result {
                Ok(started) => self.of(&life, |entry, scene| entry.started(started, scene), now),
                Err(failed) => self.of(&life, |entry, scene| entry.start_failed(failed, scene), now),
            },
            Input::Idle(life) => self.of(&life, Entry::is_idle, now),
            Input::Heard { life, result } => self.heard(&life, &result, now),
            Input::Ended { life, exit, noted } => {
                self.of(&life, |entry, scene| entry.worker_ended(&exit, scene), now);
                self.effects.extend(noted.map(Effect::Tell));
            }
            Input::CallFailed { life, tool, error, noted } => {
                self.of(&life, |entry, scene| entry.call_failed(&tool, &error, scene), now);
                self.effects.push(Effect::Tell(noted));
            }
            Input::Renew { life, done } => self.of(&life, |entry, scene| entry.renew(done, scene), now),
            Input::Evict { life, needy, done } => {
                self.of(&life, |entry, scene| entry.evict(&needy, done, scene), now);
            }
            Input::Hung { life, silent_for } => {
                self.of(&life, |entry, scene| entry.hung(silent_for, scene), now);
            }
        }
    }

    /// Restarts that are due.
    pub(crate) fn on_tick(&mut self, now: Now) {
        let due: Vec<String> =
            self.entries.values().filter(|entry| entry.is_due(now)).map(|entry| entry.name.clone()).collect();
        for name in due {
            self.with(&name, Entry::restart_by_policy, now);
        }
    }

    /// Lets every worker go, for the end of the host, which is no fault of theirs; and whoever still waits. The
    /// workers that can hear it are to be stopped, the others to be killed.
    pub(crate) fn close(&mut self) -> (Vec<W>, Vec<W>) {
        let (mut stopped, mut killed) = (Vec::new(), Vec::new());
        for entry in self.entries.values_mut() {
            self.effects.extend(entry.waiting.drain(..).map(Effect::Tell));
            let Some(worker) = entry.phase.worker().cloned() else { continue };
            entry.phase = Phase::Stopping { worker: worker.clone(), then: Then::Rest };
            let deaf = entry.activity.unresponsive_since.get().is_some();
            if deaf { killed.push(worker) } else { stopped.push(worker) }
        }
        (stopped, killed)
    }

    /// Does something with the entry of a life, if that life is the present one.
    fn of(&mut self, life: &LifeId, decide: impl FnOnce(&mut Entry<W>, &mut Scene<'_, W>), now: Now) {
        if self.entries.get(&life.plugin).is_some_and(|entry| entry.incarnation == life.incarnation) {
            self.with(&life.plugin, decide, now);
        }
    }

    fn with(&mut self, plugin: &str, decide: impl FnOnce(&mut Entry<W>, &mut Scene<'_, W>), now: Now) {
        let Some(entry) = self.entries.get_mut(plugin) else { return };
        let (settings, configs, effects) = (&self.settings, &self.configs, &mut self.effects);
        let mut scene = Scene { settings, configs, now, effects };
        decide(entry, &mut scene);
        if entry.is_settled() {
            scene.effects.extend(entry.waiting.drain(..).map(Effect::Tell));
        }
        self.changed.push(plugin.to_owned());
        if entry.presence == Presence::Gone {
            self.let_go(plugin);
        }
    }

    fn scene(&mut self, now: Now) -> Scene<'_, W> {
        Scene { settings: &self.settings, configs: &self.configs, now, effects: &mut self.effects }
    }
}

/// What a decision about one entry may use.
pub(crate) struct Scene<'a, W> {
    pub(crate) settings: &'a Settings,
    /// What is set by hand for plugins.
    pub(crate) configs: &'a BTreeMap<String, PluginConfig>,
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Vec<Effect<W>>,
}

impl<W: Clone> Entry<W> {
    fn read(&mut self, installed: Arc<Installed>, scene: &mut Scene<'_, W>) {
        self.installed = installed;
        self.look_at_config(scene);
    }

    fn started(&mut self, started: Started<W>, scene: &mut Scene<'_, W>) {
        let Started { worker, times, announced } = started;
        self.starting = None;
        // A start that was given up is not of this life any more; one that comes twice cannot be.
        let Ok(state) = self.state.next(PluginEvent::Initialized) else { return };
        self.state = state;
        self.ready_at = Some(scene.now.instant);
        self.times = Some(times);
        self.unloaded = false;
        self.made_room = None;
        self.say(LogLevel::Info, "it is ready");
        let (life, activity) = (self.life(), Arc::clone(&self.activity));
        self.phase = Phase::Up(worker.clone());
        self.switch = Switch::new(self.enabled);
        scene.effects.push(Effect::Watch { life, worker, activity });
        self.announced(announced, scene);
        self.begins_with_config(scene);
    }

    /// A worker has said this of its plugin, whatever became of it afterwards.
    fn announced(&mut self, announced: Announced, scene: &mut Scene<'_, W>) {
        self.facts = announced.facts;
        self.told_of_config(announced.config_schema, scene);
    }

    fn start_failed(&mut self, failed: StartFailed, scene: &mut Scene<'_, W>) {
        let StartFailed { event, reason, hint, detail, exit, error } = failed;
        if let Some(StartError::Worker(failure)) = error.as_deref()
            && let Some(announced) = failure.announced.clone()
        {
            self.announced(announced, scene);
        }
        self.starting = None;
        self.phase = Phase::Idle;
        if let Some(detail) = detail {
            self.say(LogLevel::Error, &detail);
        }
        let ended = ended_as(exit.as_ref());
        self.exit_reason = exit;
        self.start_error = error;
        self.broke(event, Why { reason, hint }, ended, scene);
    }

    fn worker_ended(&mut self, exit: &Exit, scene: &mut Scene<'_, W>) {
        self.starting = None;
        self.switch = Switch::new(self.enabled);
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            // Somebody lost interest in a call that would not stop: no fault of the plugin's that counts.
            Phase::Up(_) if matches!(exit.reason, ExitReason::Cancelled { .. }) => {
                self.exit_reason = Some(exit.reason.clone());
                self.restarts += 1;
                self.say(LogLevel::Warning, &format!("its worker {exit}; it is started again"));
                self.next_incarnation(Some(format!("its worker {exit}")), scene);
                self.start(scene);
            }
            Phase::Up(_) => {
                self.exit_reason = Some(exit.reason.clone());
                let why = Why::of_exit(&self.plugin, &self.name, &exit.reason);
                self.broke(PluginEvent::Broke, why, ended_as(Some(&exit.reason)), scene);
            }
            Phase::Stopping { then, .. } => {
                self.exit_reason = Some(exit.reason.clone());
                match then {
                    Then::Rest => {}
                    Then::Unload => {
                        self.say(LogLevel::Info, "it is unloaded");
                        self.next_incarnation(Some("it was unloaded".to_owned()), scene);
                        self.rest_unloaded();
                    }
                    Then::Start => self.start_anew(scene),
                    Then::Evicted => self.evicted(scene),
                }
            }
            phase @ (Phase::Idle | Phase::Starting) => self.phase = phase,
        }
    }

    fn call_failed(&mut self, tool: &str, error: &JobError, scene: &mut Scene<'_, W>) {
        if !scene.settings.fail_on_of(&self.plugin).includes(error.category) {
            return;
        }
        let why = Why::of_call(&self.name, tool, error);
        self.broke(PluginEvent::Broke, why, Ended::Failed, scene);
        self.stop(Then::Rest, scene);
    }

    fn renew(&mut self, done: oneshot::Sender<()>, scene: &mut Scene<'_, W>) {
        if matches!(self.phase, Phase::Up(_)) {
            self.waiting.push(done);
            self.restarts += 1;
            self.say(LogLevel::Info, "a call lacked resources: it gets a fresh worker before the next try");
            self.stop(Then::Start, scene);
        }
    }

    fn hung(&mut self, silent_for: Duration, scene: &mut Scene<'_, W>) {
        let why = Why::hung(&self.name, silent_for);
        self.broke(PluginEvent::Broke, why, Ended::Failed, scene);
        if let Phase::Up(worker) = &self.phase {
            scene.effects.push(Effect::Kill(worker.clone()));
            self.phase = Phase::Stopping { worker: worker.clone(), then: Then::Rest };
        }
    }
}

/// A worker that says goodbye by itself with code 0 did not fail.
fn ended_as(exit: Option<&ExitReason>) -> Ended {
    if matches!(exit, Some(ExitReason::ExitCode { code: 0 })) { Ended::Finished } else { Ended::Failed }
}
