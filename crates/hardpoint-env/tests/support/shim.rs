//! The shim of tests: nothing but the shim. The host's own binary is too far up to be known here.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(u8::try_from(hardpoint_process::shim_main()).unwrap_or(1))
}
