//! One plugin in the registry: its life now, and those before.
//!
//! Owns the steps that every decision is made of. Must not know who asked.

use super::config::Configuration;
use super::instances::Presence;
use super::switch::Switch;
use super::{Beginning, Effect, LifeId, Now, Scene};
use crate::activity::Activity;
use crate::catalog::Installed;
use crate::limits::{HISTORY_MAX, REASON_BYTES_MAX};
use crate::start::StartError;
use hardpoint_model::health::{Life, StartTimes};
use hardpoint_model::plugin_config::Object;
use hardpoint_model::restart::{Attempts, Ended, RestartPolicy, Verdict};
use hardpoint_model::{ExitReason, JobError, PluginEvent, PluginState};
use hardpoint_store::PluginFlags;
use hardpoint_supervisor::Captured;
use hardpoint_wire::LogLevel;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What there is of a worker.
#[derive(Debug)]
pub(crate) enum Phase<W> {
    /// Nothing.
    Idle,
    /// A start is under way.
    Starting,
    /// It is ready.
    Up(W),
    /// It was asked to stop, and this follows.
    Stopping { worker: W, then: Then },
}

/// What follows the end of a worker that was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: the state says why.
    Rest,
    /// A new incarnation that waits to be loaded.
    Unload,
    /// A new incarnation that is started.
    Start,
    /// A new incarnation that its next call starts.
    Evicted,
}

/// Why a plugin is down, and what to do.
#[derive(Debug)]
pub(super) struct Why {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

pub(crate) struct Entry<W> {
    /// The id of the instance: of the default one, the name of its plugin.
    pub(crate) name: String,
    pub(crate) plugin: String,
    /// How many calls its worker runs at once, instead of what the manifest says.
    pub(crate) concurrency: Option<u32>,
    pub(super) presence: Presence,
    pub(crate) installed: Arc<Installed>,
    /// A second folder with the same name.
    pub(crate) conflict: Option<PathBuf>,
    pub(crate) state: PluginState,
    pub(crate) reason: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) incarnation: u64,
    /// The one it came with: those before are of another instance that was called so.
    pub(super) first: u64,
    pub(crate) phase: Phase<W>,
    pub(crate) enabled: bool,
    pub(super) switch: Switch,
    /// Somebody unloaded it.
    pub(crate) unloaded: bool,
    /// What is on disk of what somebody decided.
    pub(super) flags: PluginFlags,
    /// Decisions on their way to the disk.
    pub(super) being_kept: u32,
    pub(crate) configuration: Configuration,
    /// What its last worker said that only those who know its dialect look at.
    pub(crate) facts: Option<Arc<Object>>,
    /// Somebody asked for a restart that has not begun yet.
    pub(super) reload: bool,
    pub(crate) starting: Option<String>,
    pub(crate) ready_at: Option<Instant>,
    pub(crate) times: Option<StartTimes>,
    pub(crate) exit_reason: Option<ExitReason>,
    /// Why this life did not begin.
    pub(crate) start_error: Option<Arc<StartError>>,
    pub(crate) attempts: Attempts,
    pub(crate) restarts: u64,
    pub(crate) restart_at: Option<(Instant, Timestamp)>,
    pub(crate) history: VecDeque<Life>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) output: Captured,
    /// The worker that makes room for another instance, until there is another one or the plugin is down for another
    /// reason: for what it said of its tools.
    pub(crate) made_room: Option<W>,
    pub(crate) waiting: Vec<oneshot::Sender<()>>,
    begun_at: Timestamp,
}

impl<W> Phase<W> {
    pub(crate) fn worker(&self) -> Option<&W> {
        match self {
            Self::Up(worker) | Self::Stopping { worker, .. } => Some(worker),
            Self::Idle | Self::Starting => None,
        }
    }
}

impl<W: Clone> Entry<W> {
    pub(super) fn new(
        installed: Installed,
        enabled: bool,
        flags: PluginFlags,
        output: Captured,
        now: Now,
    ) -> Self {
        Self {
            name: installed.name().to_owned(),
            plugin: installed.name().to_owned(),
            concurrency: None,
            presence: Presence::There,
            installed: Arc::new(installed),
            conflict: None,
            state: PluginState::Loaded,
            reason: None,
            hint: None,
            incarnation: 1,
            first: 1,
            phase: Phase::Idle,
            enabled,
            switch: Switch::new(enabled),
            unloaded: flags.unloaded,
            flags,
            being_kept: 0,
            configuration: Configuration::default(),
            facts: None,
            reload: false,
            starting: None,
            ready_at: None,
            times: None,
            exit_reason: None,
            start_error: None,
            attempts: Attempts::default(),
            restarts: 0,
            restart_at: None,
            history: VecDeque::new(),
            activity: Arc::default(),
            output,
            made_room: None,
            waiting: Vec::new(),
            begun_at: now.timestamp,
        }
    }

