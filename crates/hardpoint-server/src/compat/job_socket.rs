//! `GET /v1/ws/jobs/{id}`: the progress of one job over a WebSocket, and how it ended.
//!
//! Owns the messages. Must not know what a WebSocket is.

use super::shown::error_message;
use crate::app::{App, Shared};
use crate::connection::Connection;
use crate::disk;
use crate::extract::{JobPath, Path, Upgrade};
use crate::jobs;
use crate::limits::{PONGS_MAX, SOCKET_MESSAGE_BYTES_MAX};
use crate::openapi::{Docs, reading};
use crate::problem::{Code, Problem};
use crate::socket::{self, Ending, Next, Teller, text};
use aide::transform::TransformOperation;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;
use hardpoint_engine::jobs::{Followed, Following};
use hardpoint_model::job::{Event, EventKind, Job, JobStatus};
use hardpoint_store::StoreError;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

pub(crate) async fn job_socket(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    path: Path<JobPath>,
    upgrade: Option<Upgrade>,
) -> Result<Response, Problem> {
    let Some(upgrade) = upgrade else {
        return Ok(socket::needed("open one, or follow `GET /v1/jobs/{id}/events`"));
    };
    let going = Going::of(&app, &path.0).await;
    connection.must_take(true);
    let run = |socket| run(socket, going);
    Ok(socket::response(&connection, upgrade, SOCKET_MESSAGE_BYTES_MAX, run))
}

/// A page shows nothing of an answer that refuses; so what is wrong is told on the socket.
async fn run(mut socket: WebSocket, going: Result<Going, Problem>) {
    let ending = match going {
        Ok(mut going) => {
            let giving_up = going.app.giving_up.clone();
            tokio::select! {
                ending = socket::talk(&mut socket, &mut going) => ending,
                () = giving_up.cancelled() => Ending::Gone,
            }
        }
        Err(problem) => Ending::Broke(Box::new(problem)),
    };
    socket::close(socket, ending, "").await;
}

/// A client that follows a job.
struct Going {
    app: Arc<App>,
    job: Job,
    events: Following,
    /// What it is to be told before anything else.
    said: VecDeque<Value>,
    over: bool,
    _place: OwnedSemaphorePermit,
}

impl Going {
    async fn of(app: &Arc<App>, path: &JobPath) -> Result<Self, Problem> {
        let job = jobs::find(app, path.job()?).await?;
        let place = Arc::clone(&app.followers).try_acquire_owned().map_err(|_| {
            Problem::new(Code::HostBusy, "too many clients follow events").hint("try again in a moment")
        })?;
        let events = app.jobs.follow(0, vec![job.job_id]);
        let (said, app) = (VecDeque::new(), Arc::clone(app));
        let mut going = Self { app, job, events, said, over: false, _place: place };
        going.catch_up().await.map_err(|e| disk::refused(&e))?;
        Ok(going)
    }

    /// Of what has happened already, only the last word counts.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        while let Some(followed) = self.events.next_kept().await? {
            if let Followed::Event(event) = followed
                && let Some(told) = self.told(&event).await?
            {
                self.said = VecDeque::from([told]);
            }
        }
        // The event of its end may not be kept any more.
        let job = self.app.jobs.job(self.job.job_id).await?;
        if let Some(job) = job.filter(|job| job.status.is_terminal() && !self.over) {
            self.over = true;
            self.said = VecDeque::from([last_message(&job, job.status)]);
        }
        Ok(())
    }

    /// What is told of an event, if anything is.
    async fn told(&mut self, event: &Event) -> Result<Option<Value>, StoreError> {
        match &event.kind {
            EventKind::ProgressChanged { progress, status_message } => {
                Ok(Some(progress_message(&self.job, event.stage, *progress, status_message)))
            }
            EventKind::StateTransition { to, .. } if to.is_terminal() => {
                self.over = true;
                let job = self.app.jobs.job(self.job.job_id).await?;
                Ok(Some(last_message(job.as_ref().unwrap_or(&self.job), *to)))
            }
            EventKind::StateTransition { .. }
            | EventKind::ResourceSnapshot { .. }
            | EventKind::CancelPhaseChanged { .. }
            | EventKind::RetryStarted { .. }
            | EventKind::BlockReasonChanged { .. }
            | EventKind::SequenceAdvanced { .. }
            | EventKind::PipelineMessage(_) => Ok(None),
        }
    }

    async fn following(&mut self) -> Next {
        let followed = tokio::select! { biased;
            () = self.app.closing.cancelled() => return Next::End(Ending::Stopping),
            followed = self.events.next() => followed,
        };
        let told = match followed {
            Ok(Some(Followed::Event(event))) => self.told(&event).await,
            // What is not kept is progress that is long past.
            Ok(Some(Followed::Gone(_))) => Ok(None),
            Ok(None) => return Next::End(Ending::Stopping),
            Err(error) => Err(error),
        };
        match told {
            Ok(Some(told)) => Next::Say(text(&told)),
            Ok(None) => Next::Wait,
            Err(error) => Next::End(Ending::Broke(Box::new(disk::refused(&error)))),
        }
    }
}

