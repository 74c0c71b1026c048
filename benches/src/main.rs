//! The benchmarks: what the project promises about speed and size, measured next to a floor.
//!
//! Owns the choice of what is measured. One file per promise; each measures its floor (a bare
//! interpreter, a bare ping-pong, a plain copy) in the same run and turn by turn with the real thing, so
//! that a busy or slow machine weighs on both. Must not decide anything by the outcome: a missed bound is
//! a row that says so.

mod bytes;
mod calls;
mod death;
mod dialects;
mod floor;
mod guards;
mod health;
mod http;
mod jobs;
mod memory;
mod report;
mod samples;
mod served;
mod stage;
mod start;

use crate::report::Report;
use crate::samples::Effort;
use crate::stage::Stage;
use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

/// Measure calls, bytes, starts, deaths, memory, guards, the server, jobs and pipelines, and write benches/RESULTS.md.
#[derive(Parser)]
#[command(name = "hardpoint-bench")]
struct Cli {
    /// Fewer repetitions: good enough to see a change by half, not by a tenth.
    #[arg(long)]
    quick: bool,
    /// Only these: calls, dialects, flight, bytes, start, death, memory, guards, http, health, jobs, pipelines. The results file is left alone.
    #[arg(value_name = "NAME")]
    only: Vec<String>,
    /// Be the host of that many idle workers and print the own size; used by the memory benchmark.
    #[arg(long, hide = true, value_name = "N")]
    be_a_host_of: Option<u32>,
    /// Be a server of this folder's plugins until standard input ends; used by http, health and jobs.
    #[arg(long, hide = true, value_name = "DIR")]
    be_a_server: Option<std::path::PathBuf>,
}

/// One promise: its name on the command line and its measurement.
type Bench = (&'static str, fn(&Stage, Effort, &mut Report) -> Result<()>);

const BENCHES: [Bench; 12] = [
    ("calls", calls::one_at_a_time),
    ("dialects", dialects::measure),
    ("flight", calls::many_in_flight),
    ("bytes", bytes::measure),
    ("start", start::measure),
    ("death", death::measure),
    ("memory", memory::measure),
    ("guards", guards::measure),
    ("http", http::measure),
    ("health", health::measure),
    ("jobs", jobs::measure),
    ("pipelines", jobs::pipelines),
];

fn main() -> ExitCode {
    // First of all, because a shim must not have threads or a parsed command line.
    if std::env::args_os().nth(1).is_some_and(|first| first == hardpoint_process::SHIM_ARGUMENT) {
        return ExitCode::from(u8::try_from(hardpoint_process::shim_main()).unwrap_or(1));
    }
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if let Some(count) = cli.be_a_host_of {
        return memory::be_a_host_of(count);
    }
    if let Some(folder) = &cli.be_a_server {
        return served::be_a_server(folder);
    }
    if let Some(unknown) = cli.only.iter().find(|name| !BENCHES.iter().any(|(known, _)| known == name)) {
        let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("there is no benchmark `{unknown}`; there are {}", names.join(", "));
    }
    let stage = Stage::set_up()?;
    let effort = if cli.quick { Effort::Quick } else { Effort::Full };
    let mut report = Report::begin(&stage, effort)?;
    for (name, bench) in BENCHES {
        if cli.only.is_empty() || cli.only.iter().any(|only| only == name) {
            eprintln!("measuring: {name}");
            bench(&stage, effort, &mut report)?;
        }
    }
    println!("{}", report.table());
    if cli.only.is_empty() {
        report.write()?;
    }
    Ok(())
}
