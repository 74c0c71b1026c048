//! What a failed call, hook or stage looks like to everybody: a [`JobError`].
//!
//! Owns the four categories and the record's fields. Knows nothing about who failed or how it was noticed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure it is, and so who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The input is wrong; the same call will fail again.
    UserInput,
    /// It may work the next time.
    Transient,
    /// Memory, GPU memory or disk ran out.
    Resource,
    /// A bug or a broken state.
    Fatal,
}

impl Category {
    /// Whether a failure of this kind may be retried when nothing else says otherwise.
    pub fn is_retriable(self) -> bool {
        match self {
            Self::UserInput | Self::Transient | Self::Resource => true,
            Self::Fatal => false,
        }
    }

    /// The category as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserInput => "user_input",
            Self::Transient => "transient",
            Self::Resource => "resource",
            Self::Fatal => "fatal",
        }
    }
}

/// How much of a resource was needed and how much there was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceShortfall {
    /// Which resource, for example `gpu_vram_mb`, `system_ram_mb`, `disk_mb`.
    pub resource: String,
    /// How much was needed.
    pub needed: f64,
    /// How much was available.
    pub available: f64,
}

/// A typed failure; survives the process boundary unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobError {
    /// Who can mend it.
    pub category: Category,
    /// The exception class, or the host's own name for the failure.
    pub error_type: String,
    /// One sentence for a person, without a full stop.
    pub message: String,
    /// Whether an automatic retry is sensible.
    pub retriable: bool,
    /// `repr()` of the original exception.
    #[serde(default)]
    pub original_exc_repr: Option<String>,
    /// The plugin's traceback, when it has one.
    #[serde(default)]
    pub traceback: Option<String>,
    /// How long to wait before a retry.
    #[serde(default)]
    pub retry_after_seconds: Option<f64>,
    /// The names of the inputs that are wrong.
    #[serde(default)]
    pub fields_invalid: Option<Vec<String>>,
    /// What ran out, and by how much.
    #[serde(default)]
    pub resource_shortfall: Option<ResourceShortfall>,
    /// The plugin that failed.
    #[serde(default)]
    pub plugin_name: Option<String>,
    /// The instance of it that failed.
    #[serde(default)]
    pub plugin_instance_id: Option<String>,
    /// When it failed.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
}

impl JobError {
    /// A failure that the host itself found: no traceback, retriable as its category says.
    pub fn new(category: Category, error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            category,
            error_type: error_type.into(),
            message: message.into(),
            retriable: category.is_retriable(),
            original_exc_repr: None,
            traceback: None,
            retry_after_seconds: None,
            fields_invalid: None,
            resource_shortfall: None,
            plugin_name: None,
            plugin_instance_id: None,
            occurred_at: Some(Timestamp::now()),
        }
    }

    /// The same failure, charged to a plugin unless it already names one.
    #[must_use]
    pub fn of_plugin(mut self, plugin: &str) -> Self {
        self.plugin_name.get_or_insert_with(|| plugin.to_owned());
        self
    }

    /// The same failure with the names of the wrong inputs.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<String>) -> Self {
        self.fields_invalid = Some(fields);
        self
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}
