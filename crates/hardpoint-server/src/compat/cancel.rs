//! `DELETE /v1/jobs/{id}`: a job is cancelled, in the words of other clients.
//!
//! Owns the answer. What cancelling is, the queue knows.

use super::shown::CANCELLED;
use crate::app::Shared;
use crate::extract::{JobPath, Path};
use crate::jobs;
use crate::openapi::{Docs, working};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use hardpoint_model::job::JobId;
use schemars::JsonSchema;
use serde::Serialize;

/// A job that is cancelled.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cancelled {
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    job_id: JobId,
    /// Always `failed`, which is what cancelled jobs are for other clients.
    #[schemars(extend("const" = "failed"))]
    status: &'static str,
    /// Always `Cancelled by user`.
    error_message: &'static str,
}

pub(crate) async fn cancel(State(app): Shared, path: Path<JobPath>) -> Result<Json<Cancelled>, Problem> {
    let job_id = path.0.job()?;
    jobs::ask_to_end(&app, job_id).await?;
    Ok(Json(Cancelled { job_id, status: "failed", error_message: CANCELLED }))
}

pub(crate) fn cancel_docs(op: TransformOperation) -> TransformOperation {
    working(op, "deleteJob", "Cancel a job")
        .description("What `POST /v1/jobs/{id}/cancel` does, in the words of other clients.")
        .tag("compat")
        .response_with::<200, Json<Cancelled>, _>(|r| r.description("The wish is on disk"))
        .problems(&jobs::ONE_JOB)
        .problems(&[Code::JobOver, Code::QueueFull])
}
