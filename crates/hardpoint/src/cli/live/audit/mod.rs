//! `hardpoint plugin audit`: whether what a running host says about its plugins holds, seen from outside.
//!
//! Owns the questions and the report. Trusts nothing that the host says: the rules look at the documents as they
//! came, and at the machine's processes.

mod look;
mod report;
mod rules;

use super::{Scene, patiently};
use crate::cli::exit_code::Code;
use crate::embedded::Failure;
use clap::Args;

/// What counts.
#[derive(Debug, Args)]
#[command(after_help = "\
Checked: states are one of five; every field is there and no count is negative; a reason is given exactly for FAILED \
and UNAVAILABLE; the list, the health and the details of each plugin agree; every worker is a living descendant of \
the host under a telling name (when the host runs on this data folder); an unknown plugin is 404; every answer comes \
within one second.

Plugins that are down are listed; with --strict they are findings, too.

Examples:
  hardpoint plugin audit
  hardpoint plugin audit --strict --json
  hardpoint plugin audit faces

Exit codes: 0 nothing was found, 1 something was, 6 no server answers.")]
pub(in crate::cli) struct Audit {
    /// Name of one plugin; without it all are audited
    plugin: Option<String>,
    /// Count plugins that are down, disabled or without a sign of life as findings
    #[arg(long)]
    strict: bool,
}

pub(in crate::cli) async fn run(args: Audit, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let seen = patiently(look::look(&client, args.plugin.as_deref())).await?;
    report::tell(&seen, &args, &client, scene.shared.json)
}
