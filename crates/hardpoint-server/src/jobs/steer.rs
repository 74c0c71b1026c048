//! Steering jobs: ending one, moving one in the queue, waiting for one.

use super::body::{self, Fields};
use super::failure::{self, find};
use super::look::misfit;
use crate::app::{App, Shared};
use crate::disk;
use crate::extract::{JobPath, Path, Query};
use crate::limits::{JOB_CHANGE_BYTES_MAX, JOB_WAIT_SECONDS, JOB_WAIT_SECONDS_MAX};
use crate::problem::Problem;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use hardpoint_model::job::{Job, JobId};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// `POST /v1/jobs/{id}/cancel`
pub(crate) async fn cancel(
    State(app): Shared,
    path: Path<JobPath>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let id = path.0.job()?;
    ask_to_end(&app, id).await?;
    Ok((StatusCode::ACCEPTED, Json(find(&app, id).await?)))
}

/// Asks a job to end; the wish is on disk when this returns.
pub(crate) async fn ask_to_end(app: &App, id: JobId) -> Result<(), Problem> {
    match app.jobs.cancel(id).await {
        Ok(()) => Ok(()),
        Err(refusal) => Err(failure::change(app, &refusal).await),
    }
}

/// Another place in the queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes the body; reading it by hand names the place of a mistake")]
pub(super) struct ReorderRequest {
    /// Higher is sooner.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647))]
    priority: i32,
}

/// `POST /v1/jobs/{id}/reorder`
pub(crate) async fn reorder(
    State(app): Shared,
    path: Path<JobPath>,
    request: Request<Body>,
) -> Result<Json<Job>, Problem> {
    let id = path.0.job()?;
    let (_, text) = body::read(request, JOB_CHANGE_BYTES_MAX).await?;
    let priority = priority_of(&text)?;
    if let Err(refusal) = app.jobs.reorder(id, priority).await {
        return Err(failure::change(&app, &refusal).await);
    }
    find(&app, id).await.map(Json)
}

fn priority_of(text: &[u8]) -> Result<i32, Problem> {
    let mut fields = Fields::of(text)?;
    let priority = fields.needed_number("priority")?;
    fields.end("`priority`")?;
    Ok(priority)
}

/// How long to wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobWaitQuery {
    /// How long to wait at most.
    #[schemars(
        range(min = 0, max = 3600),
        extend("default" = JOB_WAIT_SECONDS),
        skip_serializing_if = "Option::is_none"
    )]
    timeout_seconds: Option<f64>,
}

impl JobWaitQuery {
    fn patience(&self) -> Result<Duration, Problem> {
        let seconds = self.timeout_seconds.unwrap_or_else(|| f64::from(JOB_WAIT_SECONDS));
        if (0.0..=f64::from(JOB_WAIT_SECONDS_MAX)).contains(&seconds) {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(misfit("timeout_seconds", &format!("`timeout_seconds` must be from 0 to {JOB_WAIT_SECONDS_MAX}")))
    }
}

/// `POST /v1/jobs/{id}/wait`
pub(crate) async fn wait(
    State(app): Shared,
    path: Path<JobPath>,
    query: Query<JobWaitQuery>,
) -> Result<Json<Job>, Problem> {
    let (id, patience) = (path.0.job()?, query.0.patience()?);
    let waited = tokio::select! { biased;
        waited = waited(&app, id, patience) => waited?,
        // It goes on with the next server; whoever waits is told how far it is.
        () = app.closing.cancelled() => None,
    };
    match waited {
        Some(job) => Ok(Json(job)),
        None => find(&app, id).await.map(Json),
    }
}

async fn waited(app: &App, id: JobId, patience: Duration) -> Result<Option<Job>, Problem> {
    app.jobs.wait(id, patience).await.map_err(|e| disk::refused(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn a_priority_is_all_there_is_to_reorder() {
        let cases = [
            (r#"{"priority": 7}"#, Some(7)),
            (r#"{"priority": -7}"#, Some(-7)),
            (r#"{"priority": null}"#, None),
            (r#"{"priority": "7"}"#, None),
            (r#"{"priority": 7, "more": 1}"#, None),
            ("{}", None),
            ("7", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(priority_of(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_wait_has_an_end() {
        let patience = |query: &str| {
            serde_urlencoded::from_str::<JobWaitQuery>(query).unwrap().patience().map_err(|p| p.code)
        };
        assert_eq!(patience(""), Ok(Duration::from_secs(30)));
        assert_eq!(patience("timeout_seconds=0.5"), Ok(Duration::from_millis(500)));
        for query in
            ["timeout_seconds=-1", "timeout_seconds=3601", "timeout_seconds=NaN", "timeout_seconds=inf"]
        {
            assert_eq!(patience(query), Err(Code::BadQuery), "{query}");
        }
    }
}
