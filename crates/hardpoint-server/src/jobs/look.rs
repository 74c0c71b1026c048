//! Looking at jobs: some of them, one of them, what one brought.
//!
//! Owns pages. What is shown is what is on disk.

use super::failure::find;
use crate::accept;
use crate::app::{App, Shared};
use crate::disk;
use crate::extract::{JobPath, Path, Query};
use crate::limits::{JOBS, JOBS_MAX, JOBS_PER_READ, LARGE_BYTES};
use crate::problem::{Code, Problem};
use crate::run::aside;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hardpoint_model::job::{Job, JobId, JobStatus};
use hardpoint_store::JobFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Go on where an earlier page ended: its `next`.
    #[schemars(regex(pattern = r"^[0-9]{1,18}$"), skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JobsAnswer {
    /// The jobs, newest first. The `args` of their stages are left out: `{}`.
    jobs: Vec<Job>,
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
        jobs.extend(page.jobs.into_iter().map(without_args));
        filter.before = page.next;
        if page.next.is_none() || wanted == 0 {
            break (page.count, page.next);
        }
    };
    Ok(Json(JobsAnswer { jobs, count, next: next.map(|next| next.to_string()) }))
}

fn without_args(mut job: Job) -> Job {
    for stage in &mut job.stages {
        stage.args.clear();
    }
    job
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
    Ok(JobFilter { statuses, plugin: query.plugin, before, limit })
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

pub(crate) async fn show(State(app): Shared, path: Path<JobPath>) -> Result<Json<Job>, Problem> {
    find(&app, path.0.job()?).await.map(Json)
}

/// What a job brought.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResultAnswer {
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// Always `completed`.
    status: JobStatus,
    /// What the tool of its last stage returned. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    result: Value,
}

pub(crate) async fn result(
    State(app): Shared,
    path: Path<JobPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = find(&app, path.0.job()?).await?;
    let result = result_of(&app, &job).await?;
    let binary = accept::first(&headers, &[(BINARY, true), ("application/json", false)]) == Some(true);
    let (kind, body) = aside(LARGE_BYTES, move || written(&job, result, binary)).await?;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn result_of(app: &App, job: &Job) -> Result<Value, Problem> {
    let (id, status) = (job.job_id, job.status);
    match status {
        JobStatus::Completed => {}
        JobStatus::Pending | JobStatus::Running => {
            let detail = format!("job {id} is {status}: it has no result yet");
            let hint = format!("`POST /v1/jobs/{id}/wait` answers when it is over");
            return Err(Problem::new(Code::ResultNotReady, detail).hint(hint));
        }
        JobStatus::Failed | JobStatus::Cancelled => {
            let detail = format!("job {id} is {status}: it has no result");
            return Err(
                Problem::new(Code::NoResult, detail).hint(format!("`GET /v1/jobs/{id}` says how it ended"))
            );
        }
    }
    let last = u32::try_from(job.stages.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let found = app.jobs.result(id, last).await.map_err(|e| disk::refused(&e))?;
    found.ok_or_else(|| Problem::new(Code::NoResult, format!("the result of job {id} is not kept any more")))
}

fn written(job: &Job, result: Value, binary: bool) -> (&'static str, Vec<u8>) {
    if let Some(bytes) = bytes_of(&result).filter(|_| binary) {
        return (BINARY, bytes);
    }
    let answer = ResultAnswer { job_id: job.job_id, status: job.status, result };
    ("application/json", serde_json::to_vec(&answer).unwrap_or_default())
}

/// The bytes, when the result is nothing else.
fn bytes_of(result: &Value) -> Option<Vec<u8>> {
    let fields = result.as_object().filter(|fields| fields.len() == 1)?;
    BASE64_STANDARD.decode(fields.get("$bytes")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn only_what_is_nothing_but_bytes_is_sent_as_bytes() {
        let cases = [
            (json!({"$bytes": "AAE="}), Some(vec![0, 1])),
            (json!({"$bytes": ""}), Some(Vec::new())),
            (json!({"$bytes": "AAE=", "a": 1}), None),
            (json!({"$bytes": 1}), None),
            (json!([{"$bytes": "AAE="}]), None),
            (json!("AAE="), None),
        ];
        for (result, expected) in cases {
            assert_eq!(bytes_of(&result), expected, "{result}");
        }
    }
}
