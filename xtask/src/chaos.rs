//! `cargo xtask chaos`: hosts and workers killed at random moments; afterwards nothing may be left over.

use anyhow::Result;

use crate::command::{cargo, check};

/// A run is repeated with the seed that it printed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times the host is killed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    host_kill: u32,
    /// How many times the shim of a worker is killed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    shim_kill: u32,
    /// How many workers are started and ended in one host that goes on.
    #[arg(long, value_name = "N", default_value_t = 50)]
    cycles: u32,
    /// Start of the random numbers; without it the run chooses one and prints it.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this round of the seed, as a failed run prints it.
    #[arg(long, value_name = "R", requires = "seed")]
    round: Option<u32>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--package", "hardpoint-testkit", "--bin", "chaos", "--"]);
    match args.round {
        Some(round) => command.args(["--round", &round.to_string()]),
        None => command
            .args(["--host-kill", &args.host_kill.to_string()])
            .args(["--shim-kill", &args.shim_kill.to_string()])
            .args(["--cycles", &args.cycles.to_string()]),
    };
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    check(&mut command)
}
