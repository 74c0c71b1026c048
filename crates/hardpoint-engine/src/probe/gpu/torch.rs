//! What the plugin's own torch says about CUDA, asked in a process of the plugin's own Python.
//!
//! Owns the question and when it is asked: only of a plugin that declares torch. Must not decide.

use crate::catalog::read_bounded;
use crate::probe::ask::{MARK, Question, Silence, ask};
use crate::probe::limits::{LOCK_BYTES_MAX, TORCH_LIMIT};
use crate::probe::subject::Subject;
use hardpoint_model::Manifest;
use hardpoint_model::manifest::Requirement;
use hardpoint_process::Launcher;
use serde::Deserialize;
use std::path::Path;

const SCRIPT: &str = include_str!("ask_torch.py");

/// What torch says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Torch {
    /// It cannot be imported, or raised when it was asked.
    Broken {
        /// The exception.
        import_error: String,
    },
    /// It answered.
    Says {
        version: String,
        /// The version of CUDA that it was built for; none for a build without CUDA.
        built_for: Option<String>,
        available: bool,
        count: u32,
        /// The exception that it raised when it was made to try.
        why: String,
    },
}

/// Whether the manifest says that torch is needed: among the packages, the requirements, or in the lock file.
pub(crate) fn declares_torch(manifest: &Manifest, dir: &Path) -> bool {
    let is_torch = |text: &str| text.parse::<Requirement>().is_ok_and(|r| r.name == "torch");
    let needed = manifest.needs.dependencies.iter();
    needed.into_iter().any(|dependency| dependency.name.split('.').next() == Some("torch"))
        || manifest.python.requirements.iter().any(|requirement| is_torch(requirement))
        || manifest.python.lock.as_ref().is_some_and(|lock| {
            let text = read_bounded(&dir.join(lock), LOCK_BYTES_MAX).unwrap_or_default();
            // Hashes may follow on the same line.
            text.lines()
                .filter_map(|line| line.split(" --").next())
                .any(|line| is_torch(line.trim_end_matches('\\').split('#').next().unwrap_or_default()))
        })
}

/// Asks it.
pub(crate) async fn torch(
    subject: &Subject<'_>,
    python: &Path,
    launcher: &Launcher,
) -> Result<Torch, Silence> {
    let question = Question {
        title: format!("{} (torch)", subject.manifest.name),
        ..subject.python(python, SCRIPT, vec![MARK.to_owned(), subject.dir_text()], TORCH_LIMIT)
    };
    ask(question, launcher).await?.answer()
}
