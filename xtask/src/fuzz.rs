//! `cargo xtask fuzz`: random bytes against the frame decoder.

use std::process::Command;

use anyhow::Result;

use crate::command::{check, program, read};
use crate::tree;

/// A crash is kept under `fuzz/artifacts` and named in the output.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to try.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Which target under `fuzz/fuzz_targets`.
    #[arg(long, default_value = "frame")]
    target: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(reason) = missing() {
        println!("skipped: {reason}");
        return Ok(());
    }
    let limit = format!("-max_total_time={}", args.seconds);
    check(nightly().args(["cargo", "fuzz", "run", &args.target, "--", &limit]))
}

/// What this machine lacks, if anything. Fuzzing needs compiler flags that only a nightly toolchain has.
fn missing() -> Option<String> {
    if !tree::root().join("fuzz/Cargo.toml").is_file() {
        return Some("there is no fuzz/Cargo.toml".to_owned());
    }
    if let Err(error) = read(nightly().args(["rustc", "--version"])) {
        return Some(format!("no nightly toolchain ({error:#}); `rustup toolchain install nightly` adds it"));
    }
    if let Err(error) = read(nightly().args(["cargo", "fuzz", "--version"])) {
        return Some(format!("no cargo-fuzz ({error:#}); `cargo install cargo-fuzz` adds it"));
    }
    None
}

/// The nightly toolchain, free of the variables by which cargo hands its own toolchain down.
fn nightly() -> Command {
    let mut command = program("rustup");
    command.args(["run", "nightly"]);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}
