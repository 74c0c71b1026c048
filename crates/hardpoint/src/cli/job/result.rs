//! `hardpoint job result ID`: what a job brought, shown as the result of a call.

use super::page;
use crate::cli::answer::{self, Ending, Place};
use crate::cli::exit_code::Code;
use crate::cli::files;
use crate::cli::live::{Scene, patiently};
use crate::cli::pipeline::{self, RunEnd, Shown};
use crate::cli::told::Door;
use crate::client::{Client, typed};
use crate::embedded::{Document, Failure};
use clap::Args;
use hardpoint_model::job::{Job, JobId, JobStatus};
use hardpoint_model::{Category, JobError};
use hardpoint_wire::Payload;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Whose result.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hardpoint job result 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job result 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --json

Exit codes: 0 it completed; 1 it failed or was cancelled; 2 there is no such job, or it is not over.")]
pub(in crate::cli) struct JobResult {
    /// Id of the job
    id: JobId,
    /// Folder for binary results
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: &JobResult, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    let client = scene.client()?;
    let job: Job = typed(&patiently(client.job(args.id)).await?)?;
    show(&client, &job, args.out.as_deref(), scene.shared.json).await
}

/// The end of a job that is over.
pub(super) async fn show(
    client: &Client,
    job: &Job,
    out: Option<&Path>,
    json: bool,
) -> Result<Code, Failure> {
    let plugin = job.stages.first().map_or("job", |stage| stage.plugin.instance.as_str());
    if !job.status.is_terminal() {
        return Err(Failure::request(
            format!("job {} is {}: it has no result yet", job.job_id, job.status),
            format!("`hardpoint job wait {}` waits until it is over", job.job_id),
        ));
    }
    if is_pipeline(client, job).await? {
        return of_pipeline(client, job, out, json).await;
    }
    let (ending, code) = if job.status == JobStatus::Completed {
        let document = patiently(client.job_result(job.job_id)).await?;
        let result = Payload::from_json(document.get("result").cloned().unwrap_or(Value::Null))?;
        let took = page::took(job).unwrap_or_default();
        (Ending::Done { result, execution_time_ms: took.as_secs_f64() * 1000.0 }, Code::Ok)
    } else {
        let error = job.error.clone().unwrap_or_else(|| without_error(job, plugin));
        (Ending::Failed { error: Box::new(error), exit_reason: None, door: Door::Server }, Code::Tool)
    };
    answer::show(ending, &Place { plugin, out, json })?;
    Ok(code)
}

/// A single stage may be a pipeline of one.
async fn is_pipeline(client: &Client, job: &Job) -> Result<bool, Failure> {
    if job.stages.len() > 1 || job.pipeline_id.is_some() {
        return Ok(true);
    }
    let state = patiently(client.job_pipeline(job.job_id)).await?;
    Ok(state.get("pipeline").is_some_and(|pipeline| !pipeline.is_null()))
}

/// The end of a run of a pipeline.
async fn of_pipeline(client: &Client, job: &Job, out: Option<&Path>, json: bool) -> Result<Code, Failure> {
    let document = patiently(client.job_result(job.job_id)).await?;
    let shown = Shown {
        name: job.pipeline_id.as_deref().unwrap_or("pipeline"),
        out,
        json,
        door: Door::Server,
        input: &Document::new(),
        took: page::took(job),
        again: Some(format!("hardpoint job rerun {}", job.job_id)),
    };
    let ended = pipeline::show(RunEnd::of_document(document, job)?, &shown)?;
    Ok(if ended == Code::Ok { Code::Ok } else { Code::Tool })
}

/// Nothing went wrong with a job that was cancelled.
fn without_error(job: &Job, plugin: &str) -> JobError {
    let message = format!("job {} was {}", job.job_id, job.status);
    let mut error = JobError::new(Category::Transient, "Cancelled", message);
    error.plugin_name = Some(plugin.to_owned());
    error
}
