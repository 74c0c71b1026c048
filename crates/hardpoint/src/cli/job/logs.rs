//! `hardpoint job logs ID`: what was said for a job, and nothing else.

use crate::cli::exit_code::Code;
use crate::cli::live::Scene;
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
    /// Only lines of this stage, from 0
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65_535))]
    stage: Option<u32>,
    /// Only lines of this try of a stage, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    attempt: Option<u32>,
    #[command(flatten)]
    choice: Choice,
}

pub(super) async fn run(args: &Logs, scene: Scene<'_>) -> Result<Code, Failure> {
    let of = LogsOf::Job { id: args.id, last: args.lines, stage: args.stage, attempt: args.attempt };
    show(of, &args.choice, scene).await
}
