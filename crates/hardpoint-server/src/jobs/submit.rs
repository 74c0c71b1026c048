//! `POST /v1/jobs`: a job is handed in, and is on disk when the answer is sent.
//!
//! Owns the shape of the body. Must not know tools: whether arguments fit is theirs to say, now if they are known, else
//! when the job runs.

use super::body::{self, Fields, fits};
use super::failure;
use crate::app::{App, Shared};
use crate::extract::{JobPath, Path};
use crate::limits::{IDEMPOTENCY_KEY_CHARS_MAX, JOB_ARGS_BYTES_MAX, PIPELINE_ID_CHARS_MAX};
use crate::pipelines::definition;
use crate::problem::{Code, Problem};
use crate::run::{aside, check, checked, misfit, of_refusal, refused};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::jobs::{Document, Submission, Work};
use hardpoint_engine::{Engine, Refusal};
use hardpoint_model::job::{JobId, JobStatus};
use hardpoint_model::limits::{INSTANCE_ID_CHARS_MAX, PLUGIN_NAME_CHARS_MAX, TOOL_NAME_CHARS_MAX};
use hardpoint_model::{Pipeline, PluginRef};
use hardpoint_wire::Payload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) const KEY_HEADER: &str = "idempotency-key";

/// A plugin, an `@` and an instance.
const PLUGIN_ID_CHARS_MAX: usize = PLUGIN_NAME_CHARS_MAX + 1 + INSTANCE_ID_CHARS_MAX;

/// A job to be: one tool (`plugin_id`, `tool_name`), a `pipeline`, or a saved one (`pipeline_id`).
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes the body; reading it by hand names the place of a mistake")]
pub(super) struct SubmitRequest {
    /// Which plugin.
    #[schemars(length(min = 1, max = 193), skip_serializing_if = "Option::is_none")]
    plugin_id: Option<String>,
    /// Which tool of it.
    #[schemars(length(min = 1, max = 128), skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    /// The tool's arguments by name. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    #[schemars(skip_serializing_if = "Option::is_none")]
    args: Option<Map<String, Value>>,
    /// More arguments of the tool; what stands in `args` too is taken from there.
    #[schemars(skip_serializing_if = "Option::is_none")]
    config: Option<Map<String, Value>>,
    /// The stages of a pipeline, or a whole definition.
    #[schemars(with = "PipelineForm", skip_serializing_if = "Option::is_none")]
    pipeline: Option<Value>,
    /// The name of a saved pipeline.
    #[schemars(length(min = 1, max = 64), skip_serializing_if = "Option::is_none")]
    pipeline_id: Option<String>,
    /// What the first stage of a pipeline is given, as `args`.
    #[schemars(skip_serializing_if = "Option::is_none")]
    input: Option<Map<String, Value>>,
    /// Higher is sooner; 0 when absent.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647), skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
    /// A name of the caller's for this submission: the same one is accepted once. The field `Idempotency-Key` of
    /// the header overrules it.
    #[schemars(length(min = 1, max = 255), skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

/// A pipeline, or just its stages.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum PipelineForm {
    Whole(Pipeline),
    Stages(Vec<hardpoint_model::pipeline::Stage>),
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
    let (in_header, bytes) = (key_of(&headers)?, text.len());
    let engine = app.engine.clone();
    let read = move || {
        let submission = of_json(&text)?;
        if let Work::Tool { plugin, tool, args } = &submission.work {
            check_tool(&engine, plugin, tool, &Payload::object(args.clone()).value)?;
        }
        Ok::<_, Problem>(submission)
    };
    let mut submission = aside(bytes, read).await??;
    submission.idempotency_key = in_header.or(submission.idempotency_key);
    accept(&app, submission).await
}

/// `POST /v1/jobs/{id}/rerun`
pub(crate) async fn rerun(
    State(app): Shared,
    path: Path<JobPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let work = Work::Rest(path.0.job()?);
    accept(&app, Submission { work, priority: 0, idempotency_key: key_of(&headers)? }).await
}

