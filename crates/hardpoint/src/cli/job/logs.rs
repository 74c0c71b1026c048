//! `hardpoint job logs ID`: what was said for a job, and nothing else.

use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::log_lines::{Choice, show};
use crate::client::LogsOf;
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::JobId;

/// Which lines of which job.
#[derive(Debug, Args)]
#[command(after_help = "\
What its calls printed and logged, and what the host said about them. The lines are kept in the data folder, also those \
of a job that was taken up by a later server; of very old ones only as many as fit (`logs.file_mb`, `logs.files`).

Examples:
  hardpoint job logs 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job logs 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --follow
  hardpoint job logs 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 -n 20 --attempt 2 --level error
  hardpoint job logs 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --contains retry --json

With --follow it goes on until the job is over and all of its lines were shown, or until Ctrl-C; both end it with exit \
code 0. With --json and --follow there is a document per line, else one array.")]
pub(in crate::cli) struct Logs {
    /// Id of the job
    id: JobId,
    /// Only so many of the last lines
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lines: Option<u32>,
    /// Only lines of this stage, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    stage: Option<u32>,
    /// Only lines of this try of a stage, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    attempt: Option<u32>,
    #[command(flatten)]
    choice: Choice,
}

pub(super) async fn run(args: &Logs, scene: Scene<'_>) -> Result<Code, Failure> {
    let stage = match args.stage {
        Some(number) => Some(stage(number, args.id, scene).await?),
        None => None,
    };
    let of = LogsOf::Job { id: args.id, last: args.lines, stage, attempt: args.attempt };
    show(of, &args.choice, scene).await
}

/// The stage that people count from 1, as it is in the lines.
async fn stage(number: u32, id: JobId, scene: Scene<'_>) -> Result<u32, Failure> {
    let job = patiently(async { scene.client()?.typed_job(id).await }).await?;
    let index = number.saturating_sub(1);
    if usize::try_from(index).is_ok_and(|index| index < job.stages.len()) {
        return Ok(index);
    }
    let stages = (1..).zip(&job.stages).map(|(n, stage)| format!("{n} ({}.{})", stage.plugin, stage.tool));
    let hint = format!("it has {}", stages.collect::<Vec<_>>().join(", "));
    Err(Failure::request(format!("job {id} has no stage {number}"), hint))
}
