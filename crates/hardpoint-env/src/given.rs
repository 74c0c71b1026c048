//! Owns environments that somebody else made: where their Python is, and whether it can be used. Changes nothing in them.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use pep440_rs::VersionSpecifiers;

use crate::error::{EnvError, GivenFault};
use crate::interpreter::{Interpreters, fits, wanted};
use crate::machine::Machine;
use crate::settings::is_executable;
use crate::store::{EnvRequest, Environment};

/// Where the Python of a virtual environment or of a conda prefix is.
const PROGRAMS: [&str; 2] = ["bin/python", "bin/python3"];

/// The interpreter that a path names: itself, or the one of that environment. It is not resolved any further: the
/// link in a virtual environment is what tells its Python which environment it is in.
pub fn interpreter_of(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        PROGRAMS.iter().map(|program| path.join(program)).find(|program| is_executable(program))
    } else {
        is_executable(path).then(|| path.to_owned())
    }
}

/// The environment at `path`, if a worker can run in it.
pub(crate) async fn ready(
    machine: &Machine,
    interpreters: &Interpreters,
    request: &EnvRequest,
    path: &Path,
) -> Result<Environment, EnvError> {
    let fault = |fault| EnvError::Given { plugin: request.plugin.clone(), path: path.to_owned(), fault };
    let versions = VersionSpecifiers::from_str(&request.requires).map_err(|_| EnvError::Requires {
        plugin: request.plugin.clone(),
        requires: request.requires.clone(),
    })?;
    let python = std::path::absolute(path).ok().as_deref().and_then(interpreter_of).ok_or_else(|| {
        fault(if path.symlink_metadata().is_ok() { GivenFault::NoPython } else { GivenFault::Absent })
    })?;
    let answer = interpreters.ask(machine, &python).await.map_err(|why| fault(GivenFault::Silent(why)))?;
    if !fits(&answer.version, &versions) {
        let (found, needs) = (answer.version, wanted(&request.requires));
        return Err(fault(GivenFault::Version { found, needs }));
    }
    let key = python.display().to_string();
    Ok(Environment { python, python_version: answer.version, key, built: false })
}
