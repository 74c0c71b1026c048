//! `GET /v1/jobs/{id}/pipeline`: how far each stage of a job is.
//!
//! Owns the shape of the answer.

use super::failure::find;
use crate::app::Shared;
use crate::disk;
use crate::extract::{JobPath, Path};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use hardpoint_model::JobError;
use hardpoint_model::Pipeline;
use hardpoint_model::job::{Job, JobId, JobStatus, Stage};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// How far the stages of a job are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PipelineState {
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// Where it stands.
    status: JobStatus,
    /// The saved pipeline that it is a run of.
    pipeline_id: Option<String>,
    /// Which version of it.
    pipeline_version: Option<u32>,
    /// What it runs; null for a job of one tool.
    pipeline: Option<Pipeline>,
    /// The failed job whose finished stages it begins with.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    resumes: Option<JobId>,
    /// How many stages ended well.
    stages_executed: usize,
    /// The stage that runs or waits, from 0; null when the job is over.
    current_stage: Option<usize>,
    /// Each stage.
    stages: Vec<StageState>,
}

/// How far a stage is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StageState {
    /// Counted from 0.
    index: usize,
    /// Its plugin, perhaps an instance of it.
    plugin: String,
    /// Its tool.
    tool: String,
    /// Where it stands.
    status: JobStatus,
    /// How often it was begun.
    attempts: u32,
    /// When its last try began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    ended_at: Option<Timestamp>,
    /// How long its last try took, or has taken so far.
    duration_ms: Option<u64>,
    /// Why it failed, the last time that it did.
    #[schemars(with = "Option<Value>")]
    error: Option<JobError>,
    /// The size of what it brought, binary data included.
    output_bytes: Option<u64>,
}

pub(crate) async fn pipeline(
    State(app): Shared,
    path: Path<JobPath>,
) -> Result<Json<PipelineState>, Problem> {
    let job = find(&app, path.0.job()?).await?;
    let pipeline = app.jobs.definition(job.job_id).await.map_err(|e| disk::refused(&e))?;
    Ok(Json(state(job, pipeline)))
}

fn state(job: Job, pipeline: Option<Pipeline>) -> PipelineState {
    let over = |stage: &&Stage| stage.status.is_terminal();
    let current = job.stages.iter().take_while(over).count();
    PipelineState {
        job_id: job.job_id,
        status: job.status,
        pipeline_id: job.pipeline_id,
        pipeline_version: job.pipeline_version,
        pipeline,
        resumes: job.resumes,
        stages_executed: job.stages.iter().filter(|stage| stage.status == JobStatus::Completed).count(),
        current_stage: (!job.status.is_terminal()).then_some(current),
        stages: job
            .stages
            .into_iter()
            .enumerate()
            .map(|(index, stage)| StageState::of(index, stage))
            .collect(),
    }
}

impl StageState {
    fn of(index: usize, stage: Stage) -> Self {
        let until = stage.ended_at.unwrap_or_else(Timestamp::now);
        let took = stage.started_at.map(|from| until.duration_since(from).as_millis());
        Self {
            index,
            plugin: stage.plugin.to_string(),
            tool: stage.tool,
            status: stage.status,
            attempts: stage.attempts,
            started_at: stage.started_at,
            ended_at: stage.ended_at,
            duration_ms: took.and_then(|took| u64::try_from(took).ok()),
            error: stage.error,
            output_bytes: stage.output_bytes,
        }
    }
}
