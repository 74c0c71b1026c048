//! Jobs about images and videos, handed in as clients of other hosts do: `POST /v1/image/submit` and `/v1/video/…`.
//!
//! Owns what each tool of such a job is given. What a job is, the queue knows.

use super::choice::{self, Choice, ChoiceQuery, ToldTool};
use super::tool::{self, IMAGE_BASE64, IMAGE_BYTES, Medium, VIDEO_PATH};
use super::{upload, uploads};
use crate::app::{App, Shared};
use crate::extract::Query;
use crate::jobs;
use crate::problem::{Code, Problem};
use crate::run::{aside, misfit};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Request;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hardpoint_engine::jobs::{Document, Submission, Work};
use hardpoint_model::Pipeline;
use hardpoint_model::job::JobId;
use hardpoint_model::pipeline::Stage;
use hardpoint_wire::{Blob, Payload};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A job that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Queued {
    /// Its id.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// The plugin.
    plugin: String,
    /// Always `queued`.
    #[schemars(extend("const" = "queued"))]
    status: &'static str,
    /// When it was accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    submitted_at: Timestamp,
    /// Its tool, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    /// Its tools, when it has several, or when they were asked for by what is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ToldTool>>,
}

/// `POST /v1/image/submit`
pub(crate) async fn image(
    State(app): Shared,
    query: ChoiceQuery,
    request: Request<Body>,
) -> Result<Json<Queued>, Problem> {
    let choice = Choice::of(&app, query, Medium::Image)?;
    let bytes = upload::image(request, app.settings.body_bytes_max).await?;
    let given = Given::of_image(&choice, bytes).await?;
    queued(&app, choice, given).await.map(Json)
}

/// `POST /v1/video/submit`
pub(crate) async fn video(
    State(app): Shared,
    query: ChoiceQuery,
    request: Request<Body>,
) -> Result<Json<Queued>, Problem> {
    let choice = Choice::of(&app, query, Medium::Video)?;
    let path = upload::video(&app, request).await?;
    // If no job comes of it, nobody wants the file, and it goes as others do.
    queued(&app, choice, Given::of_video(&path.to_string_lossy())).await.map(Json)
}

/// Which plugin a video is for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct UploadQuery {
    /// The plugin.
    #[schemars(length(min = 1, max = 193))]
    plugin_id: String,
}

/// A video that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    /// What `POST /v1/video/job` knows it by.
    video_path: String,
}

/// `POST /v1/video/upload`
pub(crate) async fn upload_video(
    State(app): Shared,
    query: Query<UploadQuery>,
    request: Request<Body>,
) -> Result<Json<Uploaded>, Problem> {
    choice::plugin(&app, &query.0.plugin_id)?;
    let path = upload::video(&app, request).await?;
    Ok(Json(Uploaded { video_path: uploads::name_of(&path) }))
}

/// A job about a video that was handed in before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VideoJob {
    /// The plugin.
    #[schemars(length(min = 1, max = 193))]
    plugin_id: String,
    /// What `POST /v1/video/upload` answered.
    video_path: String,
    /// The tools.
    #[serde(rename = "lockedTools")]
    #[schemars(length(min = 1, max = 64))]
    locked_tools: Vec<String>,
}

/// The job that was made of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VideoQueued {
    /// Its id.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
}

/// `POST /v1/video/job`
pub(crate) async fn video_job(
    State(app): Shared,
    request: Request<Body>,
) -> Result<Json<VideoQueued>, Problem> {
    let body = jobs::read_json(request, app.settings.body_bytes_max).await?;
    let VideoJob { plugin_id, video_path, locked_tools } =
        serde_json::from_value(body).map_err(|e| misfit("", &e.to_string()))?;
    let choice = Choice::named(&app, plugin_id, locked_tools, Medium::Video)?;
    let Some(path) = uploads::find(&app, &video_path).await else {
        let detail = "there is no such video; it may have been let go of";
        let hint = "hand it in with `POST /v1/video/upload`, and use what that answers";
        return Err(Problem::new(Code::WrongMedium, detail).at("/video_path").hint(hint));
    };
    let queued = queued(&app, choice, Given::of_video(&path.to_string_lossy())).await?;
    Ok(Json(VideoQueued { job_id: queued.job_id }))
}

