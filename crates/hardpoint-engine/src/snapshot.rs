//! What is published about all plugins: read by everybody, never waited for.
//!
//! Owns the translation of the registry into health. Must not ask a worker anything.

use crate::activity::Activity;
use crate::catalog::Installed;
use crate::config::ConfigView;
use crate::start::StartError;
use hardpoint_model::health::{Life, Liveness, PluginDetail, PluginHealth, StartTimes};
use hardpoint_model::plugin_config::Object;
use hardpoint_model::{ExitReason, Manifest, MemoryEnforcer, PluginEvent, PluginState};
use hardpoint_supervisor::{Captured, Tool, Worker};
use hardpoint_wire::{PluginId, ToolInfo};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The dialect of plugins that were written for this host.
const NATIVE: &str = "native";

/// All plugins at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts up with every change.
    pub version: u64,
    /// Every instance, by id: the default ones by the name of their plugin.
    pub plugins: BTreeMap<String, Arc<PluginView>>,
}

impl Snapshot {
    /// The default instances: each plugin once.
    pub fn defaults(&self) -> impl Iterator<Item = &Arc<PluginView>> {
        self.plugins.values().filter(|plugin| plugin.is_default())
    }
}

/// One instance of a plugin as it was when the snapshot was made; its counts are live.
#[derive(Debug, Clone)]
pub struct PluginView {
    /// Its name: the id of the instance, which of the default one is the name of the plugin.
    pub name: String,
    /// The plugin that it is an instance of.
    pub plugin: String,
    pub(crate) concurrency: Option<u32>,
    /// Its folder and manifest.
    pub installed: Arc<Installed>,
    /// Its state, apart from calls.
    pub(crate) state: PluginState,
    pub(crate) reason: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) incarnation: u64,
    pub(crate) enabled: bool,
    pub(crate) starting: Option<String>,
    pub(crate) stopping: bool,
    pub(crate) is_conflicting: bool,
    pub(crate) ready_at: Option<Instant>,
    pub(crate) exit_reason: Option<ExitReason>,
    pub(crate) start_error: Option<Arc<StartError>>,
    pub(crate) restarts: u64,
    pub(crate) restart_attempts: u32,
    pub(crate) restart_at: Option<Timestamp>,
    pub(crate) history: Vec<Life>,
    pub(crate) times: Option<StartTimes>,
    pub(crate) worker: Option<Worker>,
    /// The worker that makes room for another instance, until there is another one.
    pub(crate) made_room: Option<Worker>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) output: Captured,
    pub(crate) enforcer: MemoryEnforcer,
    pub(crate) config: Arc<ConfigView>,
    pub(crate) facts: Option<Arc<Object>>,
}

impl PluginView {
    /// Its state, calls included.
    pub fn state(&self) -> PluginState {
        if self.activity.in_flight() == 0 {
            return self.state;
        }
        self.state.next(PluginEvent::CallsBegan).unwrap_or(self.state)
    }

    /// Whether calls are allowed.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether it could take a call right now, if it is enabled.
    pub(crate) fn takes_calls(&self) -> bool {
        self.state.takes_calls() && !self.stopping
    }

    /// Whether a call would be taken: it is up, or a call brings it up.
    pub fn answers(&self) -> bool {
        self.takes_calls() || self.rests()
    }

    /// Whether it makes room for another instance, or has, and is not up again: its next call sees to that.
    pub(crate) fn rests(&self) -> bool {
        self.made_room.is_some()
    }

