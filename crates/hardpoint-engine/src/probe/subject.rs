//! The plugin that is probed, and how a process of its Python is started.

use super::ask::Question;
use super::limits::PACKAGES_LIMIT;
use hardpoint_model::Manifest;
use std::path::Path;

/// The plugin that is probed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) dir: &'a Path,
}

impl Subject<'_> {
    /// The folder, for an argument.
    pub(crate) fn dir_text(&self) -> String {
        self.dir.to_string_lossy().into_owned()
    }

    /// A script of ours in the plugin's Python, with the environment that its worker will have. Isolated:
    /// only what is installed counts, and the plugin's folder, which the script adds.
    pub(crate) fn python(&self, python: &Path, script: &str, args: Vec<String>) -> Question {
        let mut arguments: Vec<String> = ["-I", "-c", script].map(str::to_owned).into();
        arguments.extend(args);
        let mut env = hardpoint_supervisor::worker_environment(python, &self.manifest.env);
        // There is no socket for this one.
        env.remove("HARDPOINT_FD");
        Question {
            title: format!("{} (probe)", self.manifest.name),
            program: python.to_owned(),
            args: arguments,
            env,
            cwd: self.dir.to_owned(),
            limit: PACKAGES_LIMIT,
        }
    }

    /// A variable as its worker will see it.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.manifest.env.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}
