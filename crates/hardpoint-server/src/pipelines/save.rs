//! Saving pipelines: a new one, the next version of one, and the end of one.

use super::failure::{definition, mistakes, unknown};
use super::look::{PipelineView, view};
use crate::app::{App, Shared};
use crate::disk;
use crate::extract::{Path, PipelinePath, Query};
use crate::jobs::read_json;
use crate::problem::{Code, Problem};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::jobs::{SaveError, Saving};
use hardpoint_model::Pipeline;
use hardpoint_model::job::JobId;
use hardpoint_model::limits::PIPELINE_BYTES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether it is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateQuery {
    /// Whether it is only looked whether the pipeline could be saved; false when absent.
    #[schemars(extend("default" = false), skip_serializing_if = "Option::is_none")]
    check: Option<bool>,
}

/// `POST /v1/pipelines`
pub(crate) async fn create(
    State(app): Shared,
    query: Query<CreateQuery>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let definition = read(request).await?;
    if query.0.check == Some(true) {
        let found = app.jobs.check(&definition, None).await.map_err(|e| disk::refused(&e))?;
        return if found.is_empty() {
            Ok(Json(Checked { ok: true }).into_response())
        } else {
            Err(mistakes(found, ""))
        };
    }
    let id = definition.name.clone().unwrap_or_else(name);
    let saved = save(&app, &id, definition, Saving::New).await?;
    let mut response = (StatusCode::CREATED, Json(saved)).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/pipelines/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Nothing is wrong with a pipeline, as far as can be known.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// Always true.
    #[schemars(extend("const" = true))]
    ok: bool,
}

/// `PUT /v1/pipelines/{id}`
pub(crate) async fn replace(
    State(app): Shared,
    path: Path<PipelinePath>,
    request: Request<Body>,
) -> Result<Json<PipelineView>, Problem> {
    let (id, definition) = (path.0.id, read(request).await?);
    if let Some(name) = definition.name.as_ref().filter(|name| **name != id) {
        let detail = format!("the pipeline is `{id}`, and `name` says `{name}`");
        let problem = Problem::new(Code::BadBody, detail).at("/name");
        return Err(problem.hint("leave `name` out; another name is another pipeline"));
    }
    save(&app, &id, definition, Saving::Next).await.map(Json)
}

/// `DELETE /v1/pipelines/{id}`
pub(crate) async fn delete(State(app): Shared, path: Path<PipelinePath>) -> Result<StatusCode, Problem> {
    let there = app.jobs.delete_pipeline(&path.0.id).await.map_err(|e| disk::refused(&e))?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&path.0.id)) }
}

async fn read(request: Request<Body>) -> Result<Pipeline, Problem> {
    definition(read_json(request, PIPELINE_BYTES_MAX).await?, "")
}

async fn save(app: &App, id: &str, definition: Pipeline, saving: Saving) -> Result<PipelineView, Problem> {
    match app.jobs.save_pipeline(id, definition, saving).await {
        Ok(saved) => view(app, saved).await,
        Err(SaveError::Mistakes(found)) => Err(mistakes(found, "")),
        Err(SaveError::Exists(id)) => {
            let problem = Problem::new(Code::PipelineExists, format!("there is a pipeline `{id}` already"));
            Err(problem.hint(format!("`PUT /v1/pipelines/{id}` saves its next version")))
        }
        Err(SaveError::Unknown(id)) => Err(unknown(&id)),
        Err(error @ SaveError::Full) => {
            Err(Problem::new(Code::QueueFull, error.to_string()).hint("delete one that nobody needs"))
        }
        Err(SaveError::Store(error)) => Err(disk::refused(&error)),
    }
}

/// A name for a pipeline that has none.
fn name() -> String {
    let unique = JobId::now().to_string();
    format!("pipeline-{}", unique.get(24..).unwrap_or(&unique))
}
