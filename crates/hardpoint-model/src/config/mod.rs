//! Owns `hardpoint.yaml`: what an operator decides about a host, and where each of these values came from.
//! Knows neither files nor the environment: their content is passed in.
//!
//! ```text
//! command line  >  environment HARDPOINT_*  >  file  >  defaults      each a layer of the same keys
//! ```
//!
//! One JSON Schema, generated from these types, checks every layer and completes the file in editors
//! (`docs/reference/config.schema.json`).

mod formats;
mod layers;
mod names;
mod parse;
mod scheduler;
mod text;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TracebackPolicy;
use crate::job::OnHostLoss;
use crate::limits::{
    BODY_MB_MAX, EVENTS_KEPT_MAX, JOBS_PENDING_MAX, LOG_FILE_MB_MAX, LOG_FILES_MAX, REQUESTS_PER_SECOND_MAX,
    STARTS_AT_ONCE_MAX,
};
use crate::restart::{FailOn, Restart, RestartPolicy};
use crate::seconds::Seconds;

pub use layers::{Entry, Loaded, Origin};
pub use parse::{ConfigFile, Flag, Sources, load, schema};
pub use scheduler::{Scheduler, SchedulerPolicy};

/// How a host is set up. Every key may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(title = "Hardpoint configuration", deny_unknown_fields)]
pub struct Config {
    /// Address and port that the server listens on: `127.0.0.1:8700`. Port 0 takes a free one.
    #[schemars(with = "String", extend("format" = "listen-address"))]
    pub listen: SocketAddr,
    /// Folder for environments, tokens and other data; relative to the file. Without it: the user's data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 4096))]
    pub data_dir: Option<PathBuf>,
    /// Folder whose sub-folders are plugins; relative to the file. Without it: `examples/plugins` if it is there, else `plugins`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 4096))]
    pub plugins_dir: Option<PathBuf>,
    /// What the server logs: `warn`, `info`, `debug`, or by part: `info,hardpoint_env=debug`.
    #[schemars(length(min = 1, max = 1024))]
    pub log: String,
    /// Which failure of a call takes its plugin down.
    pub fail_on: FailOn,
    /// How much of an exception is told with the failure of a call.
    pub traceback_policy: TracebackPolicy,
    /// When and how a plugin that ended is started again.
    pub restart: Restart,
    /// How signs of life are looked for.
    pub health: Health,
    /// How plugins are started.
    pub load: Load,
    /// How the host ends.
    pub stop: Stop,
    /// Which calls begin when memory is short.
    pub scheduler: Scheduler,
    /// How jobs are treated.
    pub jobs: Jobs,
    /// Which events are kept.
    pub events: Events,
    /// How much of what plugins say is kept.
    pub logs: Logs,
    /// What is remembered of what calls use.
    pub usage: Usage,
    /// What the doors let in.
    pub http: Http,
    /// Whether it is told when the schema of a plugin's configuration is not the one that the configuration was set for.
    pub drift_detection: bool,
    /// What is different for single plugins, by name.
    #[schemars(extend("maxProperties" = 1024, "propertyNames" = {"format": "plugin-name"}))]
    pub plugins: BTreeMap<String, PluginConfig>,
}

/// How signs of life are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Health {
    /// How often a worker is asked for a sign of life, in seconds.
    pub ping_seconds: Seconds,
    /// A worker that leaves a ping unanswered for so long is shown as unresponsive, in seconds.
    pub unresponsive_seconds: Seconds,
    /// A call that keeps the main thread of its worker for longer is shown as stuck, in seconds.
    pub stuck_seconds: Seconds,
    /// A worker without calls that is unresponsive for so long is ended, and its plugin FAILED, in seconds.
    pub kill_idle_seconds: Seconds,
}

/// How plugins are started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Load {
    /// How many plugins are started at the same time.
    #[schemars(range(min = 1, max = STARTS_AT_ONCE_MAX))]
    pub starts_at_once: u32,
}

/// How the host ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Stop {
    /// How long requests in flight may take to end when the server stops, in seconds.
    pub drain_seconds: Seconds,
    /// How long a worker that is stopped may finish its calls, in seconds.
    pub grace_seconds: Seconds,
}

/// How jobs are treated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Jobs {
    /// How many jobs run at the same time, over all plugins.
    #[schemars(range(min = 1, max = 10_000))]
    pub running_max: u32,
    /// How many jobs wait or run; more are refused.
    #[schemars(range(min = 1, max = JOBS_PENDING_MAX))]
    pub pending_max: u32,
    /// How often a job that failed for a reason that may pass is tried again.
    #[schemars(range(min = 0, max = 100))]
    pub retries_max: u32,
    /// How often a job is begun at most, hosts that died under it included.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts_max: u32,
    /// What becomes of a job whose host died while it ran.
    pub on_host_loss: OnHostLoss,
    /// How long a cancelled call may take to stop before its worker is ended, in seconds.
    pub cancel_grace_seconds: Seconds,
    /// The longest wait before a retry, whatever the plugin asks for, in seconds.
    pub retry_wait_max_seconds: Seconds,
    /// How often it is measured what the worker of a running job uses, in seconds; 0: never.
    #[schemars(range(min = 0, max = 86_400))]
    pub snapshot_seconds: f64,
    /// How long what jobs brought is kept after their end, in days.
    #[schemars(range(min = 0, max = 36_500))]
    pub keep_outputs_days: u32,
    /// How much of it is kept altogether, in MiB: the newest.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub keep_outputs_mb: u64,
}

