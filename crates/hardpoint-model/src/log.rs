//! One line of a plugin's log: as it is kept, shown and followed.
//!
//! Owns field names and their JSON, which is also how lines lie on disk. Must not know who wrote a line or where
//! lines are kept.

use crate::job::JobId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

impl LogLevel {
    /// Every one, from the least to the most severe.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// Written to descriptor 1.
    Stdout,
    /// Written to descriptor 2.
    Stderr,
    /// Logged by the plugin.
    Plugin,
    /// Said by the host about the plugin.
    Host,
}

/// One try of one stage of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId {
    /// The job.
    pub job_id: JobId,
    /// Its stage, from 0.
    pub stage: u32,
    /// The try of the stage, from 1.
    pub attempt: u32,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Its number: it grows from line to line over all plugins of a host, also when the host is started anew.
    pub number: u64,
    /// When it came.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The plugin.
    pub plugin: String,
    /// The instance of it.
    pub instance: String,
    /// Which life of the instance, from 1.
    pub incarnation: u64,
    /// Where it came from.
    pub source: LogSource,
    /// How severe it is; null for stdout and stderr.
    pub level: Option<LogLevel>,
    /// Name of the logger; null for what was not logged.
    pub logger: Option<String>,
    /// The job that it belongs to; null for what belongs to none, or to more than one.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub job_id: Option<JobId>,
    /// The stage of that job, from 0.
    pub stage: Option<u32>,
    /// The try of that stage, from 1.
    pub attempt: Option<u32>,
    /// The text, without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

impl LogLine {
    /// The attempt that it belongs to.
    pub fn attempt_id(&self) -> Option<AttemptId> {
        Some(AttemptId { job_id: self.job_id?, stage: self.stage?, attempt: self.attempt? })
    }
}
