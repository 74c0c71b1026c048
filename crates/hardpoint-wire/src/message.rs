//! Messages: what the two sides say, as types. One struct per message that carries data.
//!
//! Owns field names and their JSON; `tests/wire/*.json` holds one example of each, checked from both
//! languages. Must not know who sends what when: that is the supervisor's state machine.

use crate::blob::Blob;
use crate::frame::{Frame, FrameError, OutFrame};
use crate::payload::{Payload, ValueError};
use hardpoint_model::log::{AttemptId, LogLevel};
use hardpoint_model::{JobError, Secret};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A range of protocol versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Lowest version spoken.
    pub min: u32,
    /// Highest version spoken.
    pub max: u32,
}

impl Protocol {
    /// `Err` with a sentence that says which side to upgrade when the ranges do not meet.
    pub fn check(self, worker: Protocol) -> Result<u32, String> {
        let common = self.max.min(worker.max);
        if common >= self.min.max(worker.min) {
            return Ok(common);
        }
        let old = if worker.min > self.max { "host" } else { "worker" };
        Err(format!("worker speaks protocol {worker}, this host speaks {self}: upgrade the {old}"))
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{} to {}", self.min, self.max)
        }
    }
}

/// Which plugin a worker is to load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRef {
    /// Name in the manifest.
    pub name: String,
    /// Version in the manifest.
    pub version: String,
    /// `module:Class`.
    pub entry: String,
    /// Absolute folder of the plugin.
    pub dir: String,
    /// Which contract it was written for.
    pub dialect: String,
    /// Instance id.
    pub instance: String,
    /// Which life of the instance this is, from 1.
    pub incarnation: u64,
    /// Whether this start is a reload that somebody asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reload: bool,
    /// Folder for data of plugins that outlives their workers: each makes one of its own name in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// Folder of model files, if there is one for all plugins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models_dir: Option<String>,
}

/// The durable work a call belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRef {
    /// The job.
    pub job_id: String,
    /// Its stage, from 0.
    pub stage: u32,
    /// The try of the stage, from 1.
    pub attempt: u32,
}

impl JobRef {
    /// The same, when its job has the name of one.
    pub fn attempt_id(&self) -> Option<AttemptId> {
        let job_id = self.job_id.parse().ok()?;
        Some(AttemptId { job_id, stage: self.stage, attempt: self.attempt })
    }
}

/// How insistently a call is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelPhase {
    /// Set the flag, run the callbacks.
    Cooperative,
    /// Also raise `Cancelled` inside running Python code.
    Interrupt,
}

/// What the host says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/reference/protocol.md describes every field")]
pub enum HostMessage {
    Hello {
        protocol: Protocol,
        host_version: String,
        plugin: PluginRef,
        concurrency: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "handed_over")]
        secrets: BTreeMap<String, Secret>,
    },
    Initialize {
        id: u64,
        config: Value,
    },
    Validate {
        id: u64,
    },
    Call {
        id: u64,
        tool: String,
        args: Value,
        timeout_ms: Option<u64>,
        credit: u32,
        job: Option<JobRef>,
    },
    Cancel {
        id: u64,
        phase: CancelPhase,
    },
    Credit {
        id: u64,
        items: u32,
    },
    Ping {
        id: u64,
    },
    Reconfigure {
        id: u64,
        old: Value,
        new: Value,
    },
    Prefetch {
        id: u64,
    },
    Enable {
        id: u64,
    },
    Disable {
        id: u64,
    },
    ConfigOptions {
        id: u64,
    },
    Cleanup {
        id: u64,
    },
    Shutdown,
}

/// The one place where secrets are written as they are: into the frame for the worker that they are for.
fn handed_over<S: Serializer>(secrets: &BTreeMap<String, Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(secrets.iter().map(|(name, value)| (name, value.expose())))
}

impl HostMessage {
    /// The frame of this message; `blobs` are those that its values refer to.
    pub fn encode(&self, blobs: &[Blob]) -> Result<OutFrame, FrameError> {
        OutFrame::encode(self, blobs)
    }
}

/// Which software the worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdkInfo {
    /// For example `hardpoint-python`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What the plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginId {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One or more sentences, or empty.
    #[serde(default)]
    pub description: String,
}

/// One callable of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolInfo {
    /// Its name.
    pub name: String,
    /// One or more sentences, or empty.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of the arguments: an object.
    pub input_schema: Value,
    /// JSON Schema of the result; `{}` when unknown.
    #[serde(default)]
    pub output_schema: Value,
    /// Whether it answers with a stream of items.
    #[serde(default)]
    pub streaming: bool,
    /// Its own timeout.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
}

/// The plugin is imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Protocol versions the worker speaks.
    pub protocol: Protocol,
    /// Which software the worker is.
    pub sdk: SdkInfo,
    /// Version of its Python, when it is one.
    #[serde(default)]
    pub python: Option<String>,
    /// Process id as the worker sees it.
    pub pid: u32,
    /// What the plugin says of itself.
    pub plugin: PluginId,
    /// What can be called.
    pub tools: Vec<ToolInfo>,
    /// JSON Schema of its config, or null.
    #[serde(default)]
    pub config_schema: Value,
    /// How long the import of the plugin took.
    #[serde(default)]
    pub import_ms: f64,
    /// Whether it marks in its output which call of a job the lines belong to.
    #[serde(default)]
    pub marks: bool,
    /// What only those who know the plugin's dialect look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Map<String, Value>>,
}

