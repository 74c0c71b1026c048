//! What jobs refuse, as what a caller reads.

use crate::app::App;
use crate::disk;
use crate::limits::JOB_RETRY_AFTER;
use crate::pipelines::mistakes;
use crate::problem::{Code, Problem};
use crate::run::{of_refusal, refused};
use hardpoint_engine::jobs::{JobRefusal, SubmitError};
use hardpoint_model::job::{Job, JobId};

pub(crate) fn submission(error: SubmitError) -> Problem {
    let detail = error.to_string();
    match error {
        SubmitError::Plugin(refusal) => refused(&refusal, of_refusal(&refusal)),
        SubmitError::TooLarge => {
            Problem::new(Code::ArgumentsTooLarge, detail).hint("pass the path of a file instead")
        }
        SubmitError::Queue(refusal) => refusal_of(&refusal),
        SubmitError::Pipeline(found) => mistakes(found, "/pipeline"),
        SubmitError::UnknownPipeline(_) => Problem::new(Code::PipelineNotFound, detail)
            .at("/pipeline_id")
            .hint("`GET /v1/pipelines` lists them"),
        SubmitError::UnknownJob(_) => {
            Problem::new(Code::UnknownJob, detail).hint("`GET /v1/jobs` lists them")
        }
        SubmitError::NotFailed(id, _) => Problem::new(Code::JobNotFailed, detail)
            .hint(format!("`GET /v1/jobs/{id}/pipeline` says how far it is")),
        SubmitError::Forgotten(_) => {
            Problem::new(Code::NoResult, detail).hint("hand the job in anew with `POST /v1/jobs`")
        }
    }
}

/// Why a job that is there was not changed.
pub(super) async fn change(app: &App, refusal: &JobRefusal) -> Problem {
    match refusal {
        JobRefusal::NotAlive(id) => match find(app, *id).await {
            Ok(job) => Problem::new(Code::JobOver, format!("job {id} is {}", job.status)),
            Err(problem) => problem,
        },
        JobRefusal::NotPending(_)
        | JobRefusal::QueueFull(_)
        | JobRefusal::Busy
        | JobRefusal::Store(_)
        | JobRefusal::Stopping => refusal_of(refusal),
    }
}

fn refusal_of(refusal: &JobRefusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        JobRefusal::NotAlive(_) => Problem::new(Code::JobOver, detail),
        JobRefusal::NotPending(_) => {
            Problem::new(Code::JobNotPending, detail).hint("only what still waits has a place in the queue")
        }
        JobRefusal::QueueFull(_) => Problem::new(Code::QueueFull, detail)
            .hint("try again when some of them are over")
            .retry_after(Some(JOB_RETRY_AFTER)),
        JobRefusal::Busy => Problem::new(Code::HostBusy, detail)
            .hint("try again in a moment")
            .retry_after(Some(JOB_RETRY_AFTER)),
        JobRefusal::Store(error) => disk::refused(error),
        JobRefusal::Stopping => Problem::new(Code::HostStopping, detail),
    }
}

/// The job, or 404.
pub(crate) async fn find(app: &App, id: JobId) -> Result<Job, Problem> {
    let found = app.jobs.job(id).await.map_err(|e| disk::refused(&e))?;
    found.ok_or_else(|| {
        Problem::new(Code::UnknownJob, format!("there is no job {id}")).hint("`GET /v1/jobs` lists them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;
    use hardpoint_engine::Refusal;
    use hardpoint_store::StoreError;

    fn check(problem: Problem, status: u16, code: &str, again: bool) {
        let text = problem.code.text();
        let response = problem.into_response();
        assert_eq!((response.status().as_u16(), text.as_str()), (status, code));
        assert_eq!(response.headers().contains_key("retry-after"), again, "{code}");
    }

    #[test]
    fn every_refusal_of_a_submission_has_its_status() {
        let unknown = Refusal::UnknownPlugin { name: "x".into(), known: Vec::new() };
        check(submission(SubmitError::Plugin(unknown)), 400, "plugin_not_found", false);
        check(submission(SubmitError::Plugin(Refusal::Disabled("x".into()))), 503, "plugin_disabled", false);
        check(submission(SubmitError::Queue(JobRefusal::QueueFull(9))), 503, "queue_full", true);
        check(submission(SubmitError::Queue(JobRefusal::Stopping)), 503, "host_stopping", false);
        let full = JobRefusal::Store(StoreError::Full);
        check(submission(SubmitError::Queue(full)), 503, "store_unavailable", true);
        let id = JobId::now();
        check(refusal_of(&JobRefusal::NotPending(id)), 409, "job_not_pending", false);
        check(refusal_of(&JobRefusal::NotAlive(id)), 409, "job_over", false);
    }
}
