//! `chaos`: kills hosts, workers and shims at random moments; afterwards nothing may be left over.
//!
//! Owns the command line. The same binary is the host that is killed and the shim of its workers.
//!
//! ```text
//!   chaos ── starts, kills ──> chaos --as-host DIR ── shims ──> workers ──> what they fork
//!     └── subreaper: whatever outlives host and shim becomes its child and is seen
//! ```

mod cycles;
mod host;
mod host_kill;
mod load;
mod orphans;
mod random;
mod shim_kill;

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Kill hosts, workers and shims, and look for survivors.
#[derive(Debug, Parser)]
struct Args {
    /// Kill a host under load this many times, each time at a random moment.
    #[arg(long, value_name = "N")]
    host_kill: Option<u32>,
    /// Start and end a worker in one host this many times.
    #[arg(long, value_name = "N")]
    cycles: Option<u32>,
    /// Kill the shim of a worker with detached descendants this many times.
    #[arg(long, value_name = "N")]
    shim_kill: Option<u32>,
    /// Start of the random numbers; without it one is chosen and printed.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only this round of `--host-kill`.
    #[arg(long, value_name = "R")]
    round: Option<u32>,
    /// Be the host that is killed, with this data folder.
    #[arg(long, hide = true)]
    as_host: Option<PathBuf>,
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
    let seed = args.seed.unwrap_or_else(random::seed);
    if let Some(data) = &args.as_host {
        return host::run(data, seed);
    }
    if args.host_kill.is_none() && args.cycles.is_none() && args.shim_kill.is_none() && args.round.is_none() {
        anyhow::bail!("there is nothing to do: give --host-kill N, --cycles N or --shim-kill N");
    }
    match (args.host_kill, args.round) {
        (_, Some(round)) => host_kill::run(round..round + 1, seed)?,
        (Some(rounds), None) => host_kill::run(0..rounds, seed)?,
        (None, None) => {}
    }
    if let Some(rounds) = args.shim_kill {
        shim_kill::run(rounds)?;
    }
    args.cycles.map_or(Ok(()), cycles::run)
}