/// A request succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct CallResult {
    /// Which request.
    pub id: u64,
    /// Its value; `Err` when the worker sent one that cannot be carried.
    pub result: Result<Payload, ValueError>,
    /// How long the plugin's code ran.
    pub execution_time_ms: f64,
    /// Stream items sent before.
    pub items: u64,
}

/// A request failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallFailed {
    /// Which request.
    pub id: u64,
    /// Why.
    pub error: JobError,
    /// How long the plugin's code ran.
    #[serde(default)]
    pub execution_time_ms: f64,
}

/// One element of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Which call.
    pub id: u64,
    /// Its place in the stream, from 0.
    pub seq: u64,
    /// Its value.
    pub item: Result<Payload, ValueError>,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Which call.
    pub id: u64,
    /// 0 to 1, or `None` when unknown.
    #[serde(default)]
    pub fraction: Option<f64>,
    /// What it is doing.
    #[serde(default)]
    pub message: String,
}

/// One log line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The call it was written in.
    #[serde(default)]
    pub id: Option<u64>,
    /// Severity.
    pub level: LogLevel,
    /// Name of the logger.
    #[serde(default)]
    pub logger: String,
    /// The text.
    pub message: String,
    /// Lines dropped before this one.
    #[serde(default)]
    pub dropped: u64,
}

/// What a call used, by unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Which call.
    pub id: u64,
    /// Unit to amount.
    pub usage: BTreeMap<String, f64>,
}

/// The answer to a ping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// Which ping.
    pub id: u64,
    /// How long the call on the main thread has run; `None` when idle.
    #[serde(default)]
    pub main_thread_busy_ms: Option<f64>,
    /// Calls being run.
    #[serde(default)]
    pub calls_running: u32,
    /// Calls waiting in the worker.
    #[serde(default)]
    pub calls_waiting: u32,
}

/// What the worker says.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant holds the documented struct of its name")]
pub enum WorkerMessage {
    Ready(Box<Ready>),
    Result(CallResult),
    Error(Box<CallFailed>),
    Item(Item),
    Progress(Progress),
    Log(Log),
    Usage(Usage),
    Pong(Pong),
}

/// A header that is no message of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or fields missing or of the wrong type.
    #[error("it sent a message that cannot be read ({0})")]
    Malformed(String),
    /// A type this version does not know; it may be ignored.
    #[error("it sent a message of the unknown type `{0}`")]
    UnknownType(String),
}

#[derive(Deserialize)]
struct TypeOf<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawResult<'a> {
    id: u64,
    #[serde(borrow)]
    result: &'a RawValue,
    #[serde(default)]
    execution_time_ms: f64,
    #[serde(default)]
    items: u64,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    id: u64,
    seq: u64,
    #[serde(borrow)]
    item: &'a RawValue,
}

impl WorkerMessage {
    /// Reads a frame that a worker sent.
    pub fn decode(frame: Frame) -> Result<Self, Unreadable> {
        let Frame { header, blobs } = frame;
        let kind = read::<TypeOf<'_>>(&header)?.kind;
        Ok(match kind.as_ref() {
            "ready" => Self::Ready(Box::new(read(&header)?)),
            "result" => {
                let RawResult { id, result, execution_time_ms, items } = read(&header)?;
                Self::Result(CallResult {
                    id,
                    result: Payload::from_raw(result, blobs),
                    execution_time_ms,
                    items,
                })
            }
            "error" => Self::Error(Box::new(read(&header)?)),
            "item" => {
                let RawItem { id, seq, item } = read(&header)?;
                Self::Item(Item { id, seq, item: Payload::from_raw(item, blobs) })
            }
            "progress" => Self::Progress(read(&header)?),
            "log" => Self::Log(read(&header)?),
            "usage" => Self::Usage(read(&header)?),
            "pong" => Self::Pong(read(&header)?),
            unknown => return Err(Unreadable::UnknownType(unknown.chars().take(64).collect())),
        })
    }

    /// The frame of this message, for workers written in Rust and for tests.
    pub fn encode(&self) -> Result<OutFrame, FrameError> {
        let none: &[Blob] = &[];
        let (kind, value, blobs) = match self {
            Self::Ready(ready) => ("ready", serde_json::to_value(ready), none),
            Self::Error(failed) => ("error", serde_json::to_value(failed), none),
            Self::Progress(progress) => ("progress", serde_json::to_value(progress), none),
            Self::Log(log) => ("log", serde_json::to_value(log), none),
            Self::Usage(usage) => ("usage", serde_json::to_value(usage), none),
            Self::Pong(pong) => ("pong", serde_json::to_value(pong), none),
            Self::Result(CallResult { id, result, execution_time_ms, items }) => {
                let payload = result.as_ref().map_err(|e| FrameError::Header(e.to_string()))?;
                let fields = serde_json::json!({"id": id, "result": payload.value,
                    "execution_time_ms": execution_time_ms, "items": items});
                ("result", Ok(fields), payload.blobs.as_slice())
            }
            Self::Item(Item { id, seq, item }) => {
                let payload = item.as_ref().map_err(|e| FrameError::Header(e.to_string()))?;
                (
                    "item",
                    Ok(serde_json::json!({"id": id, "seq": seq, "item": payload.value})),
                    &*payload.blobs,
                )
            }
        };
        let mut header = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        if let Value::Object(fields) = value.map_err(|e| FrameError::Header(e.to_string()))? {
            header.extend(fields);
        }
        OutFrame::encode(&header, blobs)
    }
}

fn read<'a, T: Deserialize<'a>>(header: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(header).map_err(|e| Unreadable::Malformed(e.to_string()))
}
