//! What an operator decides about all plugins, and about single ones.
//!
//! Plain data, filled in from the configuration; owns nothing at run time.

use crate::limits::STOP_GRACE;
use crate::logs::LogSettings;
use crate::schedule::SchedulerSettings;
use hardpoint_model::TracebackPolicy;
use hardpoint_model::plugin_config::UnknownKeys;
use hardpoint_model::restart::{FailOn, Restart};
use std::collections::BTreeMap;
use std::time::Duration;

/// How the engine treats plugins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When ended plugins are started again.
    pub restart: Restart,
    /// Which failures of a call take a plugin down.
    pub fail_on: FailOn,
    /// How much of an exception is told with the failure of a call.
    pub traceback_policy: TracebackPolicy,
    /// How often workers are asked for a sign of life.
    pub ping_every: Duration,
    /// A worker that leaves a ping unanswered for this long is shown as unresponsive.
    pub unresponsive_after: Duration,
    /// A call that keeps the main thread for longer is shown as stuck.
    pub stuck_after: Duration,
    /// A worker without calls that is unresponsive for this long is ended and its plugin FAILED.
    pub kill_idle_after: Duration,
    /// How many plugins are started at once.
    pub starts_at_once: usize,
    /// How long a stopped worker may finish its calls.
    pub stop_grace: Duration,
    /// How logs are kept.
    pub logs: LogSettings,
    /// Whether it is measured and remembered what calls use.
    pub record_usage: bool,
    /// Whether it is told when the schema of a plugin's configuration is another one than it was.
    pub drift_detection: bool,
    /// Which calls begin when memory is short.
    pub scheduler: SchedulerSettings,
    /// What is different for single plugins, by name.
    pub plugins: BTreeMap<String, PluginSettings>,
}

/// What is different for one plugin.
#[derive(Debug, Clone, Default)]
pub struct PluginSettings {
    /// Whether calls are allowed from the start.
    pub enabled: Option<bool>,
    /// Instead of the general one.
    pub restart: Option<Restart>,
    /// Instead of the general one.
    pub fail_on: Option<FailOn>,
    /// Instead of the general one.
    pub traceback_policy: Option<TracebackPolicy>,
    /// What becomes of keys of its configuration that its schema does not know.
    pub unknown_keys: UnknownKeys,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            fail_on: FailOn::default(),
            traceback_policy: TracebackPolicy::default(),
            ping_every: Duration::from_millis(500),
            unresponsive_after: Duration::from_secs(1),
            stuck_after: Duration::from_secs(10),
            kill_idle_after: Duration::from_secs(30),
            starts_at_once: 4,
            stop_grace: STOP_GRACE,
            logs: LogSettings::default(),
            record_usage: true,
            drift_detection: true,
            scheduler: SchedulerSettings::default(),
            plugins: BTreeMap::new(),
        }
    }
}

impl Settings {
    pub(crate) fn restart_of(&self, plugin: &str) -> &Restart {
        self.plugins.get(plugin).and_then(|own| own.restart.as_ref()).unwrap_or(&self.restart)
    }

    pub(crate) fn fail_on_of(&self, plugin: &str) -> FailOn {
        self.plugins.get(plugin).and_then(|own| own.fail_on).unwrap_or(self.fail_on)
    }

    pub(crate) fn traceback_policy_of(&self, plugin: &str) -> TracebackPolicy {
        self.plugins.get(plugin).and_then(|own| own.traceback_policy).unwrap_or(self.traceback_policy)
    }

    pub(crate) fn unknown_keys_of(&self, plugin: &str) -> UnknownKeys {
        self.plugins.get(plugin).map(|own| own.unknown_keys).unwrap_or_default()
    }

    pub(crate) fn enabled(&self, plugin: &str) -> bool {
        self.plugins.get(plugin).and_then(|own| own.enabled).unwrap_or(true)
    }
}
