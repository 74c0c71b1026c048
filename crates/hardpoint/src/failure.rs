//! Why a command could not do what it was asked, before or besides the plugin's own answer.
//!
//! Owns the kinds, their words and their JSON. Must not know exit codes.

use crate::client::{Kind, Refused};
use crate::mistakes::{Told, told};
use hardpoint_engine::jobs::Mistake;
use hardpoint_engine::probe;
use hardpoint_engine::{CatalogError, StartError};
use hardpoint_env::EnvError;
use hardpoint_model::{Category, Diagnostics};
use hardpoint_store::StoreError;
use hardpoint_supervisor::StartFailure;
use hardpoint_wire::{BadBytes, Unwritable};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was wrong.
    Request { message: String, hint: String },
    /// A manifest or pipeline has mistakes.
    Diagnostics(Diagnostics),
    /// A pipeline is well formed and cannot work.
    Mistakes(Vec<Mistake>),
    /// An environment could not be built.
    Environment(EnvError),
    /// A plugin could not be started.
    NotStarted { plugin: String, error: Arc<StartError> },
    /// No server can be asked.
    Unreachable { message: String, hint: String },
    /// A server said no.
    Refused(Box<Refused>),
    /// The database cannot be used.
    Store(StoreError),
    /// The files of secrets cannot be used.
    Secrets { message: String, hint: String },
    /// The host had trouble.
    Host { message: String },
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    pub(crate) fn request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: hint.into() }
    }

    pub(crate) fn host(what: &str, source: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(source), |cause| cause.source());
        Self::Host { message: causes.fold(what.to_owned(), |text, cause| format!("{text}: {cause}")) }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Request { hint, .. } | Self::Unreachable { hint, .. } | Self::Secrets { hint, .. } => {
                Some(hint.clone())
            }
            Self::Refused(refused) => refused.hint.clone(),
            Self::Mistakes(found) => Some(of_mistakes(found).1),
            Self::Environment(error) => Some(error.hint()),
            Self::NotStarted { plugin, error } => error.hint(plugin, plugin),
            Self::Store(error) => Some(error.hint().to_owned()),
            Self::Host { .. } | Self::Diagnostics(_) | Self::Interrupted => None,
        }
    }

    /// The same for scripts.
    pub(crate) fn to_json(&self) -> Value {
        let (error_type, category) = match self {
            Self::Request { .. } | Self::Mistakes(_) => ("InvalidRequest", Category::UserInput),
            Self::Diagnostics(_) => ("InvalidFile", Category::UserInput),
            Self::Environment(_) => ("EnvironmentError", Category::Fatal),
            Self::NotStarted { error, .. } => match &**error {
                StartError::Lock(_) => ("InvalidFile", Category::UserInput),
                StartError::Missing(_) => ("PluginUnavailable", Category::Resource),
                StartError::Environment(_) => ("EnvironmentError", Category::Fatal),
                StartError::Secrets(_) => ("SecretsUnreadable", Category::Fatal),
                StartError::Worker(failure) => (failure.error.error_type.as_str(), failure.error.category),
            },
            Self::Unreachable { .. } => ("ServerUnreachable", Category::Transient),
            Self::Refused(refused) => of_refusal(refused.kind),
            Self::Secrets { .. } => ("SecretsUnreadable", Category::Fatal),
            Self::Store(_) | Self::Host { .. } => ("HostError", Category::Fatal),
            Self::Interrupted => ("Cancelled", Category::Transient),
        };
        let of_worker = self.of_worker();
        let error = of_worker.map_or_else(|| self.to_string(), |failure| failure.error.message.clone());
        let mut document = json!({"ok": false, "error": error, "error_type": error_type, "category": category,
            "hint": self.hint()});
        if let (Self::Refused(refused), Some(fields)) = (self, document.as_object_mut()) {
            // What the server says is the better word, but the hint is for whoever sits here.
            fields.extend(refused.document.as_object().cloned().unwrap_or_default());
            fields.insert("hint".to_owned(), json!(refused.hint));
        }
        if let (Self::Mistakes(found), Some(fields)) = (self, document.as_object_mut()) {
            let errors = found
                .iter()
                .map(|found| json!({"pointer": found.pointer, "detail": found.message, "hint": found.hint}));
            fields.insert("errors".to_owned(), errors.collect());
        }
        if let (Some(failure), Some(fields)) = (of_worker, document.as_object_mut()) {
            if let Some(exit) = &failure.exit {
                fields.insert("exit_reason".to_owned(), json!(exit.reason));
            }
            fields.insert("traceback".to_owned(), json!(failure.error.traceback));
        }
        document
    }

    /// The failure of a worker that did not become ready.
    fn of_worker(&self) -> Option<&StartFailure> {
        let Self::NotStarted { error, .. } = self else { return None };
        match &**error {
            StartError::Worker(failure) => Some(failure),
            StartError::Lock(_)
            | StartError::Missing(_)
            | StartError::Environment(_)
            | StartError::Secrets(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { message, .. }
            | Self::Unreachable { message, .. }
            | Self::Secrets { message, .. }
            | Self::Host { message } => f.write_str(message),
            Self::Refused(refused) => f.write_str(&refused.message),
            Self::Diagnostics(diagnostics) => diagnostics.fmt(f),
            Self::Mistakes(found) => f.write_str(&of_mistakes(found).0),
            Self::Environment(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::NotStarted { plugin, error } => match &**error {
                StartError::Missing(missing) => {
                    write!(f, "plugin `{plugin}` is UNAVAILABLE: {}", probe::reason(missing))
                }
                StartError::Worker(failure) => {
                    f.write_str(&failure.error.message)?;
                    detail(failure).iter().try_for_each(|line| write!(f, "\n  | {line}"))
                }
                StartError::Lock(_) | StartError::Environment(_) | StartError::Secrets(_) => error.fmt(f),
            },
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

fn of_mistakes(found: &[Mistake]) -> (String, String) {
    let found = found.iter().map(|found| Told { message: &found.message, hint: &found.hint });
    told(&found.collect::<Vec<_>>())
}

fn of_refusal(kind: Kind) -> (&'static str, Category) {
    match kind {
        Kind::Request => ("InvalidRequest", Category::UserInput),
        Kind::Plugin => ("PluginUnavailable", Category::Resource),
        Kind::Tool => ("ToolFailed", Category::Fatal),
        Kind::Server => ("ServerUnavailable", Category::Transient),
        Kind::Bug => ("HostError", Category::Fatal),
    }
}

/// The plugin's own words: its traceback, else what it wrote to stderr.
fn detail(failure: &StartFailure) -> Vec<String> {
    match (&failure.error.traceback, &failure.exit) {
        (Some(traceback), _) => traceback.trim_end().lines().map(str::to_owned).collect(),
        (None, Some(exit)) => exit.stderr_tail.clone(),
        (None, None) => Vec::new(),
    }
}

impl From<BadBytes> for Failure {
    fn from(bad: BadBytes) -> Self {
        let place = if bad.pointer == "/$bytes" { String::new() } else { format!(" at {}", bad.pointer) };
        Self::request(format!("{bad}{place}"), "encode the data as standard base64")
    }
}

impl From<Unwritable> for Failure {
    fn from(error: Unwritable) -> Self {
        Self::host("binary data cannot be read", &error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Request { message, hint } => Self::Request { message, hint },
            CatalogError::Diagnostics(diagnostics) => Self::Diagnostics(diagnostics),
        }
    }
}
