//! Control groups, as plain files: one group per tree, with a memory limit.
//!
//! Owns the two layouts.

use super::{MemoryMode, MemorySample};
use crate::limits::CGROUP_REMOVE_TIMEOUT;
use crate::proc::Process;
use rustix::fs::Access;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io, thread};

/// One tree's control group: made by the tree's shim, read by its host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    path: PathBuf,
    v2: bool,
    limit_bytes: u64,
}

/// What the name of every group of ours begins with.
const PREFIX: &str = "hardpoint-";

impl Group {
    /// The group that a tree is to have; nothing is made yet.
    pub(super) fn of(mode: &MemoryMode, tree: &str, limit_bytes: u64) -> Option<Self> {
        let (parent, v2) = parent_of(mode)?;
        Some(Self { path: parent.join(format!("{PREFIX}{tree}")), v2, limit_bytes })
    }

    /// Makes it, with its limit; on an error nothing is left.
    pub(crate) fn create(&self) -> io::Result<()> {
        fs::create_dir(&self.path)?;
        self.limit().inspect_err(|_| drop(fs::remove_dir(&self.path)))
    }

    fn limit(&self) -> io::Result<()> {
        let bytes = self.limit_bytes.to_string();
        if self.v2 {
            fs::write(self.path.join("memory.max"), &bytes)?;
            let _ = fs::write(self.path.join("memory.swap.max"), "0");
            // One end for the whole tree: a plugin whose child was killed must not go on as if nothing was.
            let _ = fs::write(self.path.join("memory.oom.group"), "1");
        } else {
            fs::write(self.path.join("memory.limit_in_bytes"), &bytes)?;
            let _ = fs::write(self.path.join("memory.memsw.limit_in_bytes"), &bytes);
        }
        Ok(())
    }

    pub(super) fn is_v2(&self) -> bool {
        self.v2
    }

    /// Removes it; the kernel refuses until it has let go of the last process.
    pub(crate) fn remove(&self) {
        remove(&self.path);
    }

    pub(crate) fn procs_file(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Whoever is in it.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let list = fs::read_to_string(self.procs_file()).unwrap_or_default();
        list.lines().filter_map(|line| line.trim().parse().ok()).map(Process).collect()
    }

    pub(super) fn sample(&self) -> MemorySample {
        if self.v2 {
            let current_bytes = self.number("memory.current");
            MemorySample {
                current_bytes,
                peak_bytes: self.number("memory.peak").max(current_bytes),
                oom_kills: self.field("memory.events", "oom_kill"),
                limit_hits: self.field("memory.events", "oom"),
            }
        } else {
            let peak_bytes = self.number("memory.max_usage_in_bytes");
            // Where swap is limited too, no counter of failures moves: then the peak shows that it was reached.
            let reached = peak_bytes >= self.number("memory.limit_in_bytes");
            MemorySample {
                current_bytes: self.number("memory.usage_in_bytes"),
                peak_bytes,
                oom_kills: self.field("memory.oom_control", "oom_kill"),
                limit_hits: self.number("memory.failcnt") + u64::from(reached),
            }
        }
    }

    /// What it allows, and how much of that is in use and could not be given back at once; `None`: as much as there is.
    fn confines(&self) -> Option<(u64, u64)> {
        let (limit, used, cache) = if self.v2 {
            ("memory.max", "memory.current", "inactive_file")
        } else {
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        };
        // `max` is no number, and the root of version 2 has no such file.
        let limit = fs::read_to_string(self.path.join(limit)).ok()?.trim().parse().ok()?;
        Some((limit, self.number(used).saturating_sub(self.field("memory.stat", cache))))
    }