async fn accept(app: &App, submission: Submission) -> Result<Response, Problem> {
    let named = submission.idempotency_key.is_some();
    let job_id = app.jobs.submit(submission).await.map_err(failure::submission)?;
    // Only a name can have brought an earlier job; it is kept, whether it can be read just now or not.
    let earlier = if named { app.jobs.job(job_id).await.ok().flatten() } else { None };
    let status = earlier.map_or(JobStatus::Pending, |job| job.status);
    let mut response = (StatusCode::ACCEPTED, Json(Submitted { job_id, status })).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/jobs/{job_id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

const FIELDS: &str = "`plugin_id`, `tool_name`, `args`, `config`, `pipeline`, `pipeline_id`, `input`, `priority` and \
                      `idempotency_key`";

fn of_json(text: &[u8]) -> Result<Submission, Problem> {
    let mut fields = Fields::of(text)?;
    let pipeline = fields.value("pipeline");
    let saved = fields.text("pipeline_id", PIPELINE_ID_CHARS_MAX)?;
    let work = match (pipeline, saved) {
        (None, None) => of_tool(&mut fields, text)?,
        (pipeline, saved) => of_pipeline(&mut fields, pipeline, saved, text)?,
    };
    let priority = fields.number("priority")?.unwrap_or_default();
    let idempotency_key = fields.text("idempotency_key", IDEMPOTENCY_KEY_CHARS_MAX)?;
    fields.end(FIELDS)?;
    Ok(Submission { work, priority, idempotency_key })
}

fn of_tool(fields: &mut Fields, text: &[u8]) -> Result<Work, Problem> {
    let name = fields.needed_text("plugin_id", PLUGIN_ID_CHARS_MAX)?;
    let tool = fields.needed_text("tool_name", TOOL_NAME_CHARS_MAX)?;
    let config = fields.object("config")?;
    let mut args = match (fields.object("args")?, &config) {
        (Some(args), _) => args,
        (None, Some(_)) => Map::new(),
        (None, None) => return Err(body::missing("args")),
    };
    for (name, value) in config.into_iter().flatten() {
        args.entry(name).or_insert(value);
    }
    if fields.object("input")?.is_some() {
        return Err(misfit("/input", "`input` is what a pipeline is given; a tool has `args`"));
    }
    let args = named(args, "args", text)?;
    // What cannot be a name is the name of nothing.
    let plugin: PluginRef = name.parse().map_err(|_| no_plugin(&name))?;
    Ok(Work::Tool { plugin, tool, args })
}

fn of_pipeline(
    fields: &mut Fields,
    pipeline: Option<Value>,
    saved: Option<String>,
    text: &[u8],
) -> Result<Work, Problem> {
    for of_tools in ["plugin_id", "tool_name", "args", "config"] {
        if fields.value(of_tools).is_some() {
            let detail = format!("`{of_tools}` is for a single tool, and there is a pipeline");
            return Err(misfit(&format!("/{of_tools}"), &detail));
        }
    }
    let input = fields.object("input")?.unwrap_or_default();
    let input = named(input, "input", text)?;
    match (pipeline, saved) {
        (Some(pipeline), None) => {
            let definition = definition(pipeline, "/pipeline")?;
            Ok(Work::Pipeline { definition, input })
        }
        (None, Some(id)) => Ok(Work::Saved { id, input }),
        (_, _) => Err(misfit("/pipeline_id", "there is either a `pipeline` or a `pipeline_id`, not both")),
    }
}

/// Arguments as a worker is given them, if what stands for binary data in them can be and the store can take the rest.
fn named(args: Map<String, Value>, name: &str, text: &[u8]) -> Result<Document, Problem> {
    let args = checked(Value::Object(args), &format!("/{name}"), text)?;
    check_size(&args.value, name, text)?;
    Ok(args.into_fields().unwrap_or_default().into_iter().collect())
}

fn check_size(args: &Value, name: &str, text: &[u8]) -> Result<(), Problem> {
    // Written anew, a number can be longer than it was: `1e15` has four characters, and then eighteen.
    if text.len() <= JOB_ARGS_BYTES_MAX / 8 {
        return Ok(());
    }
    let bytes = serde_json::to_vec(args).map_or(usize::MAX, |text| text.len());
    if bytes <= JOB_ARGS_BYTES_MAX {
        return Ok(());
    }
    let detail = format!(
        "the arguments of a job may have {JOB_ARGS_BYTES_MAX} bytes as JSON, binary data not counted"
    );
    let problem = Problem::new(Code::ArgumentsTooLarge, detail).at(format!("/{name}"));
    Err(problem.hint("send what is large as `$bytes`, or pass the path of a file instead"))
}

fn no_plugin(name: &str) -> Problem {
    Problem::new(Code::PluginNotFound, format!("Plugin '{name}' not found"))
        .hint("`GET /v1/plugins` lists every plugin")
        .at("/plugin_id")
}

/// The plugin must be there; the tool too, and it must take the arguments, when it is known which ones there are.
fn check_tool(engine: &Engine, plugin: &PluginRef, tool: &str, args: &Value) -> Result<(), Problem> {
    let plugin = engine.referred(plugin).map_err(|refusal| {
        let problem = refused(&refusal, of_refusal(&refusal));
        if matches!(refusal, Refusal::UnknownPlugin { .. }) { problem.at("/plugin_id") } else { problem }
    })?;
    if !plugin.is_enabled() {
        // Whoever accepts jobs says so.
        return Ok(());
    }
    check(&plugin, tool, args).map(drop).map_err(|misfit| match misfit.problem.code {
        Code::ToolNotFound => misfit.problem.at("/tool_name"),
        _ => misfit.problem,
    })
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

    #[track_caller]
    fn refused_with(body: &Value, code: &str, pointer: &str) {
        let problem = serde_json::to_value(of_json(body.to_string().as_bytes()).unwrap_err()).unwrap();
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
    }

    #[test]
    fn what_is_wrong_with_a_submission_is_named_by_its_place() {
        let with = |field: &str, value: Value| {
            let mut body = json!({"plugin_id": "p", "tool_name": "t", "args": {}});
            body[field] = value;
            body
        };
        refused_with(&json!([]), "bad_body", "");
        refused_with(&json!({"tool_name": "t", "args": {}}), "bad_body", "/plugin_id");
        refused_with(&with("plugin_id", json!("")), "bad_body", "/plugin_id");
        refused_with(&with("plugin_id", json!("P p")), "plugin_not_found", "/plugin_id");
        refused_with(&json!({"plugin_id": "p", "args": {}}), "bad_body", "/tool_name");
        refused_with(&with("tool_name", json!(1)), "bad_body", "/tool_name");
        refused_with(&json!({"plugin_id": "p", "tool_name": "t"}), "bad_body", "/args");
        refused_with(&with("args", json!([])), "bad_body", "/args");
        refused_with(&with("input", json!({})), "bad_body", "/input");
        refused_with(&with("priority", json!(0.5)), "bad_body", "/priority");
        refused_with(&with("idempotency_key", json!("k".repeat(256))), "bad_body", "/idempotency_key");
        refused_with(&with("a/b", json!(1)), "bad_body", "/a~1b");
        let long = "x".repeat(JOB_ARGS_BYTES_MAX);
        refused_with(&with("args", json!({"a": long})), "arguments_too_large", "/args");
        // Binary data does not count.
        let long = "A".repeat(JOB_ARGS_BYTES_MAX);
        read(&with("args", json!({"a": {"$bytes": long}})));
    }

    #[test]
    fn what_is_wrong_with_a_pipeline_is_named_by_its_place() {
        let stage = json!({"plugin": "p", "tool": "t"});
        refused_with(&json!({"pipeline": []}), "bad_body", "/pipeline/stages");
        refused_with(&json!({"pipeline": [{"plugin": "p"}]}), "bad_body", "/pipeline/stages/0/tool");
        refused_with(&json!({"pipeline": [stage], "plugin_id": "p"}), "bad_body", "/plugin_id");
        refused_with(&json!({"pipeline": [stage], "pipeline_id": "a"}), "bad_body", "/pipeline_id");
        refused_with(&json!({"pipeline_id": "a", "input": 1}), "bad_body", "/input");
        let no_base64 = json!({"pipeline_id": "a", "input": {"a": {"$bytes": "!"}}});
        refused_with(&no_base64, "invalid_argument", "/input/a/$bytes");
        refused_with(&json!({"pipeline_id": "a", "args": {}}), "bad_body", "/args");
    }

    fn read(body: &Value) -> Submission {
        of_json(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_submission_is_taken_as_it_was_sent() {
        let body = json!({"plugin_id": "p@fast", "tool_name": "t", "args": {"a": {"$bytes": "AAE="}},
            "config": {"a": 1, "b": 2}, "priority": -3, "idempotency_key": "k"});
        let Submission { work, priority, idempotency_key } = read(&body);
        let Work::Tool { plugin, tool, args } = work else { panic!("{work:?}") };
        assert_eq!((plugin.to_string().as_str(), tool.as_str(), priority), ("p@fast", "t", -3));
        let args = Payload::object(args);
        assert_eq!((args.blobs.len(), args.blobs[0].len()), (1, 2));
        assert_eq!(args.value, json!({"a": {"$blob": 0}, "b": 2}));
        assert_eq!(idempotency_key.as_deref(), Some("k"));
        let read = read(&json!({"plugin_id": "p", "tool_name": "t", "config": {}, "priority": null}));
        assert_eq!((read.priority, read.idempotency_key), (0, None));
    }

    #[test]
    fn a_pipeline_comes_whole_as_its_stages_or_by_its_name() {
        let stage = json!({"plugin": "p", "tool": "t"});
        for pipeline in [json!([stage]), json!({"stages": [stage]})] {
            let read = read(&json!({"pipeline": pipeline, "input": {"a": 1}}));
            let Work::Pipeline { definition, input } = read.work else { panic!("{:?}", read.work) };
            assert_eq!((definition.stages.len(), &input["a"].value), (1, &json!(1)));
        }
        let read = read(&json!({"pipeline_id": "soccer-analysis"}));
        assert!(
            matches!(read.work, Work::Saved { id, input } if id == "soccer-analysis" && input.is_empty())
        );
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
