//! Probes: what a plugin needs, looked at before it starts.
//!
//! Owns the finding and the wording of what is missing. Everything that could hang or crash runs in a
//! short-lived process with a time limit; no plugin code is imported. Must not know states or restarts.

use hardpoint_model::Manifest;
use hardpoint_process::Launcher;
use std::fmt;
use std::path::Path;

/// Which kind of need is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A machine of the plugin's platforms.
    Platform,
    /// A usable GPU.
    Gpu,
    /// A model file.
    Model,
    /// A package in the plugin's environment.
    Package,
}

/// One need that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which kind.
    pub need: Need,
    /// What is missing, and why it counts as missing: `Model file: models/yolo.pt (it is empty)`.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// All that is missing, as one reason: `Missing dependencies: GPU (…), Model file: …, Python package: …`.
pub fn reason(missing: &[Missing]) -> String {
    let all: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    format!("Missing dependencies: {}", all.join(", "))
}

/// The remedies, each once.
pub fn hint(missing: &[Missing]) -> String {
    let mut hints: Vec<&str> = Vec::new();
    for missing in missing {
        if !hints.contains(&missing.hint.as_str()) {
            hints.push(&missing.hint);
        }
    }
    hints.join("; ")
}

/// What can be known without the plugin's environment: platform, model files, the GPU's driver.
pub async fn machine(_manifest: &Manifest, _dir: &Path, _launcher: &Launcher) -> Vec<Missing> {
    Vec::new()
}

/// What only the plugin's environment knows: packages, and whether its torch sees a GPU.
pub async fn environment(
    _manifest: &Manifest,
    _dir: &Path,
    _python: &Path,
    _launcher: &Launcher,
) -> Vec<Missing> {
    Vec::new()
}
