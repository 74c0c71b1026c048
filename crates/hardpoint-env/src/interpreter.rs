//! Owns finding a Python on this machine. Each candidate is asked what it is in a short-lived process,
//! so a shim (pyenv) answers with the real interpreter behind it. Knows nothing of environments.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::SystemTime;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use crate::error::{EnvError, FoundInterpreter};
use crate::install::patience::Patience;
use crate::install::run::{Program, RunError};
use crate::limits::{INTERPRETER_ANSWER, INTERPRETERS_MAX, REASON_CHARS_MAX};
use crate::machine::Machine;
use crate::settings::Settings;

/// What an interpreter said about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// The program itself: no shim, no link, not inside a virtual environment.
    pub executable: PathBuf,
    /// The full version: `3.12.1`.
    pub version: String,
    /// `cpython`, `pypy`, …
    pub implementation: String,
    /// The platform tag: `linux-x86_64`.
    pub platform: String,
    /// The tag of its binary extensions, when it has one.
    pub soabi: Option<String>,
}

/// The oldest Python that the worker runs on.
const OLDEST: [u64; 2] = [3, 9];

/// Names that interpreters have, in the order of preference.
const NAMES: [&str; 8] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];

const QUESTION: &str = "\
import json, os, platform, sys, sysconfig
exe = getattr(sys, '_base_executable', None) or sys.executable
print(json.dumps({
    'executable': os.path.realpath(exe),
    'version': platform.python_version(),
    'implementation': sys.implementation.name,
    'platform': sysconfig.get_platform(),
    'soabi': sysconfig.get_config_var('SOABI'),
}))";

/// What interpreters answered, by path and time of change.
#[derive(Debug, Default)]
pub(crate) struct Interpreters {
    answers: Mutex<HashMap<(PathBuf, SystemTime), Result<Interpreter, String>>>,
}

impl Interpreters {
    /// The first interpreter whose version `requires` allows.
    pub(crate) async fn find(
        &self,
        machine: &Machine,
        plugin: &str,
        requires: &str,
    ) -> Result<Interpreter, EnvError> {
        let versions = VersionSpecifiers::from_str(requires)
            .map_err(|_| EnvError::Requires { plugin: plugin.to_owned(), requires: requires.to_owned() })?;
        let mut found = Vec::new();
        for path in candidates(&machine.settings) {
            let outcome = match self.ask(machine, &path).await {
                Ok(interpreter) if fits(&interpreter.version, &versions) => return Ok(interpreter),
                Ok(interpreter) => Ok(interpreter.version),
                Err(reason) => Err(reason),
            };
            found.push(FoundInterpreter { path, outcome });
        }
        Err(EnvError::NoInterpreter { plugin: plugin.to_owned(), requires: wanted(requires), found })
    }

    /// Asks one interpreter what it is, unless it said so already.
    pub(crate) async fn ask(&self, machine: &Machine, path: &Path) -> Result<Interpreter, String> {
        let changed =
            std::fs::metadata(path).and_then(|data| data.modified()).map_err(|error| error.to_string())?;
        let place = (path.to_owned(), changed);
        if let Some(known) = self.answers.lock().ok().and_then(|answers| answers.get(&place).cloned()) {
            return known;
        }
        let answer = ask(machine, path).await;
        if let Ok(mut answers) = self.answers.lock() {
            if answers.len() >= 4 * INTERPRETERS_MAX {
                answers.clear();
            }
            answers.insert(place, answer.clone());
        }
        answer
    }
}

/// Asks one interpreter what it is.
pub(crate) async fn ask(machine: &Machine, path: &Path) -> Result<Interpreter, String> {
    let program =
        Program::new(machine, path, Patience::Total(INTERPRETER_ANSWER)).args(["-I", "-c", QUESTION]);
    let finished = program.run(|_| {}).await.map_err(|error| match error {
        RunError::Start(error) => error.to_string(),
        RunError::Stopped(limit, _) => format!("gave no answer within {} s", limit.as_secs()),
    })?;
    let last = finished.tail.last().map(String::as_str).unwrap_or_default();
    if !finished.is_success() {
        let said: String = last.chars().take(REASON_CHARS_MAX).collect();
        let ending = finished.ending();
        return Err(if said.is_empty() { ending } else { format!("{ending}: {said}") });
    }
    serde_json::from_str(last).map_err(|_| "gave an answer that is not Python's".to_owned())
}

/// The one that was named, else every Python that can be found.
pub(crate) fn candidates(settings: &Settings) -> Vec<PathBuf> {
    let named: Vec<PathBuf> = settings
        .get("HARDPOINT_PYTHON")
        .map(PathBuf::from)
        .into_iter()
        .flat_map(|path| {
            let is_name = path.components().count() == 1;
            let name = path.to_string_lossy().into_owned();
            if is_name { settings.on_path(&name).collect() } else { vec![path] }
        })
        .collect();
    if settings.get("HARDPOINT_PYTHON").is_some() {
        return named;
    }
    let mut seen = BTreeSet::new();
    NAMES
        .iter()
        .flat_map(|name| settings.on_path(name))
        .chain(of_pyenv(settings))
        .filter(|path| seen.insert(path.clone()))
        .take(INTERPRETERS_MAX)
        .collect()
}

/// Those that pyenv has installed, the newest first: on PATH its shims name only the ones that are switched on.
fn of_pyenv(settings: &Settings) -> Vec<PathBuf> {
    let root = settings.get("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(settings.get("HOME")?).join(".pyenv")));
    let entries = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut found: Vec<(Version, PathBuf)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = Version::from_str(entry.file_name().to_str()?).ok()?;
            (version >= Version::new(OLDEST)).then(|| (version, entry.path().join("bin/python")))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

pub(crate) fn fits(version: &str, versions: &VersionSpecifiers) -> bool {
    // A Python built from an unreleased source ends its version with `+`.
    let Ok(version) = Version::from_str(version.trim_end_matches('+')) else { return false };
    version >= Version::new(OLDEST) && versions.contains(&version)
}

/// A requirement on the version, for a person.
pub(crate) fn wanted(requires: &str) -> String {
    if requires.trim().is_empty() { ">=3.9".to_owned() } else { requires.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pyenv_has_installed_comes_after_the_path_and_the_newest_first() {
        let pyenv = tempfile::tempdir().unwrap();
        for version in ["3.9.18", "3.12.1", "2.7.18", "3.13.0", "miniforge3"] {
            let bin = pyenv.path().join("versions").join(version).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("python"), "").unwrap();
        }
        std::fs::create_dir_all(pyenv.path().join("versions/3.11.9/bin")).unwrap();
        let settings = Settings::from_process().with("PATH", "/nowhere").with("PYENV_ROOT", pyenv.path());
        let found = candidates(&settings.without("HARDPOINT_PYTHON"));
        let expected = ["3.13.0", "3.12.1", "3.9.18"];
        let path = |version| pyenv.path().join("versions").join(version).join("bin/python");
        assert_eq!(found, expected.map(path));
    }

    #[test]
    fn versions_are_compared_as_python_compares_them() {
        for (version, requires, expected) in [
            ("3.12.1", ">=3.10,<3.14", true),
            ("3.12.1", "", true),
            ("3.9.18", ">=3.10", false),
            ("3.15.0+", ">=3.9", true),
            ("3.8.18", "", false),
            ("2.7.18", "", false),
            ("nonsense", "", false),
        ] {
            let versions = VersionSpecifiers::from_str(requires).unwrap();
            assert_eq!(fits(version, &versions), expected, "{version} {requires}");
        }
    }
}