/// What the tools of a job are given.
struct Given {
    /// The medium itself, under the name by which a pipeline passes it on.
    input: Document,
    /// More arguments.
    more: Map<String, Value>,
}

impl Given {
    /// Some plugins take images as text, and then with what they are used to beside it: the manifest of the first tool says.
    async fn of_image(choice: &Choice, bytes: Bytes) -> Result<Self, Problem> {
        let first = choice.tools.first().map(|tool| tool.name.as_str()).unwrap_or_default();
        let inputs = tool::inputs(&choice.plugin, first);
        let lists = |name: &str| inputs.iter().any(|input| input == name);
        if !lists(IMAGE_BASE64) {
            let blob = aside(bytes.len(), || Blob::new(bytes)).await?;
            let blob = blob.map_err(|e| uploads::not_written(&e))?;
            let input = Document::from_iter([(IMAGE_BYTES.to_owned(), Payload::blob(blob))]);
            return Ok(Self { input, more: Map::new() });
        }
        let text = aside(bytes.len(), move || BASE64_STANDARD.encode(bytes)).await?;
        let input = Document::from_iter([(IMAGE_BASE64.to_owned(), Payload::literal(json!(text)))]);
        let usual = [("language", json!("eng")), ("psm", json!(6))];
        let more = usual.into_iter().filter(|(name, _)| lists(name));
        Ok(Self { input, more: more.map(|(name, value)| (name.to_owned(), value)).collect() })
    }

    fn of_video(path: &str) -> Self {
        Self { input: Document::new(), more: Map::from_iter([(VIDEO_PATH.to_owned(), json!(path))]) }
    }

    /// One tool is a job as any other; several are the stages of one, each with the same medium.
    fn work(self, choice: &Choice) -> Result<Work, Problem> {
        let name = &choice.plugin.name;
        let plugin = name.parse().map_err(|_| {
            Problem::new(Code::PluginNotFound, format!("Plugin '{name}' not found")).at("/plugin_id")
        })?;
        if let [only] = choice.tools.as_slice() {
            let under = |name: String| renamed(choice, &only.name, name);
            let mut args: Document =
                self.input.into_iter().map(|(name, value)| (under(name), value)).collect();
            args.extend(self.more.into_iter().map(|(name, value)| (name, Payload::literal(value))));
            return Ok(Work::Tool { plugin, tool: only.name.clone(), args });
        }
        let stage = |tool: &str| {
            let from = |name: &String| json!({"$from": format!("/input/{name}")});
            let passed = self.input.keys().map(|name| (renamed(choice, tool, name.clone()), from(name)));
            let args = passed.chain(self.more.clone()).collect();
            Stage {
                plugin: plugin.clone(),
                tool: tool.to_owned(),
                config: Map::new(),
                args: Some(args),
                timeout_seconds: None,
                retries: None,
            }
        };
        let stages = choice.tools.iter().map(|tool| stage(&tool.name)).collect();
        Ok(Work::Pipeline { definition: Pipeline::of_stages(stages), input: self.input })
    }
}

/// The name under which a tool takes what all know as `image_bytes`.
fn renamed(choice: &Choice, tool: &str, name: String) -> String {
    let found = choice.plugin.tool(tool).filter(|_| name == IMAGE_BYTES);
    found.and_then(|tool| tool::image_argument(&tool.info.input_schema)).map_or(name, str::to_owned)
}

async fn queued(app: &App, choice: Choice, given: Given) -> Result<Queued, Problem> {
    let submission = Submission { work: given.work(&choice)?, priority: 0, idempotency_key: None };
    let submitted_at = Timestamp::now();
    let job_id = app.jobs.submit(submission).await.map_err(jobs::submission)?;
    let Choice { plugin, tools } = choice;
    let single = match tools.as_slice() {
        [only] if only.wanted.is_none() => Some(only.name.clone()),
        _ => None,
    };
    let several = single.is_none().then(|| tools.into_iter().map(ToldTool::from).collect());
    let plugin = plugin.name.clone();
    Ok(Queued { job_id, plugin, status: "queued", submitted_at, tool: single, tools: several })
}
