//! What an error looks like: a problem document of RFC 9457 with a stable code.
//!
//! Owns the document and the table of codes. Must not know plugins or calls beyond what a document says of them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hardpoint_model::{Category, ExitReason, ResourceShortfall};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// The media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($variant:ident $status:ident $title:literal),* $(,)?) => {
        /// What went wrong, for programs. Never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Code {
            $(#[doc = $title] $variant),*
        }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The status it is sent with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// The same for every problem of this code.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    UnknownRoute NOT_FOUND "There is no such route",
    UnknownPlugin NOT_FOUND "There is no such plugin",
    UnknownJob NOT_FOUND "There is no such job",
    UnknownPipeline NOT_FOUND "There is no such pipeline",
    UnknownSecret NOT_FOUND "There is no such secret",
    ResultNotReady NOT_FOUND "The job is not over yet",
    NoResult NOT_FOUND "There is no such result",
    MethodNotAllowed METHOD_NOT_ALLOWED "This route does not know this method",
    SocketNeeded UPGRADE_REQUIRED "This route is a WebSocket",
    BadRequest BAD_REQUEST "The request cannot be understood",
    BadPath BAD_REQUEST "The path cannot be understood",
    BadQuery UNPROCESSABLE_ENTITY "The query does not fit the route",
    BadHeader UNPROCESSABLE_ENTITY "A header field does not fit the route",
    BadJobId UNPROCESSABLE_ENTITY "This is no id of a job",
    BadJson UNPROCESSABLE_ENTITY "The body is not JSON",
    BadBody UNPROCESSABLE_ENTITY "The body does not fit the route",
    BadForm UNPROCESSABLE_ENTITY "The form cannot be read",
    WrongContentType UNSUPPORTED_MEDIA_TYPE "The body has a type that this route does not read",
    BodyTooLarge PAYLOAD_TOO_LARGE "The body is too large",
    BodyTimeout REQUEST_TIMEOUT "The body took too long",
    HeadersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "The header is too large",
    TokenMissing UNAUTHORIZED "A token is needed",
    TokenUnknown UNAUTHORIZED "The token is not known",
    ScopeMissing FORBIDDEN "The token does not allow this",
    OriginNotAllowed FORBIDDEN "Pages of this origin may not call",
    HostNotAllowed MISDIRECTED_REQUEST "This server does not answer to that name",
    RateLimited TOO_MANY_REQUESTS "Too many requests",
    PluginNotFound BAD_REQUEST "There is no such plugin",
    ToolNotFound BAD_REQUEST "There is no such tool",
    InvalidArgument BAD_REQUEST "An argument cannot be read",
    ArgumentsInvalid UNPROCESSABLE_ENTITY "The arguments do not fit the tool",
    ArgumentsTooLarge PAYLOAD_TOO_LARGE "The arguments are too large",
    ToolsUnclear BAD_REQUEST "It is not clear which tools are meant",
    ToolUnfit BAD_REQUEST "The tool does not work on this",
    WrongMedium BAD_REQUEST "The file is not of the kind that this route takes",
    InputRefused BAD_REQUEST "The tool refused its input",
    StreamTooLong NOT_ACCEPTABLE "The stream is too long for one document",
    ToolTimeout REQUEST_TIMEOUT "The tool took too long",
    ToolFailed BAD_GATEWAY "The tool failed",
    MemoryLimitExceeded BAD_GATEWAY "The plugin used more memory than it may",
    WorkerCrashed BAD_GATEWAY "The plugin's process ended",
    ResultNotSerializable BAD_GATEWAY "The result cannot be sent",
    HookFailed BAD_GATEWAY "The plugin's hook failed",
    PluginBusy TOO_MANY_REQUESTS "The plugin has too many calls",
    ResourceShortage SERVICE_UNAVAILABLE "The plugin needs more memory than is free",
    PluginUnavailable SERVICE_UNAVAILABLE "The plugin takes no calls",
    PluginDisabled SERVICE_UNAVAILABLE "The plugin is disabled",
    StateConflict CONFLICT "The plugin's state does not allow this",
    ConfigInvalid UNPROCESSABLE_ENTITY "The configuration does not fit the plugin",
    SecretInvalid UNPROCESSABLE_ENTITY "This cannot be a secret",
    PipelineNotFound BAD_REQUEST "There is no such pipeline",
    PipelineInvalid UNPROCESSABLE_ENTITY "The pipeline cannot work",
    PipelineExists CONFLICT "There is a pipeline of this name already",
    JobNotFailed CONFLICT "The job has not failed",
    JobOver CONFLICT "The job is over",
    JobNotPending CONFLICT "The job is not pending any more",
    QueueFull SERVICE_UNAVAILABLE "There is no room for another one",
    StoreUnavailable SERVICE_UNAVAILABLE "What must be kept cannot be kept or read",
    HostBusy SERVICE_UNAVAILABLE "The host has too much to do",
    HostStopping SERVICE_UNAVAILABLE "The host is stopping",
    Internal INTERNAL_SERVER_ERROR "The host has a bug",
}

