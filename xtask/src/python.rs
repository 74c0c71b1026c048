//! Python on this machine: which interpreters start, and the tools built from them under `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{check, program, read};
use crate::tree;

/// Versions that the worker supports; the tests run on every one that this machine has.
const VERSIONS: [(u32, u32); 5] = [(3, 9), (3, 10), (3, 11), (3, 12), (3, 13)];

/// An interpreter that starts.
pub(crate) struct Interpreter {
    pub version: (u32, u32),
    pub path: PathBuf,
}

/// What the search came to: usable interpreters, and for the others a reason.
pub(crate) struct Found {
    pub usable: Vec<Interpreter>,
    pub skipped: Vec<String>,
}

/// Which tools go into a virtual environment.
#[derive(Clone, Copy)]
pub(crate) enum Tools {
    /// Types and lints, with the newest interpreter.
    Checks,
    /// The test runner, with each interpreter.
    Tests,
    /// What tests the HTTP API, with the newest interpreter.
    Api,
}

impl Tools {
    fn requirements(self) -> &'static str {
        match self {
            Self::Checks => "xtask/python-checks.txt",
            Self::Tests => "xtask/python-tests.txt",
            Self::Api => "xtask/python-api.txt",
        }
    }
}

/// One interpreter per supported version.
pub(crate) fn interpreters() -> Found {
    let mut found = Found { usable: Vec::new(), skipped: Vec::new() };
    for version in VERSIONS {
        match interpreter(version) {
            Ok(path) => found.usable.push(Interpreter { version, path }),
            Err(error) => found.skipped.push(format!("Python {}.{}: {error:#}", version.0, version.1)),
        }
    }
    found
}

/// The newest interpreter that starts.
pub(crate) fn newest() -> Result<Interpreter> {
    let found = interpreters();
    match found.usable.into_iter().next_back() {
        Some(interpreter) => Ok(interpreter),
        None => bail!("no Python between 3.9 and 3.13 starts: {}", found.skipped.join("; ")),
    }
}

/// Looks on the PATH (`python3.x`, then `python3` if that is the version), then beside pyenv's shims.
fn interpreter(version: (u32, u32)) -> Result<PathBuf> {
    let named = PathBuf::from(format!("python{}.{}", version.0, version.1));
    let mut first_error = None;
    for candidate in [named, PathBuf::from("python3")].into_iter().chain(pyenv_interpreters(version)) {
        match probe(&candidate) {
            Ok((found, path)) if found == version => return Ok(path),
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| anyhow::anyhow!("not on this machine")))
}

/// Starts the interpreter and asks for its version and its own path (a shim names another program).
fn probe(candidate: &Path) -> Result<((u32, u32), PathBuf)> {
    let question = "import sys; print(*sys.version_info[:2], sys.executable)";
    let answer = read(program(candidate).args(["-c", question]))?;
    let mut words = answer.trim().splitn(3, ' ');
    let (Some(major), Some(minor), Some(path)) = (words.next(), words.next(), words.next()) else {
        bail!("`{}` gave an answer that makes no sense: {answer:?}", candidate.display());
    };
    Ok(((major.parse()?, minor.parse()?), PathBuf::from(path)))
}

/// Interpreters that pyenv installed but whose shims are not active.
fn pyenv_interpreters(version: (u32, u32)) -> Vec<PathBuf> {
    let Some(pyenv) = std::env::var_os("PYENV_ROOT").map(PathBuf::from) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(pyenv.join("versions")) else { return Vec::new() };
    let prefix = format!("{}.{}.", version.0, version.1);
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path().join("bin/python"))
        .collect()
}

/// The Python of an environment that holds exactly the pinned tools; built once, and again when the pins change.
pub(crate) fn environment(interpreter: &Interpreter, tools: Tools) -> Result<PathBuf> {
    let pins_path = tree::root().join(tools.requirements());
    let pins =
        fs::read_to_string(&pins_path).with_context(|| format!("cannot read {}", pins_path.display()))?;
    let (major, minor) = interpreter.version;
    let folder = match tools {
        Tools::Checks => tree::root().join("target/tools/py"),
        Tools::Tests => tree::root().join(format!("target/tools/py{major}.{minor}")),
        Tools::Api => tree::root().join("target/tools/api"),
    };
    let python = folder.join("bin/python");
    let stamp = folder.join("hardpoint-pins");
    let wanted = format!("{}\n{pins}", interpreter.path.display());
    if fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) && python.exists() {
        return Ok(python);
    }
    check(program(&interpreter.path).args(["-m", "venv", "--clear"]).arg(&folder))
        .context("cannot build a virtual environment; on Debian the package python3-venv is needed")?;
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    check(program(&python).args(quiet).arg(&pins_path))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// The Python of an environment, set up so that it sees the package in `python/` and leaves no caches behind.
pub(crate) fn tool(python: &Path) -> Command {
    let mut command = program(python);
    command.env("PYTHONPATH", tree::root().join("python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
