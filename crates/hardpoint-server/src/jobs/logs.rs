//! `GET /v1/jobs/{id}/logs`: what was said for a job, and nothing else.
//!
//! Owns the query. Which lines are a job's is written in the lines themselves.

use super::docs::ONE_JOB;
use super::failure::find;
use super::look::misfit;
use crate::app::Shared;
use crate::extract::{JobPath, Path, Query};
use crate::limits::{JOB_ATTEMPT_MAX, JOB_STAGE_MAX};
use crate::log_lines::{Follow, Form, Wanted, answer, check_contains, of_lines};
use crate::openapi::{Docs as _, reading};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use hardpoint_engine::logs::limits::LAST_LINES_MAX;
use hardpoint_engine::logs::{LogFilter, Start};
use hardpoint_model::job::{Job, JobId};
use hardpoint_model::log::LogLevel;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which lines of a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobLogsQuery {
    /// Only so many of the last lines. Without it all of them; a document has 10000 at most.
    #[schemars(range(min = 1, max = 10000), skip_serializing_if = "Option::is_none")]
    tail: Option<usize>,
    /// Whether lines that will come are wanted too: until the job is over.
    #[schemars(extend("default" = false), skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
    /// Only lines of this stage, from 0.
    #[schemars(range(min = 0, max = 65535), skip_serializing_if = "Option::is_none")]
    stage: Option<u32>,
    /// Only lines of this try of a stage, from 1.
    #[schemars(range(min = 1, max = 1_000_000), skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Only lines that are at least so severe; what was printed is not.
    #[schemars(skip_serializing_if = "Option::is_none")]
    level: Option<LogLevel>,
    /// Only lines with this in their text.
    #[schemars(length(min = 1, max = 1000), skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
}

/// `GET /v1/jobs/{id}/logs`
pub(crate) async fn logs(
    State(app): Shared,
    path: Path<JobPath>,
    query: Query<JobLogsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.0;
    query.check()?;
    let job = find(&app, path.0.job()?).await?;
    let follows = query.follow == Some(true);
    let form = Form::of(&headers, follows);
    let wanted = query.wanted(&job, form);
    // Whoever asks after the end of a job sees all of it.
    app.engine.logs().caught_up(&wanted.instances).await;
    answer(&app, form, wanted).await
}

impl JobLogsQuery {
    fn check(&self) -> Result<(), Problem> {
        if self.tail.is_some_and(|tail| !(1..=LAST_LINES_MAX).contains(&tail)) {
            return Err(misfit("tail", &format!("`tail` must be from 1 to {LAST_LINES_MAX}")));
        }
        if self.stage.is_some_and(|stage| stage > JOB_STAGE_MAX) {
            return Err(misfit("stage", &format!("`stage` must be from 0 to {JOB_STAGE_MAX}")));
        }
        if self.attempt.is_some_and(|attempt| !(1..=JOB_ATTEMPT_MAX).contains(&attempt)) {
            return Err(misfit("attempt", &format!("`attempt` must be from 1 to {JOB_ATTEMPT_MAX}")));
        }
        check_contains(self.contains.as_deref())
    }

    fn wanted(self, job: &Job, form: Form) -> Wanted {
        let Self { tail, follow, stage, attempt, level, contains } = self;
        let id: JobId = job.job_id;
        let start = match (tail, form) {
            (Some(tail), _) => Start::Last(tail),
            (None, Form::Document) => Start::Last(LAST_LINES_MAX),
            (None, Form::Lines) => Start::After(0),
        };
        let mut instances: Vec<String> = job.stages.iter().map(|stage| stage.plugin.to_string()).collect();
        instances.sort_unstable();
        instances.dedup();
        let follow = if follow == Some(true) { Follow::UntilOver(id) } else { Follow::No };
        let filter = LogFilter { job: Some(id), stage, attempt, level, contains };
        Wanted { instances, filter, start, count: None, follow }
    }
}

pub(crate) fn logs_docs(op: TransformOperation) -> TransformOperation {
    let op = reading(op, "getJobLogs", "What was said for a job").tag("jobs").description(
        "What its calls printed and logged, and what the host said about them; oldest first. Exactly the job's lines: \
         of a worker that runs one call at a time all that was printed, of one that runs several what was logged, \
         and what was printed while no other call ran.",
    );
    of_lines(op).problems(&ONE_JOB).problems(&[Code::BadQuery])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_lines_or_names_what_is_wrong() {
        let read = |query: &str| serde_urlencoded::from_str::<JobLogsQuery>(query).unwrap();
        for query in ["", "tail=1", "tail=10000&follow=true", "stage=0&attempt=1&level=warning&contains=a+b"]
        {
            assert!(read(query).check().is_ok(), "{query}");
        }
        for (query, pointer) in [
            ("tail=0", "/tail"),
            ("tail=10001", "/tail"),
            ("stage=65536", "/stage"),
            ("attempt=0", "/attempt"),
            ("attempt=1000001", "/attempt"),
            ("contains=", "/contains"),
        ] {
            let problem = serde_json::to_value(read(query).check().unwrap_err()).unwrap();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
        for query in ["level=loud", "tail=x", "lines=3", "follow=yes"] {
            assert!(serde_urlencoded::from_str::<JobLogsQuery>(query).is_err(), "{query}");
        }
    }
}
