//! Hosts that are killed at random moments: nothing is left behind, nothing that was accepted is lost. The chaos
//! command does the work; `cargo xtask chaos` does more of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// Enough to hit launch, handshake and calls; a failed round prints how to repeat it.
const BARE_ROUNDS: &str = "10";
/// Enough to hit starts, recoveries, work and orderly ends.
const ROUNDS: &str = "30";

/// Runs it; what it printed is the message of a failure.
#[track_caller]
fn chaos(args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn ten_killed_hosts_leave_nothing_behind() {
    chaos(&["--tree-kill", BARE_ROUNDS]);
}

/// The server is the one that was built beside the chaos command: `cargo build --package hardpoint` where it is not.
#[test]
fn thirty_killed_servers_lose_no_job_run_none_twice_and_skip_no_event() {
    chaos(&["--host-kill", ROUNDS]);
}
