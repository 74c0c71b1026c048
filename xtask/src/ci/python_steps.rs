//! The steps that Python tools do. The tools are pinned and live under `target/tools`.

use anyhow::{Result, bail};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::reports;
use crate::command::{check, check_apart};
use crate::python::{Tools, environment, interpreters, newest, tool};
use crate::tree;

/// Where Python code of ours lies.
const FOLDERS: [&str; 7] =
    ["python", "examples", "tests/plugins", "tests/clients", "xtask", "crates", "benches"];

/// Interpreters that run the tests at the same time.
const LANES: usize = 2;

/// Scripts that the host carries, from the package's folder.
const SCRIPTS: [&str; 2] = [
    "../crates/hardpoint-engine/src/probe/gpu/ask_torch.py",
    "../crates/hardpoint-engine/src/probe/packages/packages.py",
];

pub(super) fn lint() -> Result<Vec<String>> {
    let python = environment(&newest()?, Tools::Checks)?;
    check(tool(&python).args(["-m", "ruff", "check", "--no-cache"]).args(FOLDERS))?;
    check(tool(&python).args(["-m", "ruff", "format", "--no-cache", "--check"]).args(FOLDERS))?;
    Ok(Vec::new())
}

/// In the package's folder, where mypy finds its settings.
pub(super) fn types() -> Result<Vec<String>> {
    let python = environment(&newest()?, Tools::Checks)?;
    let cache = tree::root().join("target/tools/mypy");
    let mut command = tool(&python);
    command.current_dir(tree::root().join("python"));
    check(
        command
            .args(["-m", "mypy", "--strict", "hardpoint", "hardpoint_worker.py"])
            .args(SCRIPTS)
            .arg("--cache-dir")
            .arg(cache),
    )?;
    Ok(Vec::new())
}

pub(super) fn test() -> Result<Vec<String>> {
    reports::forget_python()?;
    let found = interpreters();
    if found.usable.is_empty() {
        bail!("no Python between 3.9 and 3.13 starts: {}", found.skipped.join("; "));
    }
    let runs = found.usable.iter().map(|interpreter| {
        let python = environment(interpreter, Tools::Tests)?;
        let report = format!("--junitxml={}", reports::pytest_report(interpreter.version).display());
        let mut command = tool(&python);
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", &report, "python/tests"]);
        Ok(command)
    });
    let runs = Mutex::new(runs.collect::<Result<Vec<_>>>()?);
    // They wait for workers more than they compute.
    let lane = || -> Result<()> {
        while let Some(mut run) = runs.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            check_apart(&mut run)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|_| bail!("a lane of tests broke off")))
    })?;
    Ok(found.skipped.into_iter().map(|reason| format!("skipped {reason}")).collect())
}