impl Teller for Going {
    async fn next(&mut self) -> Next {
        if let Some(said) = self.said.pop_front() {
            return Next::Say(text(&said));
        }
        if self.over {
            return Next::End(Ending::Over);
        }
        self.following().await
    }

    /// A ping is answered, and anything else passed over.
    fn hear(&mut self, said: Message) -> Option<Ending> {
        let said: Option<Value> = said.to_text().ok().and_then(|text| serde_json::from_str(text).ok());
        if said.is_some_and(|said| said.get("type").is_some_and(|kind| kind == "ping")) {
            self.said.push_back(json!({"type": "pong"}));
        }
        None
    }

    /// A client that sends pings and takes no pong is not listened to.
    fn listens(&self) -> bool {
        self.said.len() < PONGS_MAX
    }
}

/// How far a job is, in frames where its tool counts them.
fn progress_message(job: &Job, stage: u32, progress: f64, message: &str) -> Value {
    let at = usize::try_from(stage).unwrap_or(usize::MAX);
    let (frame, total) = frames(message);
    let percent = (0.0..=1.0).contains(&progress).then_some(progress * 100.0);
    let id = job.job_id.to_string();
    if job.stages.len() == 1 {
        return json!({"job_id": id, "current_frame": frame, "total_frames": total, "percent": percent});
    }
    json!({
        "job_id": id, "current_frame": frame, "total_frames": total, "percent": percent,
        "current_tool": job.stages.get(at).map(|stage| &stage.tool),
        "tools_total": job.stages.len(),
        "tools_completed": at.min(job.stages.len()),
    })
}

/// `12/100`, or `12`, as a tool's `progress_callback` says it.
fn frames(message: &str) -> (Option<u64>, Option<u64>) {
    let (frame, total) = message.split_once('/').unwrap_or((message, ""));
    (frame.parse().ok(), total.parse().ok())
}

fn last_message(job: &Job, status: JobStatus) -> Value {
    let id = job.job_id.to_string();
    if status == JobStatus::Completed {
        return json!({"job_id": id, "status": "completed"});
    }
    json!({"job_id": id, "status": "failed", "error": error_message(job)})
}

const ABOUT: &str = "\
A WebSocket. Each message tells `current_frame`, `total_frames` and `percent`; of a job with several tools also `current_tool`, \
`tools_total` and `tools_completed`. The last one has `status`: `completed` or `failed`. The connection closes then. A message \
`{\"type\": \"ping\"}` is answered with `{\"type\": \"pong\"}`.";

pub(crate) fn job_socket_docs(op: TransformOperation) -> TransformOperation {
    let op =
        reading(op, "followJobProgress", "Follow the progress of a job").description(ABOUT).tag("compat");
    op.becomes_socket().problems(&[Code::BadPath, Code::BadHeader, Code::SocketNeeded])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::NewJob;
    use serde_json::Map;

    fn job(stages: usize) -> Job {
        let mut job = NewJob::of_tool("p".parse().unwrap(), "t".to_owned(), Map::new()).job;
        job.stages = vec![job.stages[0].clone(); stages];
        job
    }

    #[test]
    fn progress_is_told_in_frames_where_the_tool_counts_them() {
        let one = progress_message(&job(1), 0, 0.12, "12/100");
        assert_eq!((&one["current_frame"], &one["total_frames"]), (&json!(12), &json!(100)));
        assert_eq!((&one["percent"], one.get("tools_total")), (&json!(12.0), None));
        let unknown = progress_message(&job(1), 0, -1.0, "7");
        assert_eq!((&unknown["current_frame"], &unknown["total_frames"]), (&json!(7), &Value::Null));
        assert_eq!(unknown["percent"], Value::Null);
        assert_eq!(progress_message(&job(1), 0, 0.5, "half of it")["current_frame"], Value::Null);
        let second = progress_message(&job(3), 1, 0.5, "1/2");
        assert_eq!((&second["current_tool"], &second["tools_total"]), (&json!("t"), &json!(3)));
        assert_eq!(second["tools_completed"], 1);
    }

    #[test]
    fn the_last_word_is_completed_or_failed_with_the_reason() {
        let mut job = job(1);
        job.status = JobStatus::Cancelled;
        let told = last_message(&job, JobStatus::Cancelled);
        assert_eq!((&told["status"], &told["error"]), (&json!("failed"), &json!("Cancelled by user")));
        job.status = JobStatus::Completed;
        let told = last_message(&job, JobStatus::Completed);
        assert_eq!((&told["status"], told.get("error")), (&json!("completed"), None));
    }
}
