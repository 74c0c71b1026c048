//! What a host may have left behind: processes, control groups, scratch folders.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Everything that carries the mark of one host's trees.
#[derive(Debug, Default)]
pub(crate) struct Left {
    processes: Vec<String>,
    groups: Vec<PathBuf>,
    scratch: Vec<PathBuf>,
}

impl Left {
    /// Looks now for what the host with this process number left behind.
    pub(crate) fn behind(host: u32, data: &Path) -> Self {
        let mark = format!("{host}-");
        let is_ours = |path: &PathBuf, prefix: &str| {
            path.file_name()
                .and_then(|name| name.to_str()?.strip_prefix(prefix))
                .is_some_and(|n| n.starts_with(&mark))
        };
        let mut scratch = entries(&data.join("scratch"));
        scratch.retain(|path| is_ours(path, ""));
        let mut groups: Vec<PathBuf> = group_parents().iter().flat_map(|parent| entries(parent)).collect();
        groups.retain(|path| is_ours(path, "hardpoint-"));
        Self { processes: marked(&mark), groups, scratch }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.processes.is_empty() && self.groups.is_empty() && self.scratch.is_empty()
    }

    pub(crate) fn assert_nothing(&self) {
        let mut found = String::new();
        for left in &self.processes {
            let _ = writeln!(found, "process {left}");
        }
        for left in self.groups.iter().chain(&self.scratch) {
            let _ = writeln!(found, "{}", left.display());
        }
        assert!(self.is_nothing(), "left behind:\n{found}");
    }

    /// Waits until nothing is left of a host that was killed; panics with what is.
    pub(crate) fn soon_nothing(host: u32, data: &Path) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if Self::behind(host, data).is_nothing() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Self::behind(host, data).assert_nothing();
    }
}

/// Processes whose environment carries the mark, zombies excepted: those are their parent's business.
fn marked(mark: &str) -> Vec<String> {
    let mark = format!("HARDPOINT_TREE={mark}");
    let is_marked = |path: &PathBuf| {
        let environ = fs::read(path.join("environ")).unwrap_or_default();
        environ.split(|&byte| byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    };
    let found = entries(Path::new("/proc")).into_iter().filter(is_marked);
    found
        .map(|path| {
            format!("{} {}", path.display(), fs::read_to_string(path.join("comm")).unwrap_or_default())
        })
        .collect()
}

/// The groups that a host on this machine may make its own in: its own and the one above, in every hierarchy.
fn group_parents() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let paths =
        own.lines().filter_map(|line| line.splitn(3, ':').nth(2)).map(|path| path.trim_start_matches('/'));
    let mounts = ["", "memory", "unified"].map(|name| Path::new("/sys/fs/cgroup").join(name));
    let mut parents: Vec<PathBuf> = paths
        .flat_map(|path| mounts.iter().map(move |mount| mount.join(path)))
        .flat_map(|group| [group.parent().map(Path::to_owned), Some(group)])
        .flatten()
        .collect();
    parents.sort();
    parents.dedup();
    parents
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
