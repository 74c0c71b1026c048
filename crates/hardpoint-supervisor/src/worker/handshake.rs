//! From a fresh process to a plugin that is ready: hello, initialize, validate.
//!
//! Pure: a message in, the next message or the outcome out.

use super::loss::Announced;
use crate::spec::WorkerSpec;
use crate::tools::Tools;
use hardpoint_model::plugin_config::{ConfigSchema, Layers, UnknownKeys, effective};
use hardpoint_model::schema::FieldError;
use hardpoint_model::{Category, JobError};
use hardpoint_wire::limits::TOOLS_MAX;
use hardpoint_wire::{HostMessage, PROTOCOL, Payload, Ready, WorkerMessage};
use serde_json::{Map, Value};
use std::sync::Arc;

const HELLO: u64 = 0;
const INITIALIZE: u64 = 1;
const VALIDATE: u64 = 2;

/// How far it is.
#[derive(Debug)]
pub(super) struct Handshake {
    plugin: String,
    config: Layers,
    unknown_keys: UnknownKeys,
    known: Option<Known>,
    phase: Phase,
}

/// What a worker has told of its plugin.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) ready: Ready,
    pub(crate) tools: Arc<Tools>,
    pub(crate) config_schema: Option<Arc<ConfigSchema>>,
    facts: Option<Arc<Map<String, Value>>>,
}

impl Known {
    pub(crate) fn announced(&self) -> Announced {
        Announced { config_schema: self.config_schema.clone(), facts: self.facts.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Importing,
    Initializing,
    Validating,
}

/// What a message led to.
#[derive(Debug)]
pub(super) enum Step {
    /// Say this next.
    Say(HostMessage),
    /// The plugin is ready.
    Done(Box<Known>),
    /// The plugin cannot be started; the plugin or the host says why.
    Failed(Box<JobError>),
    /// Nobody may say this now.
    Violation(String),
    /// Not part of the handshake.
    Other(WorkerMessage),
}

impl Handshake {
    pub(super) fn new(spec: &WorkerSpec) -> Self {
        let WorkerSpec { plugin, config, unknown_keys, .. } = spec;
        Self {
            plugin: plugin.name.clone(),
            config: config.clone(),
            unknown_keys: *unknown_keys,
            known: None,
            phase: Phase::Importing,
        }
    }

    /// What has become known of the plugin, whatever comes of the rest.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// What the worker is doing, for people.
    pub(super) fn phase(&self) -> &'static str {
        match self.phase {
            Phase::Importing => "importing",
            Phase::Initializing => "initializing",
            Phase::Validating => "validating",
        }
    }

    pub(super) fn on(&mut self, message: WorkerMessage) -> Step {
        match (self.phase, message) {
            (Phase::Importing, WorkerMessage::Ready(ready)) => self.ready(*ready),
            (Phase::Initializing, WorkerMessage::Result(result)) if result.id == INITIALIZE => {
                self.phase = Phase::Validating;
                Step::Say(HostMessage::Validate { id: VALIDATE })
            }
            (Phase::Validating, WorkerMessage::Result(result)) if result.id == VALIDATE => {
                match self.known.take() {
                    Some(known) => Step::Done(Box::new(known)),
                    None => Step::Violation("it answered before it was asked".to_owned()),
                }
            }
            (_, WorkerMessage::Error(failed)) if failed.id == self.expected() => {
                let mut error = failed.error.received().of_plugin(&self.plugin);
                let (doing, kind) = (self.phase(), &error.error_type);
                // The SDK's own findings name the plugin already.
                let said =
                    error.message.trim_start_matches(&format!("plugin `{}`: ", self.plugin)).to_owned();
                error.message = format!("plugin `{}` failed while {doing}: {kind}: {said}", self.plugin);
                Step::Failed(Box::new(error))
            }
            (_, WorkerMessage::Ready(_)) => Step::Violation("it said `ready` twice".to_owned()),
            (_, WorkerMessage::Result(result)) => {
                Step::Violation(format!("it answered request {}, which was never made", result.id))
            }
            (_, WorkerMessage::Error(failed)) => {
                Step::Violation(format!("it answered request {}, which was never made", failed.id))
            }
            (_, other) => Step::Other(other),
        }
    }

    fn expected(&self) -> u64 {
        match self.phase {
            Phase::Importing => HELLO,
            Phase::Initializing => INITIALIZE,
            Phase::Validating => VALIDATE,
        }
    }

    fn ready(&mut self, mut ready: Ready) -> Step {
        if let Err(sentence) = PROTOCOL.check(ready.protocol) {
            return self.failed("ProtocolVersion", format!("plugin `{}`: {sentence}", self.plugin));
        }
        if ready.tools.len() > TOOLS_MAX {
            return Step::Violation(format!("it announced {} tools, at most {TOOLS_MAX}", ready.tools.len()));
        }
        let tools = match Tools::compile(&self.plugin, ready.tools.clone()) {
            Ok(tools) => Arc::new(tools),
            Err(sentence) => {
                return self.failed("InvalidTool", format!("plugin `{}`: {sentence}", self.plugin));
            }
        };
        let config_schema = match &ready.config_schema {
            Value::Null => None,
            schema => match ConfigSchema::compile(schema) {
                Ok(schema) => Some(Arc::new(schema)),
                Err(error) => {
                    let text =
                        format!("plugin `{}`: its `config_schema` cannot be used ({error})", self.plugin);
                    return self.failed("InvalidConfigSchema", text);
                }
            },
        };
        let config = effective(config_schema.as_deref(), &self.config, self.unknown_keys);
        let facts = ready.facts.take().map(Arc::new);
        self.known = Some(Known { ready, tools, config_schema, facts });
        match config {
            Ok(config) => {
                self.phase = Phase::Initializing;
                let config = Payload::literal(Value::Object(config.values)).value;
                Step::Say(HostMessage::Initialize { id: INITIALIZE, config })
            }
            Err(mistakes) => self.misconfigured(mistakes),
        }
    }

    fn misconfigured(&self, mistakes: Vec<FieldError>) -> Step {
        let sentences: Vec<&str> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
        let message =
            format!("plugin `{}`: its configuration does not fit: {}", self.plugin, sentences.join("; "));
        let fields = mistakes.into_iter().map(|mistake| mistake.field).collect();
        let error = JobError::new(Category::UserInput, "ConfigInvalid", message).with_fields(fields);
        Step::Failed(Box::new(error.received().of_plugin(&self.plugin)))
    }

    fn failed(&self, error_type: &str, message: String) -> Step {
        Step::Failed(Box::new(JobError::new(Category::Fatal, error_type, message).of_plugin(&self.plugin)))
    }
}
