//! Owns `hardpoint.toml`: the facts a plugin declares. Knows nothing of whether they are true here.
//!
//! One JSON Schema, generated from these types, checks a manifest, completes it in editors
//! (`docs/reference/manifest.schema.json`) and words the errors.

mod formats;
mod needs;
mod parse;
mod requirement;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostics::Diagnostics;
use crate::ids::PluginName;
use crate::limits::{CONCURRENCY_MAX, MEMORY_MB_MAX};
use crate::plugin_config::Object;
use crate::seconds::Seconds;
use crate::worker_env::EnvVar;

pub(crate) use formats::check_env_name;
pub use formats::is_variable_name;
pub use needs::{Dependency, DependencyError, Model, Needs};
pub use parse::schema;
pub(crate) use parse::without_null;
pub use requirement::{Requirement, RequirementError, normal_name};

/// The file that describes a plugin to Hardpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Hardpoint plugin manifest", deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name: lower-case letters, digits, `_` and `-`, 64 characters at most.
    pub name: PluginName,
    /// The plugin's own version.
    #[schemars(length(min = 1, max = 64))]
    pub version: String,
    /// Where the plugin's code starts: `module:Class`. For the dialect `exec`: the program, relative to the manifest.
    #[schemars(length(min = 1, max = 512))]
    pub entry: String,
    /// One sentence on what the plugin does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// The contract the code was written for: `native`, `forgesyte`, `cjm`, `rosey` or `exec`.
    #[serde(default = "native")]
    #[schemars(length(max = 64), extend("format" = "dialect", "pattern" = "^[a-z][a-z0-9_-]*$"))]
    pub dialect: String,
    /// The Python the plugin needs and what is installed into its environment.
    #[serde(default)]
    pub python: Python,
    /// What the plugin's worker may use.
    #[serde(default)]
    pub limits: Limits,
    /// Environment variables for the plugin's worker.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 256, "propertyNames" = {"format": "env-name"}, "additionalProperties" = {"type": "string", "maxLength": 32768, "format": "env-value"}))]
    pub env: BTreeMap<String, String>,
    /// The variables that the plugin reads, and which of them it cannot do without. Secrets among them are set with
    /// `hardpoint secret set`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub worker_env: Vec<EnvVar>,
    /// Values for the plugin's own configuration, over the defaults of its schema; what is set by hand goes before.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub config: Object,
    /// The hash of the configuration's schema that the plugin was registered with: `sha256:` and 64 digits. Another schema counts as drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("format" = "hash"))]
    pub config_schema_hash: Option<String>,
    /// What must be there before the plugin can start.
    #[serde(default)]
    pub needs: Needs,
    /// Words about single tools. The tools themselves are read from the code.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 256, "propertyNames" = {"format": "tool-name"}))]
    pub tools: BTreeMap<String, ToolNote>,
}

/// The Python the plugin needs and what is installed into its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Python {
    /// The Python versions the plugin runs on: `>=3.10,<3.14`.
    #[schemars(length(max = 256), extend("format" = "python-versions"))]
    pub requires: String,
    /// The packages to install, each as in `pip install`: `numpy>=2`, `torch==2.9.*; platform_machine == 'x86_64'`.
    #[schemars(length(max = 512), extend("items" = {"type": "string", "maxLength": 2048, "format": "requirement"}))]
    pub requirements: Vec<String>,
    /// A requirements file next to the manifest that pins every package. Instead of `requirements`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), extend("format" = "relative-path"))]
    pub lock: Option<String>,
    /// An environment that is there already and used as it is: its folder, or its interpreter; absolute, or relative to the manifest. Instead of `requirements` and `lock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096), extend("format" = "environment"))]
    pub environment: Option<String>,
}

/// What the plugin's worker may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// How long one call may take, in seconds.
    pub timeout_seconds: Seconds,
    /// How much memory the worker and everything it starts may use together, in MiB.
    #[schemars(range(min = 16, max = MEMORY_MB_MAX))]
    pub memory_mb: u64,
    /// How long the worker may take to import and initialize the plugin, in seconds.
    pub startup_seconds: Seconds,
    /// How many calls the plugin can run at the same time.
    #[schemars(range(min = 1, max = CONCURRENCY_MAX))]
    pub concurrency: u32,
    /// Limits of single tools.
    #[schemars(extend("maxProperties" = 256, "propertyNames" = {"format": "tool-name"}))]
    pub tools: BTreeMap<String, ToolLimits>,
}

/// Limits of one tool; what is not given here is taken from the plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ToolLimits {
    /// How long one call of this tool may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<Seconds>,
}

/// Words about one tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ToolNote {
    /// One sentence on what the tool does; stands in when the code says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
}

impl Default for Python {
    fn default() -> Self {
        Self { requires: ">=3.9".to_owned(), requirements: Vec::new(), lock: None, environment: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_seconds: Seconds::whole(60),
            memory_mb: 1024,
            startup_seconds: Seconds::whole(30),
            concurrency: 1,
            tools: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// How long one call of `tool` may take.
    pub fn timeout_of(&self, tool: &str) -> Seconds {
        self.tools.get(tool).and_then(|limits| limits.timeout_seconds).unwrap_or(self.timeout_seconds)
    }
}

impl Manifest {
    /// Reads and checks the text of a manifest; every mistake in it comes back at once.
    /// `file` is the name used in the messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, Diagnostics> {
        parse::parse(text, file)
    }
}

fn native() -> String {
    "native".to_owned()
}

#[cfg(test)]
mod tests;
