//! `hardpoint job show|cancel|reorder ID`: one job, looked at and changed.

use super::page;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::{Job, JobId};
use owo_colors::OwoColorize as _;
use serde_json::json;

/// Which job, and where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Jobs of a higher priority run first, those of the same one in the order in which they were handed in.

Examples:
  hardpoint job reorder 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 10
  hardpoint job reorder 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 -1")]
pub(in crate::cli) struct Reorder {
    /// Id of the job
    id: JobId,
    /// Its new priority: higher is sooner
    #[arg(allow_negative_numbers = true)]
    priority: i32,
}

pub(super) async fn show(id: JobId, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.job(id)).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(page::detail(&typed(&document)?))?;
    }
    Ok(Code::Ok)
}

pub(super) async fn cancel(id: JobId, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.job_verb(id, "cancel", None)).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
        return Ok(Code::Ok);
    }
    let job: Job = typed(&patiently(client.job(id)).await?)?;
    if job.status.is_terminal() {
        terminal::print(page::line(&job))?;
    } else {
        terminal::print(format!("{} is being cancelled", id.bold()))?;
        let said = format!("`hardpoint job wait {id}` waits until nothing of it is left");
        terminal::say(format!("{} {said}", "hint:".cyan().bold()));
    }
    Ok(Code::Ok)
}

pub(super) async fn reorder(args: &Reorder, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let body = json!({"priority": args.priority});
    let document = patiently(client.job_verb(args.id, "reorder", Some(&body))).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(format!("{} has priority {}", args.id.bold(), args.priority))?;
    }
    Ok(Code::Ok)
}
