//! What a call that went well is answered with.

use super::aside::aside;
use crate::extract::ToolPath;
use crate::limits::RESULT_BYTES_MAX;
use crate::problem::{Code, FailedRun, Problem};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hardpoint_engine::Done;
use hardpoint_wire::Unwritable;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Instant;

/// Which tool is run, and since when.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) plugin: String,
    pub(super) tool: String,
    began: Instant,
}

/// A call that went well.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunDone {
    /// Always true.
    #[schemars(extend("const" = true))]
    ok: bool,
    /// What the tool returned. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    result: Value,
    /// What the tool yielded, in order; only there when it is a streaming tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Value>>,
    /// Always null.
    #[schemars(with = "()")]
    error: Option<()>,
    /// Always null.
    #[schemars(with = "()")]
    error_type: Option<()>,
    /// Always null.
    #[schemars(with = "()")]
    category: Option<()>,
    /// How long the plugin's code ran, in milliseconds.
    execution_time_ms: f64,
    /// The tool that was called.
    tool_name: String,
    /// The plugin that was called.
    plugin_id: String,
    /// How long the request took in the host, in milliseconds.
    processing_time_ms: u64,
}

impl RunDone {
    /// What the tool brought; of one that streams its items too, as a job has them.
    pub(crate) fn into_result(self) -> Value {
        match self.items {
            Some(items) => json!({"items": items, "result": self.result}),
            None => self.result,
        }
    }
}

impl Subject {
    pub(super) fn new(path: ToolPath) -> Self {
        Self { plugin: path.name, tool: path.tool, began: Instant::now() }
    }

    pub(super) fn processing_time_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The document of a call that went well.
pub(super) fn done(
    subject: &Subject,
    done: Done,
    items: Option<Vec<Value>>,
) -> Result<RunDone, Box<FailedRun>> {
    let execution_time_ms = done.output.execution_time_ms;
    let result = done.output.result.into_json(RESULT_BYTES_MAX).map_err(|e| unwritable(subject, &e))?;
    Ok(RunDone {
        ok: true,
        result,
        items,
        error: None,
        error_type: None,
        category: None,
        execution_time_ms,
        tool_name: subject.tool.clone(),
        plugin_id: subject.plugin.clone(),
        processing_time_ms: subject.processing_time_ms(),
    })
}

/// A result or an item that is too much for a JSON document.
pub(super) fn unwritable(subject: &Subject, error: &Unwritable) -> Box<FailedRun> {
    let detail = format!("the result of `{}.{}` cannot be sent: {error}", subject.plugin, subject.tool);
    let problem = Problem::new(Code::ResultNotSerializable, detail)
        .hint("let the tool write a file and return its path");
    let mut run = subject.problem(problem);
    "ResultNotSerializable".clone_into(&mut run.error_type);
    run.category = hardpoint_model::Category::Fatal;
    run
}

/// The whole answer, one JSON document.
pub(super) async fn document(
    subject: &Subject,
    done: Done,
    items: Option<Vec<Value>>,
) -> Result<Response, Box<FailedRun>> {
    let write = |done: RunDone| serde_json::to_vec(&done).unwrap_or_default();
    let body = made(subject, done, items, write).await?;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The same for those who write it themselves.
pub(super) async fn written(
    subject: &Subject,
    done: Done,
    items: Option<Vec<Value>>,
) -> Result<RunDone, Box<FailedRun>> {
    made(subject, done, items, |done| done).await
}

async fn made<T: Send + 'static>(
    subject: &Subject,
    done: Done,
    items: Option<Vec<Value>>,
    write: impl FnOnce(RunDone) -> T + Send + 'static,
) -> Result<T, Box<FailedRun>> {
    let binary: u64 = done.output.result.blobs.iter().map(hardpoint_wire::Blob::len).sum();
    let own = subject.clone();
    let work = move || self::done(&own, done, items).map(write);
    let bytes = usize::try_from(binary).unwrap_or(usize::MAX);
    aside(bytes, work).await.map_err(|problem| subject.problem(problem))?
}
