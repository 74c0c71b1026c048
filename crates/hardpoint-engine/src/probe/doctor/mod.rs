//! The doctor: what this machine has for plugins, each with a remedy where something is not as it should be.
//!
//! Owns the findings and their words. Facts are gathered beside, with limits on time; every finding is a
//! pure function of them. Must not know the terminal.

mod disk;
mod environment;
mod gpu;
mod limits;
mod memory;
mod nats;
mod plugins;
mod secrets;

pub use plugins::{plugin, plugins};

use crate::probe::gpu::driver;
use hardpoint_process::Launcher;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Some plugins cannot run, or less well.
    Warning,
    /// Plugins cannot run.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `python`, `gpu`.
    pub name: String,
    /// How good it is.
    pub level: Level,
    /// What was found, in one sentence.
    pub what: String,
    /// What to do, where it is not as it should be.
    pub remedy: Option<String>,
    /// The figures behind it.
    pub facts: Value,
}

impl Finding {
    /// As it should be.
    pub fn ok(name: &str, what: impl Into<String>) -> Self {
        Self { name: name.to_owned(), level: Level::Ok, what: what.into(), remedy: None, facts: Value::Null }
    }

    /// Less than it should be.
    pub fn warning(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, remedy: Some(remedy.into()), ..Self::ok(name, what) }
    }

    /// Not as it has to be.
    pub fn problem(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Problem, remedy: Some(remedy.into()), ..Self::ok(name, what) }
    }

    fn with(mut self, facts: impl Serialize) -> Self {
        self.facts = serde_json::to_value(facts).unwrap_or_default();
        self
    }
}

/// Looks at the machine. `data` need not exist, nor be of any use.
pub async fn machine(data: &Path, launcher: &Launcher) -> Vec<Finding> {
    let survey = hardpoint_env::survey(data, launcher);
    let (survey, memory, driver, nats, secrets, data, shared) = tokio::join!(
        survey,
        memory::facts(launcher),
        driver(launcher),
        nats::facts(launcher),
        secrets::facts(data),
        disk::data(data),
        disk::shared_memory(),
    );
    vec![
        environment::python(&survey),
        environment::uv(&survey.uv),
        memory::finding(&memory),
        gpu::finding(&driver),
        nats::finding(&nats),
        disk::data_finding(data),
        disk::shared_finding(shared),
        secrets::finding(secrets),
        limits::open_files(limits::files_limit()),
        limits::processes(limits::processes_limit()),
    ]
}
