//! `hardpoint job wait ID`: until a job is over, with its progress on the way.

use super::page;
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::live::Scene;
use crate::cli::progress::Progress;
use crate::cli::{Shared, terminal};
use crate::client::{Client, EventQuery, Next, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::{Event, EventKind, Job, JobId, JobStatus};
use hardpoint_supervisor::Note;
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::time::Duration;

/// For which job, and how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C ends the waiting, not the job.

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
    let client = scene.client()?;
    let waiting = until_over(&client, args.id, scene.shared);
    let over = match args.timeout {
        None => Some(waiting.await?),
        Some(seconds) => {
            let patience = Duration::from_secs(u64::from(seconds));
            tokio::time::timeout(patience, waiting).await.ok().transpose()?
        }
    };
    let in_time = over.is_some();
    // What is shown is what the server says, not what the events add up to.
    let document = client.job(args.id).await?;
    let job: Job = typed(&document)?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else if in_time {
        terminal::print(page::line(&job))?;
    } else {
        terminal::say(page::line(&job));
    }
    Ok(match job.status {
        JobStatus::Completed => Code::Ok,
        JobStatus::Failed | JobStatus::Cancelled => Code::Tool,
        JobStatus::Pending | JobStatus::Running => Code::Start,
    })
}

/// Waits until a job is over; the job as it is then.
pub(super) async fn until_over(client: &Client, id: JobId, shared: &Shared) -> Result<Job, Failure> {
    let progress = Progress::new(shared.json, shared.verbose > 0);
    let waited = unless_interrupted(follow(client, id, &progress)).await;
    progress.clear();
    match waited {
        Outcome::Done(job) => job,
        Outcome::Interrupted => {
            terminal::say(format!("{} the job goes on: `hardpoint job wait {id}`", "hint:".cyan().bold()));
            Err(Failure::Interrupted)
        }
    }
}

async fn follow(client: &Client, id: JobId, progress: &Progress) -> Result<Job, Failure> {
    let job = client.typed_job(id).await?;
    if job.status.is_terminal() {
        return Ok(job);
    }
    let name = page::tool(&job);
    progress.waiting(&name, client.shown());
    // From the first one on: its end may have come since it was looked at.
    let query = EventQuery { job: Some(id), since: 0, follow: true };
    let seen = |document: Value| {
        let event: Event = typed(&document)?;
        Ok(match event.kind {
            EventKind::StateTransition { to, .. } if to.is_terminal() => Next::Enough,
            EventKind::ProgressChanged { progress: fraction, status_message: message } => {
                let fraction = Some(fraction).filter(|fraction| *fraction >= 0.0);
                let note = hardpoint_wire::Progress { id: 0, fraction, message };
                progress.note(&name, &Note::Progress(note));
                Next::Wanted
            }
            EventKind::StateTransition { .. }
            | EventKind::ResourceSnapshot { .. }
            | EventKind::CancelPhaseChanged { .. }
            | EventKind::RetryStarted { .. }
            | EventKind::BlockReasonChanged { .. }
            | EventKind::SequenceAdvanced { .. }
            | EventKind::PipelineMessage(_) => Next::Wanted,
        })
    };
    client.events(query, seen).await?;
    let job = client.typed_job(id).await?;
    if job.status.is_terminal() { Ok(job) } else { Err(client.events_ended()) }
}
