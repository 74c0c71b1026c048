//! Control groups of hosts, of version 1 and 2: folders named `hardpoint-…` in the mounted hierarchies.

use std::fs;
use std::path::{Path, PathBuf};

/// What the name of every group of a host begins with.
const PREFIX: &str = "hardpoint-";
/// How deep hierarchies are walked: `user.slice/user-N.slice/session/scope` and a container around it.
const DEPTH_MAX: usize = 10;

/// Every control group on this machine that a host made.
pub fn control_groups() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found = Vec::new();
    for mount in mount_points(&mounts) {
        walk(&mount, DEPTH_MAX, &mut found);
    }
    found
}

/// `36 35 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`; of version 1 only the
/// hierarchy that limits memory is of interest.
fn mount_points(mounts: &str) -> Vec<PathBuf> {
    let is_ours = |line: &&str| {
        line.split_once(" - ").is_some_and(|(_, right)| {
            let mut fields = right.split(' ');
            let (kind, options) = (fields.next(), fields.nth(1).unwrap_or_default());
            kind == Some("cgroup2") || kind == Some("cgroup") && options.split(',').any(|o| o == "memory")
        })
    };
    mounts.lines().filter(is_ours).filter_map(|line| line.split(' ').nth(4).map(PathBuf::from)).collect()
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            found.push(entry.path());
        } else if depth > 0 {
            walk(&entry.path(), depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_that_limit_memory_are_walked_and_no_others() {
        let mounts = "\
30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime shared:11 - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:12 - cgroup cgroup rw,cpu";
        let expected = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory"].map(PathBuf::from);
        assert_eq!(mount_points(mounts), expected);
    }
}
