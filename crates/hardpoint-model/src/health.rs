//! What the host says about a plugin: health and history. The bodies of the API.
//!
//! Owns field names and their JSON. Must not know how a figure is found.

use crate::exit::{ExitReason, MemoryEnforcer};
use crate::lifecycle::PluginState;
use crate::plugin_config::Object;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a worker gives signs of life, apart from what its plugin is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// There is no worker.
    None,
    /// Its I/O thread answered the last ping in time.
    Live,
    /// It answers, but one call has kept its main thread for longer than `health.stuck_seconds`.
    Stuck,
    /// Its I/O thread does not answer: it is stopped, or native code holds the interpreter.
    Unresponsive,
}

/// The health of one plugin. Every field is always present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginHealthResponse")]
pub struct PluginHealth {
    /// Its name: the id of the instance.
    pub name: String,
    /// The plugin that it is an instance of.
    #[serde(default)]
    pub plugin: String,
    /// Where in its incarnation it is.
    pub state: PluginState,
    /// Why it is FAILED or UNAVAILABLE; null in every other state.
    pub reason: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The version in its manifest, or of a plugin of another host its own; empty when it cannot be read.
    pub version: String,
    /// What it does, or empty.
    pub description: String,
    /// Seconds since this incarnation was ready; null while it is not.
    pub uptime_seconds: Option<f64>,
    /// When its last call ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_used: Option<Timestamp>,
    /// Calls that succeeded, over all incarnations since the host started.
    pub success_count: u64,
    /// Calls that failed, over all incarnations since the host started.
    pub error_count: u64,
    /// The instance, as in `name`; the plugin's name is that of the default one.
    pub instance: String,
    /// Which life of the instance this is, from 1.
    pub incarnation: u64,
    /// Process number of the worker.
    pub pid: Option<u32>,
    /// How the last worker of it ended; null when none has.
    pub exit_reason: Option<ExitReason>,
    /// How often it was restarted, by policy or by hand.
    pub restarts: u64,
    /// When the restart policy starts it again.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub restart_at: Option<Timestamp>,
    /// Whether calls are allowed.
    pub enabled: bool,
    /// What it is doing on its way to being ready; null when it is not on the way.
    pub starting: Option<String>,
    /// Calls it has right now, waiting ones included.
    pub calls_in_flight: u32,
    /// Whether it was ended to make room for another plugin, and is started again by its next call.
    #[serde(default)]
    pub made_room: bool,
    /// Whether its worker gives signs of life.
    pub liveness: Liveness,
    /// Since when its worker gave no sign of life.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub unresponsive_since: Option<Timestamp>,
    /// Since when one call has kept its main thread, once that is longer than `health.stuck_seconds`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub main_thread_stuck_since: Option<Timestamp>,
    /// How long the last call took, in milliseconds.
    pub last_execution_time_ms: Option<f64>,
    /// The mean of the last calls (at most 128), failures included, in milliseconds.
    pub avg_execution_time_ms: Option<f64>,
    /// What 95 of 100 of the same calls stayed below, in milliseconds.
    pub p95_execution_time_ms: Option<f64>,
    /// How much memory its worker's process tree may use; null when the manifest cannot be read.
    pub memory_limit_bytes: Option<u64>,
    /// Who enforces that on this machine.
    pub memory_enforced_by: MemoryEnforcer,
    /// Names of variables that the plugin says it cannot do without and that its worker was not given.
    #[serde(default)]
    pub missing_required: Vec<String>,
}

/// One incarnation that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Life {
    /// Its number, from 1.
    pub incarnation: u64,
    /// The state it ended in.
    pub state: PluginState,
    /// Why it ended.
    pub reason: Option<String>,
    /// How its worker ended; null when there was none.
    pub exit_reason: Option<ExitReason>,
    /// When it was begun.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When it ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub ended_at: Timestamp,
}

/// Everything about one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginDetail {
    /// Its health.
    #[serde(flatten)]
    pub health: PluginHealth,
    /// Its folder.
    pub dir: String,
    /// Names of its tools; empty while it is not ready.
    pub tools: Vec<String>,
    /// How many calls its worker runs at once; null when the manifest cannot be read.
    #[serde(default)]
    pub max_concurrent_requests: Option<u32>,
    /// How long its start took, in milliseconds, by step.
    pub start_ms: Option<StartTimes>,
    /// What started it again, or will.
    pub restart_attempts: u32,
    /// The incarnations that have ended, oldest first; at most 16.
    pub history: Vec<Life>,
    /// The hash of the configuration that its calls are made with; null while it has not told which schema that has.
    pub config_hash: Option<String>,
    /// What its last worker said that only its dialect has; null when that has nothing of the kind.
    pub facts: Option<Object>,
}

/// How long the steps of a start took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartTimes {
    /// Probes, and making the environment ready.
    pub prepare: f64,
    /// From spawn until the plugin was validated.
    pub worker: f64,
    /// The import of the plugin, as the worker measured it; part of `worker`.
    pub import: f64,
}
