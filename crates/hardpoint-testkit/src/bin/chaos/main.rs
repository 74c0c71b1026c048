//! `chaos`: kills hosts, workers and shims at random moments; afterwards nothing may be left over.
//!
//! Owns the command line. The same binary is the host that is killed and the shim of its workers.
//!
//! ```text
//!   chaos ── starts, kills ──> chaos --as-host DIR ── shims ──> workers ──> what they fork      --tree-kill
//!     ├───── starts, kills ──> hardpoint serve ────── shims ──> workers ──> what they fork      --host-kill
//!     └── subreaper: whatever outlives host and shim becomes its child and is seen
//! ```

mod cycles;
mod host;
mod host_kill;
mod load;
mod orphans;
mod random;
mod shim_kill;
mod tree_kill;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Kill hosts, workers and shims, and look at what is left, on disk and in memory.
#[derive(Debug, Parser)]
struct Args {
    /// Kill the real server this many times, under clients that ask for everything; then look at its database.
    #[arg(long, value_name = "N")]
    host_kill: Option<u32>,
    /// Kill a bare host under load this many times, each time at a random moment, and look for survivors.
    #[arg(long, value_name = "N")]
    tree_kill: Option<u32>,
    /// Start and end a worker in one host this many times.
    #[arg(long, value_name = "N")]
    cycles: Option<u32>,
    /// Kill the shim of a worker with detached descendants this many times.
    #[arg(long, value_name = "N")]
    shim_kill: Option<u32>,
    /// Start of the random numbers; without it one is chosen and printed.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only this round of `--tree-kill`. Rounds of `--host-kill` share a data folder: they are repeated from the first.
    #[arg(long, value_name = "R", requires = "tree_kill", requires = "seed")]
    round: Option<u32>,
    /// The server to kill; without it the one that was built beside this program.
    #[arg(long, value_name = "FILE")]
    hardpoint: Option<PathBuf>,
    /// Be the bare host that is killed, with this data folder.
    #[arg(long, hide = true)]
    as_host: Option<PathBuf>,
    /// Become this program, and die with whoever started it.
    #[arg(long = "as", hide = true, value_name = "FILE")]
    become_program: Option<PathBuf>,
    /// Arguments of that program.
    #[arg(last = true, hide = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == hardpoint_process::SHIM_ARGUMENT) {
        return ExitCode::from(u8::try_from(hardpoint_process::shim_main()).unwrap_or(1));
    }
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if let Some(program) = &args.become_program {
        return host_kill::become_program(program, &args.arguments);
    }
    let seed = args.seed.unwrap_or_else(random::seed);
    if let Some(data) = &args.as_host {
        return host::run(data, seed);
    }
    let Args { host_kill, tree_kill, shim_kill, cycles, .. } = *args;
    ensure!(
        [host_kill, tree_kill, shim_kill, cycles].iter().any(Option::is_some),
        "there is nothing to do: give --host-kill N, --tree-kill N, --shim-kill N or --cycles N"
    );
    if let Some(rounds) = host_kill {
        let program = args.hardpoint.clone().map_or_else(beside, Ok)?;
        host_kill::run(&host_kill::Order { rounds, seed, program })?;
    }
    match (tree_kill, args.round) {
        (Some(_), Some(round)) => tree_kill::run(round..round + 1, seed)?,
        (Some(rounds), None) => tree_kill::run(0..rounds, seed)?,
        (None, _) => {}
    }
    shim_kill.map_or(Ok(()), shim_kill::run)?;
    cycles.map_or(Ok(()), cycles::run)
}

/// The server of the same build.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.parent().unwrap_or(Path::new("/")).join("hardpoint");
    ensure!(
        program.is_file(),
        "{} is not there: build it with `cargo build --package hardpoint`",
        program.display()
    );
    program.canonicalize().context("the server cannot be found")
}
