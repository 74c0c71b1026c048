//! Owns pipelines: their definition, what passes from stage to stage, and the shape of their result.
//! Knows nothing of which plugins exist.

mod arguments;
mod message;
mod parse;
mod pass;
mod result;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diagnostics::Diagnostics;
use crate::document::Format;
use crate::ids::PluginRef;
use crate::limits::PIPELINE_STAGES_MAX;
use crate::seconds::Seconds;

pub use arguments::{Reference, ReferenceError};
pub use message::PipelineMessage;
pub use parse::{of_value, schema};
pub use pass::{pass_on, takes};
pub use result::{PipelineFailure, PipelineResult};

/// A list of stages, each one tool of one plugin, run in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Hardpoint pipeline", deny_unknown_fields)]
pub struct Pipeline {
    /// The name under which the pipeline is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "pipeline-name", "pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: Option<String>,
    /// One sentence on what the pipeline does.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// The stages, run in this order.
    #[schemars(length(min = 1, max = PIPELINE_STAGES_MAX))]
    pub stages: Vec<Stage>,
    /// How long each stage may take, in seconds, unless the stage says otherwise.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: Seconds,
    /// How long all stages may take together, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_timeout_seconds: Option<Seconds>,
    /// What a stage gets from the one before: its `output`, or the output laid over everything so far (`merge`).
    #[serde(default)]
    pub pass: Pass,
    /// Whether the first failure ends the run. If not, the next stage gets what the failed one got.
    #[serde(default = "yes")]
    pub fail_fast: bool,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Stage {
    /// The plugin, or a further instance of it by its id: `ocr`, `fast`, `ocr@fast`.
    pub plugin: PluginRef,
    /// The tool of the plugin.
    #[schemars(length(min = 1, max = 128))]
    pub tool: String,
    /// Further arguments of the tool; they win over what the stage before passes on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// All arguments of the tool: then nothing is passed on to it. `{"$from": "/input/NAME"}`, `{"$from": "/stages/0/NAME"}`
    /// and `{"$from": "/document/NAME"}` stand for a part of the input, of an earlier stage's output (counted from 0), and of
    /// what would have been passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// How long this stage may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<Seconds>,
    /// How often this stage is tried again after a failure that may pass; as the host is configured when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub retries: Option<u32>,
}

/// What a stage gets from the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Pass {
    /// The output of the stage before, and nothing else.
    #[default]
    Output,
    /// The document so far with the output laid over it, field by field.
    Merge,
}

impl Pipeline {
    /// A pipeline of these stages with every default.
    pub fn of_stages(stages: Vec<Stage>) -> Self {
        Self {
            name: None,
            description: String::new(),
            stages,
            timeout_seconds: default_timeout(),
            total_timeout_seconds: None,
            pass: Pass::default(),
            fail_fast: true,
        }
    }

    /// Reads and checks the text of a definition; every mistake in it comes back at once.
    /// A bare list of stages is a definition too. `file` is the name used in the messages.
    pub fn parse(text: &str, file: &str, format: Format) -> Result<Self, Diagnostics> {
        parse::parse(text, file, format)
    }
}

fn default_timeout() -> Seconds {
    Seconds::whole(300)
}

fn yes() -> bool {
    true
}
