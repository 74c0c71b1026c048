//! `cargo xtask chaos`: hosts and workers killed at random moments; afterwards nothing may be left over, and nothing
//! that was accepted may be lost.

use anyhow::Result;

use crate::command::{cargo, check, program};
use crate::tree;

/// A run is repeated with the seed that it printed. What is not named is not done; without any name all of it is,
/// a little.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times the real server is killed under clients that ask for everything; then its database is judged.
    #[arg(long, value_name = "N")]
    host_kill: Option<u32>,
    /// How many times a bare host under load is killed.
    #[arg(long, value_name = "N")]
    tree_kill: Option<u32>,
    /// How many times the shim of a worker is killed.
    #[arg(long, value_name = "N")]
    shim_kill: Option<u32>,
    /// How many workers are started and ended in one host that goes on.
    #[arg(long, value_name = "N")]
    cycles: Option<u32>,
    /// Start of the random numbers; without it the run chooses one and prints it.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this round of `--tree-kill`, as a failed run prints it. Rounds of `--host-kill` share a data folder, so
    /// they are repeated from the first.
    #[arg(long, value_name = "R", requires = "seed", requires = "tree_kill")]
    round: Option<u32>,
}

/// What is done when nothing is named.
const A_LITTLE: [(&str, u32); 4] =
    [("--host-kill", 20), ("--tree-kill", 20), ("--shim-kill", 5), ("--cycles", 50)];

pub(crate) fn run(args: &Args) -> Result<()> {
    check(cargo().args(["build", "--package", "hardpoint", "--package", "hardpoint-testkit"]))?;
    let mut command = program(tree::root().join("target/debug/chaos"));
    let named = [args.host_kill, args.tree_kill, args.shim_kill, args.cycles];
    let all = named.iter().all(Option::is_none);
    for ((option, a_little), named) in A_LITTLE.into_iter().zip(named) {
        if let Some(count) = named.or(all.then_some(a_little)) {
            command.args([option, &count.to_string()]);
        }
    }
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if let Some(round) = args.round {
        command.args(["--round", &round.to_string()]);
    }
    check(&mut command)
}
