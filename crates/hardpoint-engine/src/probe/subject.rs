//! The plugin that is probed, and how a process of its Python is started.

use super::ask::{Question, environment};
use super::limits::ASKING_LIMIT_MAX;
use hardpoint_model::Manifest;
use std::path::Path;
use std::time::Duration;

/// For slow disks: how many seconds a process of a plugin's Python has for its answer.
const LIMIT_VARIABLE: &str = "HARDPOINT_PROBE_SECONDS";

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
    pub(crate) fn python(&self, python: &Path, script: &str, args: Vec<String>, limit: Duration) -> Question {
        let mut arguments: Vec<String> = ["-I", "-c", script].map(str::to_owned).into();
        arguments.extend(args);
        Question {
            title: format!("{} (probe)", self.manifest.name),
            program: python.to_owned(),
            args: arguments,
            env: environment(python, &self.manifest.env),
            cwd: self.dir.to_owned(),
            limit: own_limit(std::env::var(LIMIT_VARIABLE).ok().as_deref()).unwrap_or(limit),
        }
    }

    /// A variable as its worker will see it.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.manifest.env.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}

/// What the variable says, if it is a time that can be waited for.
fn own_limit(variable: Option<&str>) -> Option<Duration> {
    let limit = Duration::try_from_secs_f64(variable?.trim().parse().ok()?).ok()?;
    (Duration::ZERO < limit && limit <= ASKING_LIMIT_MAX).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_ones_own_is_a_sensible_number_of_seconds() {
        for (variable, expected) in [
            (None, None),
            (Some("0.5"), Some(500)),
            (Some(" 90 "), Some(90_000)),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("inf"), None),
            (Some("1e9"), None),
            (Some("soon"), None),
        ] {
            assert_eq!(own_limit(variable), expected.map(Duration::from_millis), "{variable:?}");
        }
    }
}
