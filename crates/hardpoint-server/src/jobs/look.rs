//! Looking at jobs: some of them, one of them, what one brought.
//!
//! Owns pages. What is shown is what is on disk.

use super::failure::find;
use crate::accept;
use crate::app::{App, Shared};
use crate::compat::{self, ShownJob};
use crate::disk;
use crate::extract::{JobPath, Path, Query};
use crate::limits::{JOBS, JOBS_MAX, JOBS_PER_READ, JOBS_SKIP_MAX, LARGE_BYTES, RESULT_BYTES_MAX};
use crate::problem::{Code, Problem};
use crate::run::aside;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hardpoint_model::JobError;
use hardpoint_model::job::{Job, JobId, JobStatus};
use hardpoint_model::pipeline::{PipelineFailure, PipelineResult};
use hardpoint_store::JobFilter;
use hardpoint_wire::Payload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const BINARY: &str = "application/octet-stream";

/// Which jobs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobsQuery {
    /// Only jobs of these statuses, with commas between them.
    #[schemars(
        regex(
            pattern = r"^(pending|running|completed|failed|cancelled)(,(pending|running|completed|failed|cancelled)){0,4}$"
        ),
        skip_serializing_if = "Option::is_none"
    )]
    status: Option<String>,
    /// Only jobs with a stage of this plugin.
    #[schemars(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// How many at most.
    #[schemars(range(min = 1, max = 1000), extend("default" = JOBS), skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// Without the first so many of them; `cursor` is the better way to page.
    #[schemars(
        range(min = 0, max = 1_000_000),
        extend("default" = 0),
        skip_serializing_if = "Option::is_none"
    )]
    skip: Option<u32>,
    /// Go on where an earlier page ended: its `next`.
    #[schemars(regex(pattern = r"^[0-9]{1,18}$"), skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JobsAnswer {
    /// The jobs, newest first. The `args` of their stages are left out: `{}`.
    jobs: Vec<ShownJob>,
    /// How many there are altogether that fit.
    count: u64,
    /// Where the next page begins; null after the last one.
    next: Option<String>,
}

pub(crate) async fn list(State(app): Shared, query: Query<JobsQuery>) -> Result<Json<JobsAnswer>, Problem> {
    let mut filter = filter(query.0)?;
    let (mut wanted, mut jobs) = (filter.limit, Vec::new());
    // A few at a time: their arguments are read too, and may be large.
    let (count, next) = loop {
        filter.limit = wanted.min(JOBS_PER_READ);
        let page = app.jobs.jobs(filter.clone()).await.map_err(|e| disk::refused(&e))?;
        wanted = wanted.saturating_sub(u32::try_from(page.jobs.len()).unwrap_or(u32::MAX));
        jobs.extend(compat::shown(&app, page.jobs).await?.into_iter().map(without_args));
        (filter.before, filter.skip) = (page.next, 0);
        if page.next.is_none() || wanted == 0 {
            break (page.count, page.next);
        }
    };
    Ok(Json(JobsAnswer { jobs, count, next: next.map(|next| next.to_string()) }))
}

fn without_args(mut shown: ShownJob) -> ShownJob {
    for stage in &mut shown.job.stages {
        stage.args.clear();
    }
    shown
}

fn filter(query: JobsQuery) -> Result<JobFilter, Problem> {
    let statuses = query.status.as_deref().map_or(Ok(Vec::new()), statuses)?;
    let limit = query.limit.unwrap_or(JOBS);
    if !(1..=JOBS_MAX).contains(&limit) {
        return Err(misfit("limit", &format!("`limit` must be from 1 to {JOBS_MAX}")));
    }
    let cursor = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 18;
        let read = text.parse::<i64>().ok().filter(|_| digits);
        read.ok_or_else(|| misfit("cursor", "`cursor` must be what an earlier page says in `next`"))
    };
    let before = query.cursor.as_deref().map(cursor).transpose()?;
    let skip = query.skip.unwrap_or(0);
    if skip > JOBS_SKIP_MAX {
        return Err(misfit("skip", &format!("`skip` must be from 0 to {JOBS_SKIP_MAX}")));
    }
    Ok(JobFilter { statuses, plugin: query.plugin, before, skip, limit })
}

