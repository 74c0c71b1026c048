//! Owns what this machine has for environments, for people who ask: interpreters and uv. Makes nothing, and
//! works without a data directory.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use hardpoint_process::Launcher;
use pep440_rs::VersionSpecifiers;

use crate::install::patience::Patience;
use crate::install::run::Program;
use crate::install::uv;
use crate::interpreter::{Interpreter, ask, candidates, fits};
use crate::limits::INTERPRETER_ANSWER;
use crate::machine::Machine;
use crate::settings::{Settings, is_executable};

/// What there is.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Every Python that would be tried, in that order; the first usable one is the default.
    pub interpreters: Vec<Candidate>,
    /// Whether `HARDPOINT_PYTHON` names the only one.
    pub is_named: bool,
    /// The installer.
    pub uv: Uv,
}

/// One Python that would be tried.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it was found.
    pub path: PathBuf,
    /// What it says of itself, or why it says nothing.
    pub answer: Result<Interpreter, String>,
    /// Whether workers run on it.
    pub usable: bool,
}

/// Where uv comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uv {
    /// `HARDPOINT_UV` names something that is no program.
    NotAProgram(PathBuf),
    /// It is there, and says this of itself when it is asked.
    Found {
        /// The program.
        path: PathBuf,
        /// `0.9.7`, or why it did not say.
        version: Result<String, String>,
        /// Whether it was installed for this data directory.
        own: bool,
    },
    /// It is installed when the first packages are.
    ToInstall,
}

/// Looks at everything; `data_dir` need not exist.
pub async fn survey(data_dir: &Path, launcher: &Launcher) -> Survey {
    let machine = Machine { launcher: launcher.clone(), settings: Settings::from_process() };
    let any = VersionSpecifiers::from_str("").unwrap_or_default();
    let mut interpreters = Vec::new();
    for path in candidates(&machine.settings) {
        let answer = ask(&machine, &path).await;
        let usable = answer.as_ref().is_ok_and(|interpreter| fits(&interpreter.version, &any));
        interpreters.push(Candidate { path, answer, usable });
    }
    let uv = find_uv(&machine, data_dir).await;
    Survey { interpreters, is_named: machine.settings.get("HARDPOINT_PYTHON").is_some(), uv }
}

async fn find_uv(machine: &Machine, data_dir: &Path) -> Uv {
    let named = machine.settings.get("HARDPOINT_UV").map(PathBuf::from);
    if let Some(path) = named.clone().filter(|path| !is_executable(path)) {
        return Uv::NotAProgram(path);
    }
    let of_machine = named.or_else(|| machine.settings.on_path("uv").next());
    let own = of_machine.is_none();
    let Some(path) = of_machine.or_else(|| uv::installed(&data_dir.join("tools"))) else {
        return Uv::ToInstall;
    };
    let program = Program::new(machine, &path, Patience::Total(INTERPRETER_ANSWER)).args(["--version"]);
    let version = match program.run(|_| {}).await {
        Ok(finished) if finished.is_success() => {
            let said = finished.tail.last().map(String::as_str).unwrap_or_default();
            Ok(said.split_whitespace().nth(1).unwrap_or(said).to_owned())
        }
        Ok(finished) => Err(finished.ending()),
        Err(_) => Err("did not answer".to_owned()),
    };
    Uv::Found { path, version, own }
}