    /// Whether it is being started or stopped.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.starting.is_some() || self.stopping
    }

    /// Whether it is down and nothing goes on by itself that would change it.
    pub fn stays_down(&self) -> bool {
        !self.answers() && !self.is_on_its_way() && self.restart_at.is_none()
    }

    /// Its manifest, if it can be read.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.installed.manifest.as_ref().ok()
    }

    /// Its configuration.
    pub fn config(&self) -> &ConfigView {
        &self.config
    }

    /// What its last worker said that only those who know its dialect look at; `None` before the first has said anything.
    pub fn facts(&self) -> Option<&Object> {
        self.facts.as_deref()
    }

    /// What its worker announced; empty while it is not ready.
    pub fn tools(&self) -> Vec<&ToolInfo> {
        self.announcer().into_iter().flat_map(|worker| worker.tools().iter().map(|tool| &tool.info)).collect()
    }

    /// One of them, with its check of arguments; `None` also while it is not ready.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.announcer()?.tools().get(name)
    }

    /// Whether it is known which tools there are.
    pub fn knows_tools(&self) -> bool {
        self.announcer().is_some()
    }

    /// Who said which tools there are.
    fn announcer(&self) -> Option<&Worker> {
        self.worker.as_ref().or(self.made_room.as_ref())
    }

    /// The names of its tools.
    pub fn tool_names(&self) -> Vec<String> {
        self.tools().into_iter().map(|tool| tool.name.clone()).collect()
    }

    /// Why it takes no calls, in one sentence; `None` when it does.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Why its present life did not begin, if it did not.
    pub fn start_error(&self) -> Option<&Arc<StartError>> {
        self.start_error.as_ref()
    }

    /// How far its start is, while it is being started.
    pub fn starting(&self) -> Option<&str> {
        self.starting.as_deref()
    }

    /// Its worker, while it has one.
    pub fn worker(&self) -> Option<&Worker> {
        self.worker.as_ref()
    }

    /// The most memory that was ever measured during its calls, its worker and all that it started; 0: never measured.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.activity.memory_peak_bytes()
    }

    /// The same of a GPU.
    pub fn gpu_peak_bytes(&self) -> u64 {
        self.activity.gpu_peak_bytes()
    }

    /// Everything about its health.
    pub fn health(&self) -> PluginHealth {
        let activity = &self.activity;
        let (success_count, error_count) = activity.counts();
        let latency = activity.latency();
        let manifest = self.manifest();
        let (liveness, unresponsive_since, main_thread_stuck_since) = self.liveness();
        let own = |said: fn(&PluginId) -> &String| self.own_word(said);
        PluginHealth {
            name: self.name.clone(),
            plugin: self.plugin.clone(),
            state: self.state(),
            reason: self.reason.clone(),
            hint: self.hint.clone(),
            version: own(|plugin| &plugin.version)
                .or_else(|| manifest.map(|manifest| manifest.version.clone()))
                .unwrap_or_default(),
            description: own(|plugin| &plugin.description)
                .or_else(|| manifest.and_then(|manifest| manifest.description.clone()))
                .unwrap_or_default(),
            uptime_seconds: self.ready_at.map(|at| at.elapsed().as_secs_f64()),
            last_used: activity.last_used(),
            success_count,
            error_count,
            instance: self.name.clone(),
            incarnation: self.incarnation,
            pid: self.worker.as_ref().map(Worker::pid),
            exit_reason: self.exit_reason.clone(),
            restarts: self.restarts,
            restart_at: self.restart_at,
            enabled: self.enabled,
            starting: self.starting.clone(),
            calls_in_flight: activity.in_flight() + activity.waiting(),
            made_room: self.rests(),
            liveness,
            unresponsive_since,
            main_thread_stuck_since,
            last_execution_time_ms: latency.last,
            avg_execution_time_ms: latency.mean,
            p95_execution_time_ms: latency.p95,
            memory_limit_bytes: manifest.map(|manifest| manifest.limits.memory_mb << 20),
            memory_enforced_by: self.enforcer,
            missing_required: self.missing_required(),
        }
    }

    /// What its worker says of it. A plugin that was written for another host has its own word; our manifest says it for
    /// all others.
    fn own_word(&self, said: fn(&PluginId) -> &String) -> Option<String> {
        let foreign = self.manifest().is_some_and(|manifest| manifest.dialect != NATIVE);
        let word = self.worker.as_ref().filter(|_| foreign).map(|worker| said(&worker.ready().plugin));
        word.filter(|word| !word.is_empty()).cloned()
    }

    /// Health, and what one looks at a single plugin for.
    pub fn detail(&self) -> PluginDetail {
        PluginDetail {
            health: self.health(),
            dir: self.installed.dir.display().to_string(),
            tools: self.tool_names(),
            max_concurrent_requests: self.concurrency(),
            start_ms: self.times,
            restart_attempts: self.restart_attempts,
            history: self.history.clone(),
            config_hash: Some(self.config.hash.to_string()).filter(|hash| !hash.is_empty()),
            facts: self.facts().cloned(),
        }
    }

    fn liveness(&self) -> (Liveness, Option<Timestamp>, Option<Timestamp>) {
        if self.worker.is_none() {
            return (Liveness::None, None, None);
        }
        let silent = self.activity.unresponsive_since.get();
        // The call may have ended since the last sign of life told of it.
        let stuck = self.activity.stuck_since.get().filter(|_| self.activity.in_flight() > 0);
        let liveness = match (silent, stuck) {
            (Some(_), _) => Liveness::Unresponsive,
            (None, Some(_)) => Liveness::Stuck,
            (None, None) => Liveness::Live,
        };
        (liveness, silent, stuck)
    }
}
