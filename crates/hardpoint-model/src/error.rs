//! What a failed call, hook or stage looks like to everybody: a [`JobError`].
//!
//! Owns the four categories and the record's fields. Knows nothing about who failed or how it was noticed.

use crate::exit::ExitReason;
use crate::limits::{
    ERROR_FIELD_BYTES_MAX, ERROR_FIELDS_MAX, ERROR_MESSAGE_BYTES_MAX, ERROR_NAME_BYTES_MAX,
    ERROR_REPR_BYTES_MAX, ERROR_TRACEBACK_BYTES_MAX,
};
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

/// How much of an exception is told with a failure. The plugin's own log has all of it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TracebackPolicy {
    /// Everything.
    #[default]
    Full,
    /// No traceback.
    ReprOnly,
    /// Neither traceback nor `repr()` nor message: only what kind of failure it is.
    None,
}

/// A typed failure; survives the process boundary unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub occurred_at: Option<Timestamp>,
    /// How the plugin's process ended, when that is why. The host's word: a plugin cannot say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<Box<ExitReason>>,
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
            exit_reason: None,
        }
    }

    /// The same failure, charged to a plugin, which is called like its default instance, unless it already names one.
    #[must_use]
    pub fn of_plugin(self, plugin: &str) -> Self {
        self.of_instance(plugin, plugin)
    }

    /// The same of an instance of a plugin.
    #[must_use]
    pub fn of_instance(mut self, plugin: &str, instance: &str) -> Self {
        self.plugin_name.get_or_insert_with(|| plugin.to_owned());
        self.plugin_instance_id.get_or_insert_with(|| instance.to_owned());
        self
    }

    /// The same failure as a host takes it from a plugin's process: within bounds, with a time, with numbers that are
    /// some, and without what only the host can know.
    #[must_use]
    pub fn received(mut self) -> Self {
        cut(&mut self.error_type, ERROR_NAME_BYTES_MAX);
        cut(&mut self.message, ERROR_MESSAGE_BYTES_MAX);
        let texts = [
            (&mut self.original_exc_repr, ERROR_REPR_BYTES_MAX),
            (&mut self.traceback, ERROR_TRACEBACK_BYTES_MAX),
            (&mut self.plugin_name, ERROR_NAME_BYTES_MAX),
            (&mut self.plugin_instance_id, ERROR_NAME_BYTES_MAX),
        ];
        for (text, max) in texts {
            if let Some(text) = text {
                cut(text, max);
            }
        }
        if let Some(fields) = &mut self.fields_invalid {
            fields.truncate(ERROR_FIELDS_MAX);
            for field in fields {
                cut(field, ERROR_FIELD_BYTES_MAX);
            }
        }
        if let Some(shortfall) = &mut self.resource_shortfall {
            cut(&mut shortfall.resource, ERROR_NAME_BYTES_MAX);
        }
        let number = |number: &f64| number.is_finite() && *number >= 0.0;
        self.retry_after_seconds = self.retry_after_seconds.filter(number);
        self.occurred_at.get_or_insert_with(Timestamp::now);
        self.exit_reason = None;
        self
    }

    /// The same failure, with as much of the exception as may be told.
    #[must_use]
    pub fn told(mut self, policy: TracebackPolicy) -> Self {
        match policy {
            TracebackPolicy::Full => {}
            TracebackPolicy::ReprOnly => self.traceback = None,
            TracebackPolicy::None => {
                self.traceback = None;
                // What the host found itself has none, and says nothing of the plugin's data.
                if let Some(repr) = &mut self.original_exc_repr {
                    repr.clear();
                    self.message.clear();
                }
            }
        }
        self
    }

    /// Whether the host found it: no exception was raised.
    pub fn is_of_host(&self) -> bool {
        self.original_exc_repr.is_none()
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

/// The beginning of a text says where, its end what happened: both are kept.
fn cut(text: &mut String, max: usize) {
    if text.len() <= max {
        return;
    }
    let mark = format!("\n... [{} bytes cut] ...\n", text.len() - max);
    let half = max.saturating_sub(mark.len()) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    text.replace_range(head..tail, &mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised() -> JobError {
        let mut error = JobError::new(Category::Resource, "OutOfMemoryError", "no room for `secret`");
        error.original_exc_repr = Some("OutOfMemoryError('no room for `secret`')".to_owned());
        error.traceback = Some("Traceback: secret".to_owned());
        error.retry_after_seconds = Some(1.5);
        error
    }

    #[test]
    fn a_policy_decides_how_much_of_an_exception_is_told() {
        let error = raised();
        assert_eq!(error.clone().told(TracebackPolicy::Full), error);
        let repr_only = raised().told(TracebackPolicy::ReprOnly);
        assert_eq!((repr_only.traceback, repr_only.message), (None, raised().message));
        assert_eq!(repr_only.original_exc_repr, raised().original_exc_repr);
        let none = raised().told(TracebackPolicy::None);
        assert!(!serde_json::to_string(&none).unwrap().contains("secret"), "{none:?}");
        let kind = (none.category, none.error_type.as_str(), none.retry_after_seconds, none.is_of_host());
        assert_eq!(kind, (Category::Resource, "OutOfMemoryError", Some(1.5), false));
        let host = JobError::new(Category::Transient, "TimeoutError", "it took too long");
        assert_eq!(host.clone().told(TracebackPolicy::None), host);
    }

    #[test]
    fn what_a_worker_says_has_a_bound_in_every_field() {
        let long = "é".repeat(1 << 20);
        let mut error = JobError::new(Category::UserInput, long.clone(), long.clone());
        error.occurred_at = None;
        for text in [
            &mut error.original_exc_repr,
            &mut error.traceback,
            &mut error.plugin_name,
            &mut error.plugin_instance_id,
        ] {
            *text = Some(long.clone());
        }
        error.fields_invalid = Some(vec![long.clone(); 300]);
        error.resource_shortfall = Some(ResourceShortfall { resource: long, needed: 1.0, available: 0.0 });
        error.retry_after_seconds = Some(-1.0);
        let error = error.received();
        let bytes = serde_json::to_string(&error).unwrap().len();
        assert!(bytes < 150_000, "{bytes}");
        assert!(error.message.starts_with('é') && error.message.ends_with('é'));
        assert!(error.message.contains("bytes cut") && error.message.len() <= ERROR_MESSAGE_BYTES_MAX);
        assert_eq!((error.retry_after_seconds, error.occurred_at.is_some()), (None, true));
    }

    #[test]
    fn an_instance_names_its_plugin() {
        let error = JobError::new(Category::Fatal, "E", "m").of_instance("ocr", "fast").of_plugin("other");
        let names = (error.plugin_name.as_deref(), error.plugin_instance_id.as_deref());
        assert_eq!(names, (Some("ocr"), Some("fast")));
    }
}
