//! `POST /v1/jobs`: a job is handed in, and is on disk when the answer is sent.
//!
//! Owns the shape of the body. Must not know tools: whether arguments fit is theirs to say when the job runs.

use super::body::{self, Fields, fits};
use super::failure;
use crate::app::{App, Shared};
use crate::limits::{IDEMPOTENCY_KEY_CHARS_MAX, JOB_ARGS_BYTES_MAX};
use crate::problem::{Code, Problem};
use crate::run::{aside, check_markers, may_hold_markers, misfit, of_refusal, refused};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::Refusal;
use hardpoint_engine::jobs::Submission;
use hardpoint_model::PluginRef;
use hardpoint_model::job::{JobId, JobStatus};
use hardpoint_model::limits::{INSTANCE_ID_CHARS_MAX, PLUGIN_NAME_CHARS_MAX, TOOL_NAME_CHARS_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) const KEY_HEADER: &str = "idempotency-key";

/// A plugin, an `@` and an instance.
const PLUGIN_ID_CHARS_MAX: usize = PLUGIN_NAME_CHARS_MAX + 1 + INSTANCE_ID_CHARS_MAX;

/// A job to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes the body; reading it by hand names the place of a mistake")]
pub(super) struct SubmitRequest {
    /// Which plugin.
    #[schemars(length(min = 1, max = 193))]
    plugin_id: String,
    /// Which tool of it.
    #[schemars(length(min = 1, max = 128))]
    tool_name: String,
    /// The tool's arguments by name. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    args: Map<String, Value>,
    /// Higher is sooner; 0 when absent.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647), skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
    /// A name of the caller's for this submission: the same one is accepted once. The field `Idempotency-Key` of
    /// the header overrules it.
    #[schemars(length(min = 1, max = 255), skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

/// A job that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Submitted {
    /// Its id.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// Where it stands: `pending`, unless the idempotency key is that of an earlier job.
    status: JobStatus,
}

