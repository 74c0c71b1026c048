//! Packages: whether each that the plugin declares is in its environment, in a version that will do.
//!
//! Owns the question. Nothing is imported to find out: distributions are read, modules are only looked up.

mod aliases;
mod judge;

use super::ask::{MARK, Silence, ask};
use super::limits::PACKAGES_LIMIT;
use super::subject::Subject;
use super::{Missing, Need};
use hardpoint_model::manifest::Dependency;
use hardpoint_process::Launcher;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SCRIPT: &str = include_str!("packages.py");

/// What the script looks for.
#[derive(Debug, Serialize)]
struct Names {
    distributions: BTreeSet<String>,
    modules: BTreeSet<String>,
    /// Those of the modules whose distributions are wanted, too.
    owned: BTreeSet<String>,
}

/// What it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Facts {
    /// Versions by normal name.
    distributions: BTreeMap<String, String>,
    /// By import name.
    modules: BTreeMap<String, Module>,
}

/// One import name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Module {
    found: bool,
    /// The distributions that brought it, with their versions.
    distributions: BTreeMap<String, String>,
}

/// What is missing among the plugin's packages.
pub(super) async fn missing(subject: &Subject<'_>, python: &Path, launcher: &Launcher) -> Vec<Missing> {
    let needed = &subject.manifest.needs.dependencies;
    if needed.is_empty() {
        return Vec::new();
    }
    match look(subject, needed, python, launcher).await {
        Ok(facts) => judge::missing(subject.manifest, &facts),
        Err(silence) => vec![Missing {
            need: Need::Package,
            what: format!("Python packages (they cannot be looked at: Python {silence})"),
            hint: remedy(&silence, python),
        }],
    }
}

fn remedy(silence: &Silence, python: &Path) -> String {
    let python = python.display();
    match silence {
        Silence::Late(_) => format!(
            "try `{python} -I -c 'import importlib.metadata'`; for a slow disk, set HARDPOINT_PROBE_SECONDS to the \
             seconds it needs"
        ),
        Silence::Start(_) | Silence::Memory | Silence::Ended(..) | Silence::Garbage | Silence::Lost => {
            format!(
                "try `{python} -I -c 'import importlib.metadata'`; if that fails too, build the environment anew by \
             changing `requirements` under `[python]`"
            )
        }
    }
}

async fn look(
    subject: &Subject<'_>,
    needed: &[Dependency],
    python: &Path,
    launcher: &Launcher,
) -> Result<Facts, Silence> {
    let with_versions = needed.iter().filter(|needed| !needed.versions.is_empty());
    let names = Names {
        distributions: needed.iter().flat_map(|needed| aliases::distributions(&needed.name)).collect(),
        modules: needed.iter().flat_map(|needed| aliases::modules(&needed.name)).collect(),
        owned: with_versions.flat_map(|needed| aliases::modules(&needed.name)).collect(),
    };
    let names = serde_json::to_string(&names).unwrap_or_default();
    let question =
        subject.python(python, SCRIPT, vec![MARK.to_owned(), subject.dir_text(), names], PACKAGES_LIMIT);
    ask(question, launcher).await?.answer()
}
