//! Probes: what a plugin needs, looked at before it starts.
//!
//! Owns the finding and the wording of what is missing. Everything that could hang or crash runs in a
//! short-lived process with a time limit; no plugin code is imported. Must not know states or restarts.

mod ask;
pub mod doctor;
mod gpu;
mod installed;
mod limits;
mod models;
mod packages;
mod programs;
mod subject;

pub use ask::Silence;
pub use gpu::{DRIVER_ARGUMENT, Device, DriverFacts, DriverTrouble, driver_main};
pub(crate) use gpu::{driver_now as gpus_now, share as gpu_share, share_of as gpu_share_of};

pub(crate) use installed::{described, installed};

use self::subject::Subject;
use hardpoint_model::{Manifest, Platform};
use hardpoint_process::Launcher;
use std::fmt;
use std::path::Path;

/// Which kind of need is not met, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// What can be known without the plugin's environment: platform, model files, the GPU's driver. On a machine
/// of another platform nothing else is looked at.
pub async fn machine(manifest: &Manifest, dir: &Path, launcher: &Launcher) -> Vec<Missing> {
    let platform = Platform::current();
    if let Some(missing) = platform_fault(&platform, &manifest.needs.platforms) {
        return vec![missing];
    }
    let subject = Subject { manifest, dir };
    let gpu = async {
        if !manifest.needs.requires_gpu {
            return None;
        }
        let driver = gpu::driver(launcher).await;
        gpu::judge(&driver, None, subject.variable(gpu::VISIBLE_DEVICES).as_deref())
    };
    let (gpu, models) = tokio::join!(gpu, models::missing(&subject));
    gpu.into_iter().chain(models).collect()
}

/// What only the plugin's environment knows: packages, and whether its torch can use the GPU. The word about
/// the GPU includes the driver, so it stands for the one of [`machine`].
pub async fn environment(
    manifest: &Manifest,
    dir: &Path,
    python: &Path,
    launcher: &Launcher,
) -> Vec<Missing> {
    let subject = Subject { manifest, dir };
    let gpu = async {
        if !manifest.needs.requires_gpu || !gpu::declares_torch(manifest, dir) {
            return None;
        }
        let (driver, torch) = tokio::join!(gpu::driver(launcher), gpu::torch(&subject, python, launcher));
        gpu::judge(&driver, Some(&torch), subject.variable(gpu::VISIBLE_DEVICES).as_deref())
    };
    let (gpu, packages) = tokio::join!(gpu, packages::missing(&subject, python, launcher));
    gpu.into_iter().chain(packages).collect()
}

/// Everything that is missing, from both looks: GPU, models, packages, each named once.
pub fn all(machine: Vec<Missing>, environment: Vec<Missing>) -> Vec<Missing> {
    let gpu_again = environment.iter().any(|missing| missing.need == Need::Gpu);
    let mut all: Vec<Missing> =
        machine.into_iter().filter(|missing| !gpu_again || missing.need != Need::Gpu).collect();
    all.extend(environment);
    all.sort_by_key(|missing| missing.need);
    all
}

fn platform_fault(platform: &Platform, allowed: &[String]) -> Option<Missing> {
    if platform.allowed_by(allowed) {
        return None;
    }
    Some(Missing {
        need: Need::Platform,
        what: format!("Platform (this machine is {platform}, the plugin runs on {})", allowed.join(", ")),
        hint: format!(
            "run it on such a machine, or add `{platform}` to `platforms` under `[needs]` if it works here, too"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(need: Need, what: &str) -> Missing {
        Missing { need, what: what.to_owned(), hint: "do something".to_owned() }
    }

    #[test]
    fn the_reason_lists_all_that_is_missing_and_each_remedy_once() {
        let machine =
            vec![missing(Need::Gpu, "GPU (a)"), missing(Need::Model, "Model file: m.pt (it is empty)")];
        let environment = vec![missing(Need::Package, "Python package: x"), missing(Need::Gpu, "GPU (a; b)")];
        let all = all(machine, environment);
        let expected = "Missing dependencies: GPU (a; b), Model file: m.pt (it is empty), Python package: x";
        assert_eq!(reason(&all), expected);
        assert_eq!(hint(&all), "do something");
    }

    #[test]
    fn another_platform_is_named_with_the_list() {
        let platform = Platform::current();
        assert_eq!(platform_fault(&platform, &[]), None);
        assert_eq!(platform_fault(&platform, &[platform.to_string()]), None);
        let missing = platform_fault(&platform, &["plan9-x64".to_owned(), "plan9-arm".to_owned()]).unwrap();
        let expected =
            format!("Platform (this machine is {platform}, the plugin runs on plan9-x64, plan9-arm)");
        assert_eq!(missing.what, expected);
    }
}