/// `POST /v1/jobs`
pub(crate) async fn submit(State(app): Shared, request: Request<Body>) -> Result<Response, Problem> {
    let (headers, text) = body::read(request, app.settings.body_bytes_max).await?;
    let in_header = key_of(&headers)?;
    let mut submission = aside(text.len(), move || of_json(&text)).await??;
    submission.idempotency_key = in_header.or(submission.idempotency_key);
    check_tool(&app, &submission)?;
    let named = submission.idempotency_key.is_some();
    let job_id = app.jobs.submit(submission).await.map_err(|e| failure::submission(&e))?;
    // Only a name can have brought an earlier job; it is kept, whether it can be read just now or not.
    let earlier = if named { app.jobs.job(job_id).await.ok().flatten() } else { None };
    let status = earlier.map_or(JobStatus::Pending, |job| job.status);
    let mut response = (StatusCode::ACCEPTED, Json(Submitted { job_id, status })).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/jobs/{job_id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn of_json(text: &[u8]) -> Result<Submission, Problem> {
    let mut fields = Fields::of(text)?;
    let name = fields.needed_text("plugin_id", PLUGIN_ID_CHARS_MAX)?;
    let tool = fields.needed_text("tool_name", TOOL_NAME_CHARS_MAX)?;
    let args = fields.object("args")?;
    let priority = fields.number("priority")?.unwrap_or_default();
    let idempotency_key = fields.text("idempotency_key", IDEMPOTENCY_KEY_CHARS_MAX)?;
    fields.end("`plugin_id`, `tool_name`, `args`, `priority` and `idempotency_key`")?;
    let args = check_args(args, text)?;
    // What cannot be a name is the name of nothing.
    let plugin: PluginRef = name.parse().map_err(|_| no_plugin(&name))?;
    Ok(Submission { plugin, tool, args, priority, idempotency_key })
}

/// Arguments that the store and a worker can take.
fn check_args(args: Map<String, Value>, text: &[u8]) -> Result<Map<String, Value>, Problem> {
    let args = Value::Object(args);
    // Written anew, a number can be longer than it was: `1e15` has four characters, and then eighteen.
    if text.len() > JOB_ARGS_BYTES_MAX / 8 {
        let bytes = serde_json::to_vec(&args).map_or(usize::MAX, |text| text.len());
        if bytes > JOB_ARGS_BYTES_MAX {
            let detail = format!("the arguments of a job may have {JOB_ARGS_BYTES_MAX} bytes as JSON");
            let problem = Problem::new(Code::ArgumentsTooLarge, detail).at("/args");
            return Err(problem.hint("pass the path of a file instead"));
        }
    }
    if may_hold_markers(text) {
        check_markers(&args)?;
    }
    match args {
        Value::Object(args) => Ok(args),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(misfit("/args", "`args` must be an object"))
        }
    }
}

fn no_plugin(name: &str) -> Problem {
    Problem::new(Code::PluginNotFound, format!("Plugin '{name}' not found"))
        .hint("`GET /v1/plugins` lists every plugin")
        .at("/plugin_id")
}

/// The plugin must be there; the tool too, when it is known which ones there are.
fn check_tool(app: &App, submission: &Submission) -> Result<(), Problem> {
    let (name, tool) = (submission.plugin.to_string(), &submission.tool);
    let plugin = app.engine.plugin(&name).map_err(|refusal| {
        let problem = refused(&refusal, of_refusal(&refusal));
        if matches!(refusal, Refusal::UnknownPlugin { .. }) { problem.at("/plugin_id") } else { problem }
    })?;
    if !plugin.is_enabled() || !plugin.has_worker() || plugin.tool(tool).is_some() {
        return Ok(());
    }
    let known = plugin.tool_names();
    let detail = format!("Tool '{tool}' not found in plugin '{name}'. Available: {known:?}");
    let problem = Problem::new(Code::ToolNotFound, detail).at("/tool_name");
    Err(problem.hint(format!("`GET /v1/plugins/{name}/tools` shows what each tool takes")))
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut fields = headers.get_all(KEY_HEADER).iter();
    let (first, second) = (fields.next(), fields.next());
    let Some(first) = first else { return Ok(None) };
    let graphic = first.as_bytes().iter().all(u8::is_ascii_graphic);
    match first.to_str() {
        Ok(key) if graphic && second.is_none() && fits(key, IDEMPOTENCY_KEY_CHARS_MAX) => {
            Ok(Some(key.to_owned()))
        }
        _ => {
            let max = IDEMPOTENCY_KEY_CHARS_MAX;
            let detail =
                format!("`Idempotency-Key` must be one field of 1 to {max} visible ASCII characters");
            Err(Problem::new(Code::BadHeader, detail).at("/idempotency-key"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_with_a_submission_is_named_by_its_place() {
        let long = "k".repeat(256);
        let cases = [
            (json!([]), "bad_body", ""),
            (json!({"tool_name": "t", "args": {}}), "bad_body", "/plugin_id"),
            (json!({"plugin_id": "", "tool_name": "t", "args": {}}), "bad_body", "/plugin_id"),
            (json!({"plugin_id": "P p", "tool_name": "t", "args": {}}), "plugin_not_found", "/plugin_id"),
            (json!({"plugin_id": "p", "args": {}}), "bad_body", "/tool_name"),
            (json!({"plugin_id": "p", "tool_name": 1, "args": {}}), "bad_body", "/tool_name"),
            (json!({"plugin_id": "p", "tool_name": "t"}), "bad_body", "/args"),
            (json!({"plugin_id": "p", "tool_name": "t", "args": []}), "bad_body", "/args"),
            (
                json!({"plugin_id": "p", "tool_name": "t", "args": {}, "priority": 0.5}),
                "bad_body",
                "/priority",
            ),
            (
                json!({"plugin_id": "p", "tool_name": "t", "args": {}, "idempotency_key": long}),
                "bad_body",
                "/idempotency_key",
            ),
            (json!({"plugin_id": "p", "tool_name": "t", "args": {}, "a/b": 1}), "bad_body", "/a~1b"),
            (
                json!({"plugin_id": "p", "tool_name": "t", "args": {"a": {"$bytes": "!"}}}),
                "invalid_argument",
                "/args/a/$bytes",
            ),
            (
                json!({"plugin_id": "p", "tool_name": "t", "args": {"a": "x".repeat(JOB_ARGS_BYTES_MAX)}}),
                "arguments_too_large",
                "/args",
            ),
        ];
        for (body, code, pointer) in cases {
            let problem = serde_json::to_value(of_json(body.to_string().as_bytes()).unwrap_err()).unwrap();
            assert_eq!(problem["code"], code, "{problem:#}");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
        }
    }

    #[test]
    fn a_submission_is_taken_as_it_was_sent() {
        let body = json!({"plugin_id": "p@fast", "tool_name": "t", "args": {"a": {"$bytes": "AAE="}},
            "priority": -3, "idempotency_key": "k"});
        let read = of_json(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.plugin.to_string(), "p@fast");
        assert_eq!((read.tool.as_str(), read.priority), ("t", -3));
        assert_eq!(Value::Object(read.args), body["args"]);
        assert_eq!(read.idempotency_key.as_deref(), Some("k"));
        let body = json!({"plugin_id": "p", "tool_name": "t", "args": {}, "priority": null});
        let read = of_json(body.to_string().as_bytes()).unwrap();
        assert_eq!((read.priority, read.idempotency_key), (0, None));
    }

    #[test]
    fn a_key_in_the_header_is_one_visible_word() {
        let long = "k".repeat(256);
        for (fields, expected) in [
            (vec![], Ok(None)),
            (vec!["a-1"], Ok(Some("a-1".to_owned()))),
            (vec!["a", "a"], Err(())),
            (vec![""], Err(())),
            (vec!["a b"], Err(())),
            (vec![long.as_str()], Err(())),
        ] {
            let mut headers = HeaderMap::new();
            for field in &fields {
                headers.append(KEY_HEADER, HeaderValue::from_str(field).unwrap());
            }
            assert_eq!(key_of(&headers).map_err(drop), expected, "{fields:?}");
        }
    }
}
