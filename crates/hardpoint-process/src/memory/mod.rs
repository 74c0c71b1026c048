//! Memory of a tree: who enforces its limit, what it uses, and what shows that the kernel stepped in.
//!
//! Owns the choice of enforcer and the reading of figures. Must not decide what a breach means.
//!
//! ```text
//!   cgroup v2   where a memory controller is delegated to us
//!   cgroup v1   where the memory hierarchy is writable
//!   sampler     otherwise: the caller asks often enough and kills
//! ```

mod cgroup;
mod sampler;

pub(crate) use cgroup::Group;

use std::path::PathBuf;

/// Who enforces limits for trees started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryMode {
    /// Groups of version 2 are made below this folder.
    CgroupV2(PathBuf),
    /// Groups of version 1 are made below this folder.
    CgroupV1(PathBuf),
    /// Nobody but us.
    Sampler,
}

/// What was measured at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemorySample {
    /// In use now.
    pub current_bytes: u64,
    /// The most seen so far.
    pub peak_bytes: u64,
    /// Processes of this tree that the kernel's out-of-memory killer ended; control groups only.
    pub oom_kills: u64,
    /// How often the tree ran into its own limit; control groups only.
    pub limit_hits: u64,
}

impl MemoryMode {
    /// Finds out what this machine allows, by looking.
    pub fn detect() -> Self {
        cgroup::detect().unwrap_or(Self::Sampler)
    }

    /// Every place for groups that is looked at, in that order, with what stands in the way; for people.
    pub fn places() -> Vec<(Self, Option<&'static str>)> {
        cgroup::places()
    }

    /// Removes the empty groups of trees that are gone.
    pub(crate) fn sweep(&self, is_dead: impl Fn(&str) -> bool) {
        cgroup::sweep(self, is_dead);
    }

    /// The group that a tree may have had, whatever its limit was.
    pub(crate) fn group(&self, tree: &str) -> Option<Group> {
        Group::of(self, tree, u64::MAX)
    }

    pub(crate) fn watch(&self, tree: &str, limit_bytes: Option<u64>) -> MemoryWatch {
        let group = limit_bytes.and_then(|limit| Group::of(self, tree, limit));
        MemoryWatch {
            limit_bytes,
            root: None,
            group,
            peak_bytes: 0,
            oom_kills_before: oom_kills_on_machine(),
        }
    }
}

/// The measuring side of one tree's limit.
#[derive(Debug)]
pub struct MemoryWatch {
    limit_bytes: Option<u64>,
    root: Option<crate::proc::Process>,
    group: Option<Group>,
    peak_bytes: u64,
    oom_kills_before: Option<u64>,
}

impl MemoryWatch {
    /// The limit, when there is one.
    pub fn limit_bytes(&self) -> Option<u64> {
        self.limit_bytes
    }

    /// Whether the kernel enforces the limit by itself; otherwise the caller has to.
    pub fn is_enforced_by_kernel(&self) -> bool {
        self.group.is_some()
    }

    /// Whether groups of version 2 are in use.
    pub fn is_v2(&self) -> bool {
        self.group.as_ref().is_some_and(Group::is_v2)
    }

    /// Measures now.
    pub fn sample(&mut self) -> MemorySample {
        let mut sample = match (&self.group, self.root) {
            (Some(group), _) => group.sample(),
            (None, Some(root)) => sampler::sample(root, self.limit_bytes),
            (None, None) => MemorySample::default(),
        };
        self.peak_bytes = self.peak_bytes.max(sample.peak_bytes).max(sample.current_bytes);
        sample.peak_bytes = self.peak_bytes;
        sample
    }

    /// How many processes the kernel's out-of-memory killer has ended on the whole machine since the start.
    pub fn oom_kills_on_machine_since_start(&self) -> u64 {
        let now = oom_kills_on_machine();
        now.zip(self.oom_kills_before).map_or(0, |(now, before)| now.saturating_sub(before))
    }

    /// The tree runs below this shim; `limited` says whether its group could be made.
    pub(crate) fn started(&mut self, shim: u32, limited: bool) {
        self.root = Some(crate::proc::Process(shim));
        self.group = self.group.take().filter(|_| limited);
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }
}

/// What each group that this process is confined to allows, and how much of that is taken, in bytes.
pub(crate) fn confinements() -> Vec<(u64, u64)> {
    cgroup::confinements()
}

fn oom_kills_on_machine() -> Option<u64> {
    let vmstat = std::fs::read_to_string("/proc/vmstat").ok()?;
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
