//! Whatever outlives a dead host: as a subreaper this process becomes its parent.
//!
//! Owns reaping. That nothing is left is not an observation but the kernel's word: there is no child.

use hardpoint_process::{Process, tree_of};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use std::time::{Duration, Instant};

/// How long survivors of a failed round are fought.
const CLEAR_MAX: Duration = Duration::from_secs(5);

/// From now on orphaned descendants become children of this process.
pub(crate) fn adopt() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Reaps whoever has ended; true when no child is left, alive or not.
pub(crate) fn all_reaped() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// The living descendants, one line each.
pub(crate) fn survivors() -> Vec<String> {
    let alive = tree_of(Process::own()).into_iter().filter(|(process, _)| process.is_alive());
    alive
        .map(|(process, parent)| {
            format!("process {} (parent {}): {}", process.0, parent.0, describe(process))
        })
        .collect()
}

/// Ends survivors. Only children are signalled: they are not reaped meanwhile, so their number is theirs.
pub(crate) fn clear() {
    let start = Instant::now();
    while !all_reaped() && start.elapsed() < CLEAR_MAX {
        for child in Process::own().children() {
            if let Some(pid) = i32::try_from(child.0).ok().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn describe(process: Process) -> String {
    let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", process.0)).unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned();
    let environ = text(read("environ"));
    let mark = environ.split(' ').find(|entry| entry.starts_with("HARDPOINT_TREE=")).unwrap_or("no mark");
    let status = text(read("status"));
    let state = status.lines().find(|line| line.starts_with("State:")).unwrap_or_default();
    format!("{} [{mark}] {state}", text(read("cmdline")))
}