    pub(super) fn life(&self) -> LifeId {
        LifeId { plugin: self.name.clone(), incarnation: self.incarnation }
    }

    /// Whether nothing goes on by itself right now.
    pub(super) fn is_settled(&self) -> bool {
        match &self.phase {
            Phase::Idle | Phase::Up(_) => true,
            Phase::Starting | Phase::Stopping { .. } => false,
        }
    }

    /// Whether it is started when it is found. What was unloaded by hand stays so, but for one policy.
    pub(super) fn starts_by_itself(&self, policy: RestartPolicy) -> bool {
        let unloaded = self.unloaded && policy != RestartPolicy::Always;
        self.enabled && !unloaded && self.conflict.is_none()
    }

    pub(super) fn was_never_started(&self) -> bool {
        self.incarnation == 1
            && self.state == PluginState::Loaded
            && matches!(self.phase, Phase::Idle)
            && !self.unloaded
    }

    pub(super) fn is_due(&self, now: Now) -> bool {
        matches!(self.phase, Phase::Idle) && self.restart_at.is_some_and(|(at, _)| at <= now.instant)
    }

    pub(super) fn step(&mut self, step: String) {
        if matches!(self.phase, Phase::Starting) {
            self.starting = Some(step);
        }
    }

    /// Starts this life, or a new one when this one is over.
    pub(super) fn start(&mut self, scene: &mut Scene<'_, W>) {
        if self.state.is_final() {
            return self.start_anew(scene);
        }
        if self.conflict.is_some() {
            return self.conflicting(scene);
        }
        self.phase = Phase::Starting;
        self.unloaded = false;
        self.hint = None;
        self.starting = Some("waiting for its turn".to_owned());
        let (plugin, dir, output) = (self.plugin.clone(), self.installed.dir.clone(), self.output.clone());
        let unknown_keys = scene.settings.unknown_keys_of(&self.plugin);
        let (config, own) = self.config_to_begin_with(scene);
        let reload = std::mem::take(&mut self.reload);
        let beginning = Beginning { plugin, dir, output, config, own, unknown_keys, reload };
        scene.effects.push(Effect::Start(self.life(), beginning));
    }

    pub(super) fn start_anew(&mut self, scene: &mut Scene<'_, W>) {
        self.next_incarnation(Some("it was started again".to_owned()), scene);
        self.start(scene);
    }

    pub(super) fn restart_by_policy(&mut self, scene: &mut Scene<'_, W>) {
        self.restart_at = None;
        self.restarts += 1;
        let count = self.attempts.count;
        self.say(LogLevel::Info, &format!("it is started again by its restart policy (attempt {count})"));
        self.start_anew(scene);
    }

    /// Ends this incarnation for the history and begins the next, which is LOADED and not started.
    pub(super) fn next_incarnation(&mut self, reason: Option<String>, scene: &mut Scene<'_, W>) {
        self.history.push_back(Life {
            incarnation: self.incarnation,
            state: self.state,
            reason: self.reason.take().or(reason),
            exit_reason: self.exit_reason.clone(),
            started_at: self.begun_at,
            ended_at: scene.now.timestamp,
        });
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
        self.incarnation += 1;
        self.state = PluginState::Loaded;
        self.hint = None;
        self.starting = None;
        self.start_error = None;
        self.ready_at = None;
        self.times = None;
        self.begun_at = scene.now.timestamp;
        self.activity.unresponsive_since.set(None);
        self.activity.stuck_since.set(None);
    }

    pub(super) fn abort_start(&mut self, scene: &mut Scene<'_, W>) {
        scene.effects.push(Effect::AbortStart { plugin: self.name.clone() });
        self.phase = Phase::Idle;
        // What still comes from the old start is of another life.
        self.next_incarnation(Some("its start was given up".to_owned()), scene);
    }

    pub(super) fn stop(&mut self, then: Then, scene: &mut Scene<'_, W>) {
        let Phase::Up(worker) = &self.phase else { return };
        let worker = worker.clone();
        scene.effects.push(Effect::Stop { worker: worker.clone(), grace: scene.settings.stop_grace });
        self.phase = Phase::Stopping { worker, then };
    }

