//! `cargo xtask bench`: the benchmarks, in release mode.

use anyhow::Result;

use crate::command::{cargo, check};

/// Everything after `--` goes to the benchmarks.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments for the benchmark program, for example a name to filter by.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    check(cargo().args(["run", "--release", "--package", "hardpoint-bench", "--"]).args(&args.arguments))
}