/// Which events are kept. Those of jobs that wait or run always are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Events {
    /// How many of the last events are kept.
    #[schemars(range(min = 1, max = EVENTS_KEPT_MAX))]
    pub max_count: u32,
    /// How old an event may get, in days.
    #[schemars(range(min = 1, max = 3650))]
    pub max_age_days: u32,
}

/// How much of what plugins say is kept, for each instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Logs {
    /// Size of one file, in MiB.
    #[schemars(range(min = 1, max = LOG_FILE_MB_MAX))]
    pub file_mb: u32,
    /// How many files there are; with the next one the oldest goes.
    #[schemars(range(min = 2, max = LOG_FILES_MAX))]
    pub files: u32,
}

/// What is remembered of what calls use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Usage {
    /// Whether it is measured and remembered, for each instance and configuration.
    pub record: bool,
}

/// What the doors let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Http {
    /// Names that a request may call this host by, besides those of the loopback interface and the address it listens on.
    #[schemars(length(max = 64), extend("items" = {"type": "string", "maxLength": 253, "format": "host-name"}))]
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages, besides the server's own, whose scripts may call: `https://app.example.com`.
    #[schemars(length(max = 64), extend("items" = {"type": "string", "maxLength": 512, "format": "origin"}))]
    pub allowed_origins: Vec<String>,
    /// Largest body of a request, in MiB.
    #[schemars(range(min = 1, max = BODY_MB_MAX))]
    pub body_mb_max: u32,
    /// Requests of one token in a second, on average; without it there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = REQUESTS_PER_SECOND_MAX))]
    pub requests_per_second: Option<u32>,
}

/// What is different for one plugin; what is not given here is as for all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct PluginConfig {
    /// Whether it is started and takes calls; somebody may enable it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// When and how it is started again.
    #[serde(skip_serializing_if = "RestartOfOne::is_empty")]
    pub restart: RestartOfOne,
    /// Which failure of a call takes it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FailOn")]
    pub fail_on: Option<FailOn>,
    /// How much of its exceptions is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TracebackPolicy")]
    pub traceback_policy: Option<TracebackPolicy>,
    /// Whether keys of its configuration that its schema does not know are refused; otherwise they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_config: Option<bool>,
}

/// When and how one plugin is started again; what is not given here is as for all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct RestartOfOne {
    /// When it is started again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RestartPolicy")]
    pub policy: Option<RestartPolicy>,
    /// The wait before each attempt, in seconds; the last one is used for all that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("items" = {"type": "number", "minimum": 0, "maximum": 86400}))]
    pub delays_seconds: Option<Vec<f64>>,
    /// How many attempts in a row, before it stays FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub attempts_max: Option<u32>,
    /// After this long without an end the attempts count from zero again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Seconds")]
    pub healthy_seconds: Option<Seconds>,
}

impl RestartOfOne {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The whole: what is given here, and the rest as for all.
    pub fn over(&self, all: &Restart) -> Restart {
        Restart {
            policy: self.policy.unwrap_or(all.policy),
            delays_seconds: self.delays_seconds.clone().unwrap_or_else(|| all.delays_seconds.clone()),
            attempts_max: self.attempts_max.unwrap_or(all.attempts_max),
            healthy_seconds: self.healthy_seconds.unwrap_or(all.healthy_seconds),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8700)),
            data_dir: None,
            plugins_dir: None,
            log: "info".to_owned(),
            fail_on: FailOn::default(),
            traceback_policy: TracebackPolicy::default(),
            restart: Restart::default(),
            health: Health::default(),
            load: Load::default(),
            stop: Stop::default(),
            scheduler: Scheduler::default(),
            jobs: Jobs::default(),
            events: Events::default(),
            logs: Logs::default(),
            usage: Usage::default(),
            http: Http::default(),
            drift_detection: true,
            plugins: BTreeMap::new(),
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            ping_seconds: Seconds::millis(500),
            unresponsive_seconds: Seconds::whole(1),
            stuck_seconds: Seconds::whole(10),
            kill_idle_seconds: Seconds::whole(30),
        }
    }
}

impl Default for Load {
    fn default() -> Self {
        Self { starts_at_once: 4 }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { drain_seconds: Seconds::whole(20), grace_seconds: Seconds::whole(10) }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            running_max: 64,
            pending_max: JOBS_PENDING_MAX,
            retries_max: 1,
            attempts_max: 5,
            on_host_loss: OnHostLoss::default(),
            cancel_grace_seconds: Seconds::whole(3),
            retry_wait_max_seconds: Seconds::whole(300),
            snapshot_seconds: 4.0,
            keep_outputs_days: 30,
            keep_outputs_mb: 4096,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { max_count: 1_000_000, max_age_days: 30 }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { file_mb: 8, files: 5 }
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self { record: true }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            body_mb_max: 64,
            requests_per_second: None,
        }
    }
}

#[cfg(test)]
mod tests;
