//! `hardpoint job rerun ID`: what is left of a failed job, as a new one.

use super::follow_to_its_end;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::{files, terminal};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::JobId;
use serde_json::json;
use std::path::PathBuf;

/// Of which job.
#[derive(Debug, Args)]
#[command(after_help = "\
The new job begins with what the finished stages of the failed one brought; the failed one stays as it is.

Examples:
  hardpoint job rerun 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job rerun 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --wait

Exit codes: 0 it is kept, with --wait: it completed; 1 it failed again; 2 the job did not fail; 6 no server answers.")]
pub(in crate::cli) struct Rerun {
    /// Id of the failed job
    id: JobId,
    /// Wait until it is over, and show its result
    #[arg(long)]
    wait: bool,
    /// Folder for binary results
    #[arg(long, value_name = "DIR", requires = "wait")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: &Rerun, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    let client = scene.client()?;
    let id = patiently(client.rerun(args.id)).await?;
    if args.wait {
        return follow_to_its_end(id, args.out.as_deref(), scene).await;
    }
    if scene.shared.json {
        terminal::print_json(&json!({"job_id": id}))?;
    } else {
        terminal::print(id)?;
    }
    Ok(Code::Ok)
}
