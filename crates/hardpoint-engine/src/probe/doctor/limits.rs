//! What the system grants this user: open files and processes.

use super::Finding;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use std::fs;

/// A host of ten busy plugins has 200 files open; one of a thousand, 20,000.
const FILES_GOOD: u64 = 1024;
const FILES_MIN: u64 = 128;
/// A worker is three to thirty processes and threads.
const PROCESSES_GOOD: u64 = 1024;
const PROCESSES_MIN: u64 = 64;

/// Limits that are not set are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Files {
    soft: Option<u64>,
    hard: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Processes {
    user: Option<u64>,
    /// How many process numbers there are.
    pid_max: Option<u64>,
    threads_max: Option<u64>,
}

pub(super) fn files_limit() -> Files {
    let limit = getrlimit(Resource::Nofile);
    Files { soft: limit.current, hard: limit.maximum }
}

pub(super) fn processes_limit() -> Processes {
    let number = |file| fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    Processes {
        user: getrlimit(Resource::Nproc).current,
        pid_max: number("/proc/sys/kernel/pid_max"),
        threads_max: number("/proc/sys/kernel/threads-max"),
    }
}

pub(super) fn open_files(files: Files) -> Finding {
    const NAME: &str = "open files";
    const REMEDY: &str = "raise it: `ulimit -n 65536` before the start, or `LimitNOFILE=65536` in the unit";
    let soft = files.soft.unwrap_or(u64::MAX);
    let found = if soft < FILES_MIN {
        Finding::problem(
            NAME,
            format!("this user may have {soft} files open, too few for a few plugins"),
            REMEDY,
        )
    } else if soft < FILES_GOOD {
        Finding::warning(NAME, format!("this user may have {soft} files open, few for many plugins"), REMEDY)
    } else {
        Finding::ok(NAME, format!("up to {}", shown(files.soft)))
    };
    found.with(files)
}

pub(super) fn processes(limits: Processes) -> Finding {
    const NAME: &str = "processes";
    const REMEDY: &str = "raise it: `ulimit -u 65536` before the start, or `LimitNPROC=65536` in the unit";
    let user = limits.user.unwrap_or(u64::MAX);
    let machine = limits.pid_max.unwrap_or(u64::MAX).min(limits.threads_max.unwrap_or(u64::MAX));
    let found = if user < PROCESSES_MIN {
        let what = format!("this user may have {user} processes and threads, too few for a few plugins");
        Finding::problem(NAME, what, REMEDY)
    } else if user < PROCESSES_GOOD {
        let what = format!("this user may have {user} processes and threads, few for many plugins");
        Finding::warning(NAME, what, REMEDY)
    } else if machine < 4 * PROCESSES_GOOD {
        let what = format!("this machine may have {machine} processes and threads, few for many plugins");
        Finding::warning(NAME, what, "raise it: `sysctl kernel.pid_max=4194304 kernel.threads-max=100000`")
    } else {
        let machine = shown(limits.pid_max);
        Finding::ok(NAME, format!("up to {} for this user, {machine} on this machine", shown(limits.user)))
    };
    found.with(limits)
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "any number".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    #[test]
    fn small_limits_are_told_with_their_number() {
        let files = |soft| open_files(Files { soft, hard: None });
        assert_eq!(files(None).level, Level::Ok);
        assert_eq!(files(Some(65_536)).what, "up to 65536");
        assert_eq!(files(Some(256)).level, Level::Warning);
        assert_eq!(files(Some(64)).level, Level::Problem);
        let limits = |user, pid_max| processes(Processes { user, pid_max, threads_max: None });
        assert_eq!(limits(None, Some(32_768)).what, "up to any number for this user, 32768 on this machine");
        assert_eq!(limits(Some(512), Some(32_768)).level, Level::Warning);
        assert_eq!(limits(Some(20), Some(32_768)).level, Level::Problem);
        assert_eq!(limits(None, Some(400)).level, Level::Warning);
    }
}
