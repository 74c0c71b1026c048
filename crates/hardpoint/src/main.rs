//! The `hardpoint` binary: command line in, exit code out.
//!
//! Owns nothing but the way from `argv` to a command. The first thing it does is to look whether it was
//! started as a shim, because a shim must not have threads, a runtime or a parsed command line; the same goes
//! for the process that asks the GPU's driver.

mod assembly;
mod cli;
mod client;
mod configuration;
mod embedded;
mod failure;
mod foreign;
mod mistakes;
mod serve;

use hardpoint_engine::probe;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if first == hardpoint_process::SHIM_ARGUMENT {
        return ExitCode::from(u8::try_from(hardpoint_process::shim_main()).unwrap_or(1));
    }
    if first == probe::DRIVER_ARGUMENT {
        return ExitCode::from(u8::try_from(probe::driver_main()).unwrap_or(1));
    }
    if let Err(error) = hardpoint_process::close_off() {
        // It is told, and goes on: what it protects may not be there.
        let _ =
            writeln!(std::io::stderr(), "warning: other processes of this user can read this one: {error}");
    }
    match cli::parse() {
        Ok(cli) => cli::run(cli),
        Err(code) => code,
    }
}