impl Code {
    /// As it is written in JSON.
    pub(crate) fn text(self) -> String {
        let named = serde_json::to_value(self).unwrap_or_default();
        named.as_str().unwrap_or_default().to_owned()
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Mistake {
    /// JSON pointer into the body; for a query or a path, `/` and the parameter's name.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) detail: String,
    /// What to do about it, where that is not the same for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Mistake {
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), hint: None }
    }
}

/// Why a request brought nothing: RFC 9457, with a stable `code`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// `/problems/` and the code; names the kind of problem and is no address.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of this code.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What happened this time.
    detail: String,
    /// What went wrong, for programs.
    pub(crate) code: Code,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What is wrong with the request, place by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{}", code.text()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            hint: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    pub(crate) fn errors(mut self, errors: Vec<Mistake>) -> Self {
        self.errors = errors;
        self
    }

    /// One mistake at one place.
    pub(crate) fn at(self, pointer: impl Into<String>) -> Self {
        let detail = self.detail.clone();
        self.errors(vec![Mistake::at(pointer, detail)])
    }

    pub(crate) fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The response, with a body that has more fields than the document alone.
    pub(crate) fn response_with(&self, body: &impl Serialize) -> Response {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            let challenge = if self.code == Code::TokenMissing {
                "Bearer realm=\"hardpoint\""
            } else {
                "Bearer realm=\"hardpoint\", error=\"invalid_token\""
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response_with(&self)
    }
}

/// Which problems a route ends in is said by hand, route by route.
impl aide::OperationOutput for Problem {
    type Inner = Self;
}

/// A call that failed: the problem document, and what every door says about a failed call.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailedRun {
    #[serde(flatten)]
    pub(crate) problem: Problem,
    /// Always false.
    #[schemars(extend("const" = false))]
    pub(crate) ok: bool,
    /// The plugin's or the host's message.
    pub(crate) error: String,
    /// The exception's class, or the host's name for the failure.
    pub(crate) error_type: String,
    /// Who can mend it.
    pub(crate) category: Category,
    /// Whether the same call may go well another time.
    pub(crate) retriable: bool,
    /// `repr()` of the exception, when one was raised.
    pub(crate) original_exc_repr: Option<String>,
    /// How long to wait before another try, when the plugin says so.
    pub(crate) retry_after_seconds: Option<f64>,
    /// The names of the arguments that are wrong.
    pub(crate) fields_invalid: Option<Vec<String>>,
    /// What ran out, and by how much.
    pub(crate) resource_shortfall: Option<ResourceShortfall>,
    /// The instance that failed; null when it was not called.
    pub(crate) plugin_instance_id: Option<String>,
    /// When it failed; null when it was not called.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(crate) occurred_at: Option<Timestamp>,
    /// The plugin that was called.
    pub(crate) plugin_id: String,
    /// The tool that was called.
    pub(crate) tool_name: String,
    /// How long the request took in the host, in milliseconds.
    pub(crate) processing_time_ms: u64,
    /// How long the caller waited for the plugin, in milliseconds; null when it was not called.
    pub(crate) execution_time_ms: Option<f64>,
    /// How the plugin's process ended, when it did.
    pub(crate) exit_reason: Option<ExitReason>,
    /// The plugin's traceback, when it has one and the host's `traceback_policy` lets it be told.
    pub(crate) traceback: Option<String>,
}

impl IntoResponse for FailedRun {
    fn into_response(self) -> Response {
        self.problem.response_with(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: BTreeSet<String> = Code::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!(status.is_client_error() || status.is_server_error(), "{code:?}");
        }
    }

    #[test]
    fn every_code_is_in_the_reference_with_its_status() {
        let page = include_str!("../../../docs/reference/http.md");
        for code in Code::ALL {
            let start = format!("| {} |", code.status().as_u16());
            let name = format!("`{}`", code.text());
            let found = page.lines().any(|line| line.starts_with(&start) && line.contains(&name));
            assert!(found, "docs/reference/http.md has no row {start} {name}");
        }
    }

    #[test]
    fn a_problem_says_when_to_come_back_in_whole_seconds() {
        let after = Some(Duration::from_millis(1200));
        let response = Problem::new(Code::RateLimited, "x").retry_after(after).into_response();
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
    }
}
