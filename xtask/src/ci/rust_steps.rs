//! The steps that cargo does.

use std::fs;

use anyhow::Result;

use super::reports;
use crate::command::{cargo, check, program, read};
use crate::tree;

pub(super) fn fmt() -> Result<Vec<String>> {
    check(cargo().args(["fmt", "--all", "--", "--check"]))?;
    Ok(Vec::new())
}

pub(super) fn clippy() -> Result<Vec<String>> {
    check(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    Ok(Vec::new())
}

/// With cargo-nextest where it is installed: a process per test, deadlines, and leaked processes are found.
pub(super) fn test() -> Result<Vec<String>> {
    reports::forget_rust()?;
    if read(cargo().args(["nextest", "--version"])).is_ok() {
        check(cargo().args(["nextest", "run", "--workspace", "--locked", "--profile", "ci"]))?;
        return Ok(Vec::new());
    }
    // The shell keeps the exit status of cargo and a copy of what it printed.
    let log = reports::cargo_test_log();
    fs::create_dir_all(log.parent().unwrap_or(tree::root()))?;
    let script = "set -o pipefail; \"$0\" test --workspace --locked --lib --bins --tests 2>&1 | tee \"$1\"";
    check(program("bash").args(["-c", script]).arg(cargo().get_program()).arg(&log))?;
    Ok(vec!["cargo-nextest is not installed, so `cargo test` ran the tests without deadlines".to_owned()])
}

pub(super) fn doctest() -> Result<Vec<String>> {
    check(cargo().args(["test", "--workspace", "--locked", "--doc", "--quiet"]))?;
    Ok(Vec::new())
}

pub(super) fn doc() -> Result<Vec<String>> {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    check(command.args(["doc", "--workspace", "--locked", "--no-deps"]))?;
    Ok(Vec::new())
}