fn statuses(text: &str) -> Result<Vec<JobStatus>, Problem> {
    let mut found = Vec::new();
    for word in text.split(',') {
        match JobStatus::ALL.into_iter().find(|status| status.as_str() == word) {
            Some(status) if found.len() < JobStatus::ALL.len() => found.push(status),
            _ => {
                let words = JobStatus::ALL.map(JobStatus::as_str).join(", ");
                return Err(misfit("status", &format!("`status` must be of {words}, with commas between")));
            }
        }
    }
    Ok(found)
}

/// What is wrong with a parameter of the query.
pub(super) fn misfit(name: &str, detail: &str) -> Problem {
    Problem::new(Code::BadQuery, detail).at(format!("/{name}"))
}

pub(crate) async fn show(State(app): Shared, path: Path<JobPath>) -> Result<Json<ShownJob>, Problem> {
    let id = path.0.job()?;
    let job = find(&app, id).await?;
    let shown = compat::shown(&app, vec![job]).await?.into_iter().next();
    shown.map(Json).ok_or_else(|| Problem::new(Code::UnknownJob, format!("there is no job {id}")))
}

/// Which part of a job's result.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultQuery {
    /// What this stage brought, counted from 0, whatever became of the job; without it what the job came to.
    #[schemars(range(min = 0, max = 63), skip_serializing_if = "Option::is_none")]
    stage: Option<u32>,
    /// Any word, such as `stream`: what it came to in the form of other hosts.
    #[schemars(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
}

/// What a job came to: of one tool or one stage, or of a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ResultAnswer {
    Tool(ToolResult),
    Pipeline(PipelineResult),
    /// In the form of other hosts.
    Compat(Map<String, Value>),
}

/// What a tool returned.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ToolResult {
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// Where it stands.
    status: JobStatus,
    /// What the tool returned. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    result: Value,
}

