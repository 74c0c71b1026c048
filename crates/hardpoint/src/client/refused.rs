//! An error answer: a problem document, and for a call that failed what the plugin said.
//!
//! Owns what a code or a status means for whoever asked. Must not know how it is shown.

use super::Target;
use crate::mistakes::{Told, told};
use hardpoint_model::{Category, ExitReason, JobError};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What kind of "no" it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request is wrong: unknown names, bad fields, no or the wrong token.
    Request,
    /// The plugin takes no calls.
    Plugin,
    /// The plugin was asked and failed.
    Tool,
    /// The server is stopping or has too much to do.
    Server,
    /// The server itself has trouble.
    Bug,
}

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The whole answer.
    pub(crate) document: Value,
}

impl Refused {
    pub(super) fn of(status: u16, document: Value, target: &Target) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let detail = text("detail").unwrap_or_default();
        let kind = kind(status, text("code").as_deref().unwrap_or_default());
        let message = match status {
            401 | 403 => {
                format!("the server at {} refused: {detail}", target.shown())
            }
            _ => with_mistakes(&detail, &document),
        };
        if let Some((message, hint)) = of_pipeline(&document) {
            return Self { kind, message, hint: Some(hint), document };
        }
        let hint = match status {
            401 => Some(token_hint(target)),
            _ => command(&document).or_else(|| text("hint")),
        };
        Self { kind, message, hint, document }
    }

    /// The last event of a call that had begun before it failed.
    pub(super) fn of_event(document: Value, target: &Target) -> Self {
        let status = document.get("status").and_then(Value::as_u64);
        Self::of(status.and_then(|status| u16::try_from(status).ok()).unwrap_or(502), document, target)
    }

    /// The failure of the plugin itself, when it is one.
    pub(super) fn into_failed_call(self) -> Result<FailedCall, Self> {
        let text = |name: &str| self.document.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(error_type), Some(message)) = (text("error_type"), text("error")) else { return Err(self) };
        if !self.is_of_the_call() {
            return Err(self);
        }
        let category = self.field("category").unwrap_or(Category::Fatal);
        let mut error = JobError::new(category, error_type, message);
        error.retriable = self.field("retriable").unwrap_or(category.is_retriable());
        error.original_exc_repr = text("original_exc_repr");
        error.traceback = text("traceback");
        error.retry_after_seconds = self.field("retry_after_seconds");
        error.fields_invalid = self.field("fields_invalid");
        error.resource_shortfall = self.field("resource_shortfall");
        error.plugin_name = text("plugin_id");
        error.plugin_instance_id = text("plugin_instance_id");
        error.occurred_at = self.field("occurred_at");
        Ok(FailedCall { error, exit_reason: self.field("exit_reason") })
    }

    /// What kind of problem the server calls it; empty when it does not say.
    pub(crate) fn code(&self) -> &str {
        self.document.get("code").and_then(Value::as_str).unwrap_or_default()
    }

    /// A field of the answer, if it is there and what it should be.
    fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.document.get(name)?.clone()).ok()
    }

    /// Whether the plugin or its tool was what said no.
    fn is_of_the_call(&self) -> bool {
        let code = self.code();
        match self.kind {
            Kind::Tool => true,
            Kind::Request => {
                matches!(code, "tool_not_found" | "arguments_invalid" | "invalid_argument" | "input_refused")
            }
            Kind::Plugin | Kind::Server | Kind::Bug => false,
        }
    }
}

/// A call that reached the plugin and failed.
#[derive(Debug)]
pub(crate) struct FailedCall {
    pub(crate) error: JobError,
    pub(crate) exit_reason: Option<ExitReason>,
}

fn kind(status: u16, code: &str) -> Kind {
    match (code, status) {
        ("input_refused" | "tool_timeout" | "stream_too_long", _) | (_, 502) => Kind::Tool,
        ("plugin_busy" | "plugin_unavailable" | "plugin_disabled", _) => Kind::Plugin,
        (_, 429 | 503 | 504) => Kind::Server,
        (_, 500..) => Kind::Bug,
        (_, _) => Kind::Request,
    }
}

/// A pipeline that cannot work: every mistake with its remedy.
fn of_pipeline(document: &Value) -> Option<(String, String)> {
    if document.get("code")? != "pipeline_invalid" {
        return None;
    }
    let mistakes = document.get("errors")?.as_array()?.iter();
    let mistakes = mistakes.map(|one| Told {
        message: one.get("detail").and_then(Value::as_str).unwrap_or_default(),
        hint: one.get("hint").and_then(Value::as_str).unwrap_or_default(),
    });
    Some(told(&mistakes.collect::<Vec<_>>()))
}

/// The detail, and each mistake that it does not name itself.
fn with_mistakes(detail: &str, document: &Value) -> String {
    let mistakes = document.get("errors").and_then(Value::as_array).into_iter().flatten();
    let lines = mistakes.filter_map(|mistake| {
        let (pointer, why) = (mistake.get("pointer")?.as_str()?, mistake.get("detail")?.as_str()?);
        (!detail.contains(why)).then(|| format!("\n  {pointer}: {why}"))
    });
    lines.fold(detail.to_owned(), |text, line| text + &line)
}

/// The remedy as a command, where the server's own names a route.
fn command(document: &Value) -> Option<String> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    match text("code")? {
        "plugin_disabled" => {
            text("plugin_id").map(|plugin| format!("let it take calls: `hardpoint plugin enable {plugin}`"))
        }
        "unknown_plugin" | "plugin_not_found" => Some(
            "`hardpoint plugin health` lists the plugins that there are; `load` takes one that is new"
                .to_owned(),
        ),
        "unknown_pipeline" | "pipeline_not_found" => {
            Some("`hardpoint pipeline list` shows the pipelines that there are".to_owned())
        }
        "job_not_failed" => Some("`hardpoint job show ID` says how far it is".to_owned()),
        "unknown_job" => Some("`hardpoint job list` shows the jobs that there are".to_owned()),
        "scope_missing" => {
            Some("use a token that allows it: `hardpoint token add NAME --scope admin` makes one".to_owned())
        }
        _ => None,
    }
}

fn token_hint(target: &Target) -> String {
    let file = target.token_file.display();
    match (&target.token, target.is_local) {
        (None, true) => format!(
            "set HARDPOINT_TOKEN, or name that server's data folder with `--data-dir DIR`: {file} cannot be read"
        ),
        (None, false) => {
            "set HARDPOINT_TOKEN; on that machine `hardpoint token add NAME --scope run` makes one".to_owned()
        }
        (Some(_), true) => format!(
            "the token in HARDPOINT_TOKEN or {file} is of another server: name the right `--data-dir DIR`"
        ),
        (Some(_), false) => "the token in HARDPOINT_TOKEN is not one of that server's".to_owned(),
    }
}
