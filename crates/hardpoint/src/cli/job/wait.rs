//! `hardpoint job wait ID`: until a job is over, with its progress on the way.

use super::follow::{GONE_SECONDS_MAX, Listener, Next, follow};
use super::page;
use super::view::View;
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::live::Scene;
use crate::cli::terminal;
use crate::cli::told::{self, Door};
use crate::client::{EventQuery, Told, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::{EventKind, Job, JobId, JobStatus};
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::time::Duration;

/// For which job, and how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C ends the waiting, not the job. A server that is started again meanwhile is waited for, too.

Examples:
  hardpoint job wait 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job wait 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --timeout 60 --json

Exit codes: 0 it completed; 1 it failed or was cancelled; 2 there is no such job; 4 it is not over in time; 6 no server \
answers.")]
pub(in crate::cli) struct Wait {
    /// Id of the job
    id: JobId,
    /// How long to wait; without it there is no limit
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
}

pub(super) async fn run(args: &Wait, scene: Scene<'_>) -> Result<Code, Failure> {
    let waiting = until_over(args.id, scene);
    let over = match args.timeout {
        None => Some(waiting.await?),
        Some(seconds) => {
            let patience = Duration::from_secs(u64::from(seconds));
            tokio::time::timeout(patience, waiting).await.ok().transpose()?
        }
    };
    let in_time = over.is_some();
    // What is shown is what the server says, not what the events add up to.
    let document = scene.client()?.job(args.id).await?;
    let job: Job = typed(&document)?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else if in_time {
        terminal::print(page::line(&job))?;
        tell_error(&job);
    } else {
        terminal::say(page::line(&job));
        say_how_to_end_it(args.id);
    }
    Ok(match job.status {
        JobStatus::Completed => Code::Ok,
        JobStatus::Failed | JobStatus::Cancelled => Code::Tool,
        JobStatus::Pending | JobStatus::Running => Code::Start,
    })
}

/// Why it failed, and what to do about it.
fn tell_error(job: &Job) {
    if let (JobStatus::Failed, Some(error)) = (job.status, &job.error) {
        let stage = job.stages.iter().position(|stage| stage.status == JobStatus::Failed);
        told::tell(error, stage.map(|stage| stage + 1).filter(|_| job.stages.len() > 1), Door::Server);
    }
}

fn say_how_to_end_it(id: JobId) {
    let said = format!("the job goes on; `hardpoint job cancel {id}` ends it");
    terminal::say(format!("{} {said}", "hint:".cyan().bold()));
}

/// Waits until a job is over; the job as it is then.
pub(in crate::cli) async fn until_over(id: JobId, scene: Scene<'_>) -> Result<Job, Failure> {
    match unless_interrupted(watch(id, scene)).await {
        Outcome::Done(job) => job,
        Outcome::Interrupted => {
            say_how_to_end_it(id);
            Err(Failure::Interrupted)
        }
    }
}

async fn watch(id: JobId, scene: Scene<'_>) -> Result<Job, Failure> {
    let job = scene.client()?.typed_job(id).await?;
    if job.status.is_terminal() {
        return Ok(job);
    }
    // From the first one on: they add up to where it stands, and its end may have come since it was looked at.
    let query = EventQuery { job: Some(id), since: 0, follow: true };
    let patience = Duration::from_secs(u64::from(GONE_SECONDS_MAX));
    let mut watched = Watched { id, view: View::new(&job, scene.shared.json) };
    follow(scene, query, patience, &mut watched).await?;
    drop(watched);
    scene.client()?.typed_job(id).await
}

struct Watched {
    id: JobId,
    view: View,
}

impl Listener for Watched {
    fn told(&mut self, told: &Told, _: &Value) -> Result<Next, Failure> {
        // Of a job that is not over all events are kept.
        let Told::Event(event) = told else { return Ok(Next::Wanted) };
        self.view.take(event);
        Ok(match event.kind {
            EventKind::StateTransition { to, .. } if to.is_terminal() => Next::Enough,
            EventKind::StateTransition { .. }
            | EventKind::ProgressChanged { .. }
            | EventKind::ResourceSnapshot { .. }
            | EventKind::CancelPhaseChanged { .. }
            | EventKind::RetryStarted { .. }
            | EventKind::BlockReasonChanged { .. }
            | EventKind::SequenceAdvanced { .. }
            | EventKind::PipelineMessage(_) => Next::Wanted,
        })
    }

    fn gone(&mut self, why: &Failure) {
        self.view.note(&format!("{why}; waiting for it to come back"));
    }

    fn again(&self, _: u64) -> String {
        format!("hardpoint job wait {}", self.id)
    }
}
