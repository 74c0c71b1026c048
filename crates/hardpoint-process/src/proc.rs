//! Reading the kernel's process table: who is whose child, how much memory a tree uses.
//!
//! Owns `/proc` and process handles. A process is signalled only through a handle (pidfd) whose
//! parentage was checked after it was opened, so a reused number can never hit a stranger.

use rustix::process::{Pid, PidfdFlags, Signal as Unix};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// One process, by number; a number alone is never signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process(pub u32);

impl Process {
    /// The caller's own process.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Its direct children, over all its threads.
    pub fn children(self) -> Vec<Process> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.0)) else { return Vec::new() };
        let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().filter_map(parse).collect::<Vec<_>>()).collect()
    }

    /// Resident memory; 0 when it is gone.
    pub fn resident_bytes(self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.0)).unwrap_or_default();
        let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        pages * rustix::param::page_size() as u64
    }

    /// The most resident memory that it had since its start, or since that was last forgotten; 0 when it is gone.
    pub fn peak_resident_bytes(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kb| kb << 10)
    }

    /// From here on its peak is counted anew. Refused for a process that lets nobody look at it.
    pub fn forget_peak(self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5")
    }

    /// Resident memory with pages that are shared counted in parts. Slower: used to confirm a breach.
    pub fn proportional_bytes(self) -> Option<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0)).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb << 10)
    }

    /// Whether it exists and is more than a zombie.
    pub fn is_alive(self) -> bool {
        !matches!(self.stat(), None | Some((_, 'Z' | 'X')))
    }

    /// The value of a variable in the environment it was started with; or in its title, where a process puts it that
    /// lets nobody read its environment.
    pub(crate) fn mark(self, variable: &str) -> Option<String> {
        ["environ", "cmdline"].into_iter().find_map(|file| self.entry(file, variable))
    }

    fn entry(self, file: &str, variable: &str) -> Option<String> {
        let text = fs::read(format!("/proc/{}/{file}", self.0)).ok()?;
        let mut entries = text.split(|&byte| byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
        let value = entries.find_map(|entry| entry.strip_prefix(variable)?.strip_prefix('='));
        value.map(str::to_owned)
    }

    /// Processor time that it used, with that of the children it has waited for; 0 when it is gone.
    pub fn cpu_time(self) -> Duration {
        self.stat_fields(11..15).map_or(Duration::ZERO, |ticks| of_ticks(ticks.iter().sum()))
    }

    /// How long ago it was started; 0 when it is gone.
    pub fn age(self) -> Duration {
        let started = self.started_ticks().map(of_ticks);
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let uptime = uptime.split(' ').next().and_then(|seconds| seconds.parse().ok());
        let uptime = uptime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        uptime.zip(started).map_or(Duration::ZERO, |(uptime, started)| uptime.saturating_sub(started))
    }

    /// When it was started, in ticks since the machine was; with its number it names one process until the next boot.
    pub(crate) fn started_ticks(self) -> Option<u64> {
        self.stat_fields(19..20)?.first().copied()
    }

    fn parent(self) -> Option<Process> {
        self.stat().map(|(parent, _)| parent)
    }

    /// Some of the numbers that follow its state and its parent, counted from the state.
    fn stat_fields(self, which: std::ops::Range<usize>) -> Option<Vec<u64>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let wanted = fields.skip(which.start).take(which.len());
        wanted.map(|field| field.parse().ok()).collect()
    }

    fn stat(self) -> Option<(Process, char)> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        // The command name stands in brackets and may contain anything: the fields follow the last one.
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((parse(fields.next()?)?, state))
    }

    /// Signals it if it is still a child of `parent`, checked through a held handle.
    pub(crate) fn signal_as_child_of(self, parent: Process, signal: Unix) -> bool {
        self.signal_if(signal, || self.parent() == Some(parent))
    }

    /// Signals it if `is_it` still holds once its handle is open.
    pub(crate) fn signal_if(self, signal: Unix, is_it: impl FnOnce() -> bool) -> bool {
        let Some(handle) = self.open() else { return false };
        is_it() && rustix::process::pidfd_send_signal(&handle, signal).is_ok()
    }

    fn open(self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(self.0).ok()?)?;
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

fn of_ticks(ticks: u64) -> Duration {
    let millis = ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(millis)
}

fn parse(text: &str) -> Option<Process> {
    text.parse().ok().map(Process)
}

/// All living descendants of a process, each with its parent, parents first. Itself is not among them.
pub fn tree_of(root: Process) -> Vec<(Process, Process)> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        for child in parent.children() {
            if seen.insert(child) {
                found.push((child, parent));
                next.push(child);
            }
        }
    }
    found
}

/// Every process there is.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| parse(entry.file_name().to_str()?)).collect()
}
