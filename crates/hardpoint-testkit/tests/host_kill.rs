//! A host that is killed at a random moment leaves nothing behind. The chaos command does the work;
//! `cargo xtask chaos` does more of it.

use std::process::Command;

/// Enough to hit launch, handshake and calls; a failed round prints how to repeat it.
const ROUNDS: &str = "10";

#[test]
fn ten_killed_hosts_leave_nothing_behind() {
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let output = chaos.args(["--host-kill", ROUNDS]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