    /// The incarnation is over; the policy says whether another follows.
    pub(super) fn broke(&mut self, event: PluginEvent, why: Why, ended: Ended, scene: &mut Scene<'_, W>) {
        let Ok(state) = self.state.next(event) else { return };
        self.state = state;
        self.made_room = None;
        let healthy_for = self.ready_at.take().map(|at| scene.now.instant.saturating_duration_since(at));
        self.say(LogLevel::Error, &format!("it is {state}: {}", why.reason));
        self.reason = Some(cut(why.reason));
        self.hint = why.hint;
        if state != PluginState::Failed {
            return;
        }
        let settings = scene.settings.restart_of(&self.plugin);
        let (attempts, verdict) = self.attempts.next(settings, ended, healthy_for);
        self.attempts = attempts;
        match verdict {
            Verdict::Stay => {}
            Verdict::RestartAfter(wait) => {
                let at = scene.now.timestamp.checked_add(SignedDuration::try_from(wait).unwrap_or_default());
                let at = at.unwrap_or(scene.now.timestamp);
                self.restart_at = Some((scene.now.instant + wait, at));
            }
            Verdict::CrashLoop { attempts } => {
                let text = format!("it stays down: {attempts} restarts in a row did not help");
                self.say(LogLevel::Error, &text);
                self.reason = self.reason.take().map(|reason| cut(format!("{reason}; {text}")));
            }
        }
    }

    /// Another folder claims its name. What runs goes on; which of the two is meant has to be said before the next start.
    pub(super) fn meets_a_namesake(&mut self, scene: &mut Scene<'_, W>) {
        match (&self.phase, &self.conflict) {
            (Phase::Up(_), Some(other)) => {
                let text = format!(
                    "{} claims its name, too: it goes on, and will not be started again while both are there",
                    other.display()
                );
                self.say(LogLevel::Warning, &text);
            }
            (Phase::Up(_) | Phase::Idle | Phase::Starting | Phase::Stopping { .. }, _) => {
                self.conflicting(scene);
            }
        }
    }

    /// Two folders claim the same name: neither may be started.
    fn conflicting(&mut self, scene: &mut Scene<'_, W>) {
        let (one, other) =
            (self.installed.dir.display(), self.conflict.as_deref().unwrap_or(&self.installed.dir));
        let reason = format!("two plugins are called `{}`: {one} and {}", self.plugin, other.display());
        let hint = format!(
            "remove one of them, or give it another `name` in its hardpoint.toml; then `hardpoint plugin restart {}`",
            self.name
        );
        let why = Why { reason, hint: Some(hint) };
        if matches!(self.phase, Phase::Starting) {
            self.abort_start(scene);
        }
        self.broke(PluginEvent::Broke, why, Ended::Finished, scene);
        self.restart_at = None;
        self.stop(Then::Rest, scene);
    }

    /// Writes into the plugin's own log.
    pub(super) fn say(&self, level: LogLevel, text: &str) {
        let (name, incarnation) = (&self.name, self.incarnation);
        match level {
            LogLevel::Debug => tracing::debug!(plugin = name, incarnation, "{text}"),
            LogLevel::Info => tracing::info!(plugin = name, incarnation, "{text}"),
            LogLevel::Warning | LogLevel::Error => tracing::warn!(plugin = name, incarnation, "{text}"),
        }
        self.output.say(incarnation, None, level, text);
    }
}

impl Why {
    pub(super) fn of_exit(plugin: &str, instance: &str, exit: &ExitReason) -> Self {
        let hint = match exit {
            ExitReason::MemoryLimit { .. } | ExitReason::OutOfMemory { .. } => format!(
                "raise `memory_mb` under `[limits]` in {plugin}/hardpoint.toml, then `hardpoint plugin restart {instance}`"
            ),
            ExitReason::Deadline { .. } => format!(
                "if it needs longer, raise `timeout_seconds` under `[limits]` in {plugin}/hardpoint.toml, \
                 then `hardpoint plugin restart {instance}`"
            ),
            ExitReason::ExitCode { .. }
            | ExitReason::Signal { .. }
            | ExitReason::Cancelled { .. }
            | ExitReason::StartupTimeout { .. }
            | ExitReason::ProtocolViolation { .. }
            | ExitReason::OwnStop
            | ExitReason::HostLost
            | ExitReason::ShimLost => look_at_the_log(instance),
        };
        Self { reason: format!("plugin `{instance}`: its worker {exit}"), hint: Some(hint) }
    }

    pub(super) fn of_call(plugin: &str, tool: &str, error: &JobError) -> Self {
        let reason =
            format!("plugin `{plugin}`: tool `{tool}` failed: {}: {}", error.error_type, error.message);
        Self { reason, hint: Some(look_at_the_log(plugin)) }
    }

    pub(super) fn hung(plugin: &str, silent_for: Duration) -> Self {
        let reason = format!(
            "plugin `{plugin}`: its worker gave no sign of life for {:.0} s",
            silent_for.as_secs_f64()
        );
        Self { reason, hint: Some(look_at_the_log(plugin)) }
    }
}

fn look_at_the_log(plugin: &str) -> String {
    format!(
        "`hardpoint plugin logs {plugin}` shows what it said; `hardpoint plugin restart {plugin}` starts it again"
    )
}

fn cut(mut text: String) -> String {
    if text.len() > REASON_BYTES_MAX {
        text.truncate(text.floor_char_boundary(REASON_BYTES_MAX));
        text.push('…');
    }
    text
}
