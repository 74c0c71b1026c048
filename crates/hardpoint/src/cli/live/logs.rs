//! `hardpoint plugin logs NAME`: what a plugin printed and logged, and what the host said about it.

use super::Scene;
use crate::cli::exit_code::Code;
use crate::cli::log_lines::{Choice, show};
use crate::client::LogsOf;
use crate::embedded::Failure;
use clap::Args;

/// Which lines are shown.
#[derive(Debug, Args)]
#[command(after_help = "\
The lines are kept in the data folder, so those from before the server was started anew are there too. Where lines of \
a job begin, its id stands above them: `hardpoint job logs ID` shows those alone.

Examples:
  hardpoint plugin logs faces
  hardpoint plugin logs faces --lines 1000 --json
  hardpoint plugin logs faces --level warning --contains timeout
  hardpoint plugin logs faces --follow

With --follow it goes on until Ctrl-C, which ends it with exit code 0; with --json there is a document per line.")]
pub(in crate::cli) struct Logs {
    /// Name of the plugin
    plugin: String,
    /// How many of the last lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    lines: u32,
    #[command(flatten)]
    choice: Choice,
}

pub(in crate::cli) async fn run(args: Logs, scene: Scene<'_>) -> Result<Code, Failure> {
    let of = LogsOf::Plugin { name: &args.plugin, last: args.lines };
    show(of, &args.choice, scene).await
}
