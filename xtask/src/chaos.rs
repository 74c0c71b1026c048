//! `cargo xtask chaos`: hosts and workers killed at random moments; afterwards nothing may be left over.

use anyhow::Result;

use crate::command::{cargo, check};

/// A run is repeated with the seed that it printed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times the host is killed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    host_kill: u32,
    /// Start of the random numbers; without it the run chooses one and prints it.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--package", "hardpoint-testkit", "--bin", "chaos", "--"]);
    command.args(["--host-kill", &args.host_kill.to_string()]);
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    check(&mut command)
}