    fn number(&self, file: &str) -> u64 {
        fs::read_to_string(self.path.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn field(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let mut rows = text.lines().filter_map(|line| line.split_once(' '));
        rows.find(|(field, _)| *field == name).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
    }
}

fn remove(group: &Path) {
    let start = Instant::now();
    while let Err(e) = fs::remove_dir(group) {
        if e.kind() == io::ErrorKind::NotFound || start.elapsed() > CGROUP_REMOVE_TIMEOUT {
            return;
        }
        thread::sleep(crate::limits::SWEEP_PAUSE);
    }
}

fn parent_of(mode: &MemoryMode) -> Option<(&Path, bool)> {
    match mode {
        MemoryMode::CgroupV2(parent) => Some((parent, true)),
        MemoryMode::CgroupV1(parent) => Some((parent, false)),
        MemoryMode::Sampler => None,
    }
}

/// Removes the empty groups whose trees `is_dead` says are gone; their shim and host were both killed.
pub(super) fn sweep(mode: &MemoryMode, is_dead: impl Fn(&str) -> bool) {
    let Some((parent, _)) = parent_of(mode) else { return };
    let groups = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let tree = |group: &PathBuf| Some(group.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned());
    for group in groups.filter(|group| tree(group).is_some_and(|tree| is_dead(&tree))) {
        let _ = fs::remove_dir(group);
    }
}

/// The first place where a group with a memory limit can be made, as far as looking can tell. Nothing is
/// made to find out, because a host that is killed just then would leave it: if the look was wrong, the
/// shim says so when it makes the first group, and the sampler is used.
pub(super) fn detect() -> Option<MemoryMode> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    candidates(&own, &mounts).into_iter().find(|mode| obstacle(mode).is_none())
}

/// Every place that [`detect`] looks at, in its order, with what stands in the way of a group there.
pub(super) fn places() -> Vec<(MemoryMode, Option<&'static str>)> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let modes = candidates(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    modes.into_iter().map(|mode| (mode.clone(), obstacle(&mode))).collect()
}

/// What each group that this process is in allows, and how much of that is in use and could not be given back at once.
pub(super) fn confinements() -> Vec<(u64, u64)> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let modes = candidates(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    let is_group = |group: &&Path| group.join("cgroup.procs").exists();
    // A group cannot have more than those above it. In a container its path may be that outside, of which only an end is there.
    let groups = modes.iter().filter_map(parent_of).flat_map(|(folder, v2)| {
        let within = folder.ancestors().skip_while(move |group| !is_group(group)).take_while(is_group);
        within.map(move |group| Group { path: group.to_owned(), v2, limit_bytes: 0 })
    });
    groups.filter_map(|group| group.confines()).collect()
}

fn obstacle(mode: &MemoryMode) -> Option<&'static str> {
    let (parent, v2) = parent_of(mode)?;
    let may_limit = if v2 {
        let enabled = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
        enabled.split_whitespace().any(|controller| controller == "memory")
    } else {
        parent.join("memory.limit_in_bytes").exists()
    };
    match rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        _ if !may_limit => Some("its memory controller is not handed on"),
        Err(_) => Some("this user may not make groups there"),
        Ok(()) => None,
    }
}

/// Version 2 first; in each, beside our own group before below it, because a group of version 2 that
/// holds processes may not hold limited children.
fn candidates(own: &str, mounts: &str) -> Vec<MemoryMode> {
    let mut found = Vec::new();
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::"))
        && let Some(mount) = mount_point(mounts, |fs, _| fs == "cgroup2")
    {
        let group = mount.join(path.trim_start_matches('/'));
        found.extend(group.parent().filter(|parent| parent.starts_with(&mount)).map(Path::to_owned));
        found.push(group);
    }
    let mut modes: Vec<MemoryMode> = found.into_iter().map(MemoryMode::CgroupV2).collect();
    if let Some(path) = own.lines().find_map(memory_v1_path)
        && let Some(mount) =
            mount_point(mounts, |fs, options| fs == "cgroup" && options.split(',').any(|o| o == "memory"))
    {
        modes.push(MemoryMode::CgroupV1(mount.join(path.trim_start_matches('/'))));
    }
    modes
}

/// `4:memory:/some/path`
fn memory_v1_path(line: &str) -> Option<&str> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    controllers.split(',').any(|name| name == "memory").then_some(path)
}

/// `36 35 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`
fn mount_point(mounts: &str, fits: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (fs, options) = (right.next()?, right.nth(1)?);
        fits(fs, options).then(|| left.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime shared:11 - cgroup cgroup rw,memory";

    fn check(own: &str, expected: &[MemoryMode]) {
        assert_eq!(candidates(own, MOUNTS), expected);
    }

    #[test]
    fn candidates_come_in_the_order_in_which_they_are_tried() {
        let v2 = |path: &str| MemoryMode::CgroupV2(PathBuf::from(path));
        let v1 = |path: &str| MemoryMode::CgroupV1(PathBuf::from(path));
        check("", &[]);
        check("0::/\n", &[v2("/sys/fs/cgroup/unified/")]);
        check(
            "5:cpu,cpuacct:/a\n4:memory:/box/1\n0::/user/app.scope\n",
            &[
                v2("/sys/fs/cgroup/unified/user"),
                v2("/sys/fs/cgroup/unified/user/app.scope"),
                v1("/sys/fs/cgroup/memory/box/1"),
            ],
        );
    }
}
