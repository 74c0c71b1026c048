//! Who enforces limits on memory: tried out, because looking alone can be wrong.

use super::Finding;
use crate::probe::ask::{Question, ask};
use crate::probe::limits::VERSION_LIMIT;
use hardpoint_process::{Launcher, MemoryMode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Facts {
    /// Where groups are made, as far as looking can tell.
    folder: Option<PathBuf>,
    /// The version of the group that a process was really held by; none when it was the sampler.
    cgroup_version: Option<u8>,
    /// Why no process could be started.
    trouble: Option<String>,
    /// What stands in the way of each place for groups.
    obstacles: Vec<String>,
}

/// Starts the smallest process there is, with a limit, and looks who held it.
pub(super) async fn facts(launcher: &Launcher) -> Facts {
    let question = Question {
        title: "memory".to_owned(),
        program: PathBuf::from("/bin/sh"),
        args: ["-c", ":"].map(str::to_owned).into(),
        env: BTreeMap::new(),
        cwd: PathBuf::from("/"),
        limit: VERSION_LIMIT,
    };
    let held = ask(question, launcher).await;
    let folder = match launcher.memory_mode() {
        MemoryMode::CgroupV1(folder) | MemoryMode::CgroupV2(folder) => Some(folder.clone()),
        MemoryMode::Sampler => None,
    };
    let obstacles = MemoryMode::places().into_iter().filter_map(|(mode, obstacle)| match mode {
        MemoryMode::CgroupV1(folder) | MemoryMode::CgroupV2(folder) => {
            Some(format!("{}: {}", folder.display(), obstacle?))
        }
        MemoryMode::Sampler => None,
    });
    Facts {
        folder,
        cgroup_version: held.as_ref().ok().and_then(|reply| reply.cgroup_version),
        trouble: held.err().map(|silence| silence.to_string()),
        obstacles: obstacles.collect(),
    }
}

pub(super) fn finding(facts: &Facts) -> Finding {
    const NAME: &str = "memory limits";
    const REMEDY: &str = "let systemd hand on a control group: `systemd-run --user --scope -p Delegate=yes \
        hardpoint …`, or `Delegate=yes` in the unit; in a container, mount /sys/fs/cgroup writable";
    let found = match (facts.cgroup_version, &facts.trouble, &facts.folder) {
        (_, Some(trouble), _) => Finding::problem(
            NAME,
            format!("no process can be started with a limit: it {trouble}"),
            "look at the limit on processes below, and at the scratch folder in the data folder",
        ),
        (Some(version), None, folder) => {
            let folder = folder.as_ref().map(|folder| format!(", below {}", folder.display()));
            let folder = folder.unwrap_or_default();
            Finding::ok(NAME, format!("enforced by the kernel (control groups of version {version}{folder})"))
        }
        (None, None, Some(folder)) => {
            let what = format!("sampled, not enforced: no group could be made below {}", folder.display());
            Finding::warning(NAME, what, REMEDY)
        }
        (None, None, None) => {
            let why = match facts.obstacles.as_slice() {
                [] => "this system shows no control group for memory".to_owned(),
                obstacles => obstacles.join("; "),
            };
            Finding::warning(NAME, format!("sampled, not enforced by the kernel ({why})"), REMEDY)
        }
    };
    found.with(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    #[test]
    fn what_was_tried_out_counts_not_what_it_looked_like() {
        let check = |folder: Option<&str>, version, trouble: Option<&str>, level, words: &str| {
            let facts = Facts {
                folder: folder.map(PathBuf::from),
                cgroup_version: version,
                trouble: trouble.map(str::to_owned),
                obstacles: vec!["/sys/x: not handed on".to_owned()],
            };
            let found = finding(&facts);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{found:?}");
        };
        check(
            Some("/g"),
            Some(2),
            None,
            Level::Ok,
            "enforced by the kernel (control groups of version 2, below /g)",
        );
        check(Some("/g"), None, None, Level::Warning, "no group could be made below /g");
        check(
            None,
            None,
            None,
            Level::Warning,
            "sampled, not enforced by the kernel (/sys/x: not handed on)",
        );
        check(None, None, Some("was killed by signal 9"), Level::Problem, "was killed by signal 9");
    }
}
