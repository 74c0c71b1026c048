//! The project's own commands, run as `cargo xtask …`.
//!
//! One file per command. What a command needs from the machine (interpreters, tools) is looked for and
//! reported, never installed by hand. Nothing here is part of the product.

mod bench;
mod chaos;
mod ci;
mod command;
mod fuzz;
mod python;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that a change must pass: format, lints, tidy, tests, types, docs.
    Ci(ci::Args),
    /// Check what compilers do not: crate edges, lengths, module docs, words, versions, requirements.
    Tidy(tidy::Args),
    /// Run the benchmarks in release mode.
    Bench(bench::Args),
    /// Kill hosts and workers at random moments and look for survivors.
    Chaos(chaos::Args),
    /// Feed random bytes to the frame decoder (needs cargo-fuzz and a nightly toolchain).
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