pub(crate) async fn result(
    State(app): Shared,
    path: Path<JobPath>,
    query: Query<ResultQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = find(&app, path.0.job()?).await?;
    let binary = accept::first(&headers, &[(BINARY, true), ("application/json", false)]) == Some(true);
    let (stage, only) = (query.0.stage, query.0.stage.is_none() && query.0.mode.is_some());
    let came = match stage {
        Some(stage) => of_stage(&app, &job, stage).await?,
        None => of_job(&app, &job).await?,
    };
    if only && job.status != JobStatus::Completed {
        return Err(none(job.job_id, job.status));
    }
    // Whoever wants the bytes themselves has no use for the other form, which may be larger than JSON may be.
    let beside = !binary && compat::is_told(&job);
    let told = stage.is_none() && job.status == JobStatus::Completed && (only || beside);
    let compat = if told { Some(compat::result(&app, &job).await?) } else { None };
    let write = move || match compat {
        Some(compat) if only => {
            let bytes = serde_json::to_vec(&ResultAnswer::Compat(compat));
            Ok(("application/json", bytes.unwrap_or_default()))
        }
        compat => written(&job, came, binary, compat.unwrap_or_default()),
    };
    let (kind, body) = aside(LARGE_BYTES, write).await??;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// What is written: of a tool, or of a whole pipeline.
enum Came {
    Tool(Payload),
    Pipeline(Payload, usize, Option<Box<(usize, JobError)>>),
}

async fn of_stage(app: &App, job: &Job, stage: u32) -> Result<Came, Problem> {
    let id = job.job_id;
    let place = usize::try_from(stage).unwrap_or(usize::MAX);
    let Some(record) = job.stages.get(place) else {
        let last = job.stages.len().saturating_sub(1);
        let detail = format!("job {id} has no stage {stage}: its stages are 0 to {last}");
        return Err(Problem::new(Code::NoResult, detail).at("/stage"));
    };
    let found = app.jobs.output(id, stage).await.map_err(|e| disk::refused(&e))?;
    found.map(Came::Tool).ok_or_else(|| match record.status {
        JobStatus::Completed => not_kept(id),
        JobStatus::Pending | JobStatus::Running => not_ready(id, job.status),
        JobStatus::Failed | JobStatus::Cancelled => none(id, record.status),
    })
}

async fn of_job(app: &App, job: &Job) -> Result<Came, Problem> {
    let (id, status) = (job.job_id, job.status);
    if !status.is_terminal() {
        return Err(not_ready(id, status));
    }
    let outcome = app.jobs.outcome(job).await.map_err(|e| disk::refused(&e))?;
    let result = outcome.result;
    match outcome.pipeline {
        Some(_) => {
            let result = result.ok_or_else(|| not_kept(id))?;
            Ok(Came::Pipeline(result, outcome.stages_executed, outcome.failure.map(Box::new)))
        }
        None if status == JobStatus::Completed => Ok(Came::Tool(result.ok_or_else(|| not_kept(id))?)),
        None => Err(none(id, status)),
    }
}

fn not_ready(id: JobId, status: JobStatus) -> Problem {
    let hint = format!("`POST /v1/jobs/{id}/wait` answers when it is over");
    Problem::new(Code::ResultNotReady, format!("job {id} is {status}: it has no result yet")).hint(hint)
}

fn none(id: JobId, status: JobStatus) -> Problem {
    let hint = format!("`GET /v1/jobs/{id}` says how it ended");
    Problem::new(Code::NoResult, format!("job {id} is {status}: it has no result")).hint(hint)
}

fn not_kept(id: JobId) -> Problem {
    Problem::new(Code::NoResult, format!("the result of job {id} is not kept any more"))
}

/// `compat`: fields of other hosts, which are written where there is none of that name.
fn written(
    job: &Job,
    came: Came,
    binary: bool,
    compat: Map<String, Value>,
) -> Result<(&'static str, Vec<u8>), Problem> {
    if binary
        && let Came::Tool(payload) | Came::Pipeline(payload, _, None) = &came
        && let Some(blob) = payload.as_blob()
    {
        let bytes = blob.to_bytes().map_err(|e| Problem::new(Code::StoreUnavailable, e.to_string()))?;
        return Ok((BINARY, bytes.to_vec()));
    }
    let document = |payload: Payload| {
        payload.into_json(RESULT_BYTES_MAX).map_err(|e| {
            Problem::new(Code::ResultNotSerializable, format!("the result cannot be sent as JSON: {e}"))
                .hint("ask for one stage of it, with `Accept: application/octet-stream`")
        })
    };
    let answer = match came {
        Came::Tool(payload) => {
            let (job_id, status, result) = (job.job_id, job.status, document(payload)?);
            ResultAnswer::Tool(ToolResult { job_id, status, result })
        }
        Came::Pipeline(payload, stages_executed, None) => {
            ResultAnswer::Pipeline(PipelineResult::Done { result: document(payload)?, stages_executed })
        }
        Came::Pipeline(payload, _, Some(failure)) => {
            let (stage_failed, error) = *failure;
            let partial_result = document(payload)?;
            let failed = PipelineFailure { error, stage_failed, partial_result };
            ResultAnswer::Pipeline(PipelineResult::Failed(Box::new(failed)))
        }
    };
    let bytes = if compat.is_empty() { serde_json::to_vec(&answer) } else { with(&answer, compat) };
    Ok(("application/json", bytes.unwrap_or_default()))
}

fn with(answer: &ResultAnswer, compat: Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    let mut answer = serde_json::to_value(answer)?;
    if let Value::Object(fields) = &mut answer {
        for (name, value) in compat {
            fields.entry(name).or_insert(value);
        }
    }
    serde_json::to_vec(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<JobFilter, Problem> {
        filter(serde_urlencoded::from_str(query).unwrap())
    }

    #[test]
    fn a_query_is_a_filter_or_names_what_is_wrong() {
        let found = read("status=pending,running&plugin=p&limit=7&cursor=42").unwrap();
        assert_eq!(found.statuses, [JobStatus::Pending, JobStatus::Running]);
        assert_eq!((found.plugin.as_deref(), found.limit, found.before), (Some("p"), 7, Some(42)));
        let found = read("").unwrap();
        assert_eq!((found.statuses.len(), found.limit, found.before), (0, JOBS, None));
        let cases = [
            ("status=", "/status"),
            ("status=done", "/status"),
            ("status=pending,", "/status"),
            ("limit=0", "/limit"),
            ("limit=1001", "/limit"),
            ("cursor=", "/cursor"),
            ("cursor=-1", "/cursor"),
            ("cursor=%2B1", "/cursor"),
            ("cursor=1234567890123456789", "/cursor"),
        ];
        for (query, pointer) in cases {
            let problem = serde_json::to_value(read(query).unwrap_err()).unwrap();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
    }
}
