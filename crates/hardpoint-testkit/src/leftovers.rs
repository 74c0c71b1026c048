//! A picture of everything that may be left behind, taken before and after.
//!
//! Owns the list of places that are looked at. Every find is one line that a person can act on.

use crate::groups::control_groups;
use crate::marked::marked_processes;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where to look besides processes, control groups and `/dev/shm`.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// A host's data folder, for its `scratch/`.
    pub data_dir: Option<PathBuf>,
    /// A folder for temporary files.
    pub temp_dir: Option<PathBuf>,
    /// A process whose open descriptors are counted among the finds.
    pub descriptors_of: Option<u32>,
}

/// What there was before; see [`Leftovers::check`].
#[derive(Debug)]
pub struct Leftovers {
    watched: Watched,
    before: BTreeSet<String>,
}

impl Leftovers {
    /// Remembers what is there now.
    pub fn take(watched: Watched) -> Self {
        let before = watched.picture();
        Self { watched, before }
    }

    /// What has come since and is still there, one line each; empty when all is well. It looks at the
    /// whole machine: hosts that other tests run at the same time are seen too.
    pub fn check(&self) -> Vec<String> {
        self.watched.picture().difference(&self.before).cloned().collect()
    }
}

impl Watched {
    fn picture(&self) -> BTreeSet<String> {
        let processes = marked_processes().into_iter().map(|process| process.to_string());
        let groups = control_groups().into_iter().map(|path| format!("control group {}", path.display()));
        let scratch = self.data_dir.iter().flat_map(|dir| scratch_folders(dir));
        let scratch = scratch.map(|path| format!("scratch folder {}", path.display()));
        let descriptors = self.descriptors_of.map(|pid| PathBuf::from(format!("/proc/{pid}/fd")));
        processes
            .chain(groups)
            .chain(scratch)
            .chain(entries("shared memory", Some(Path::new("/dev/shm"))))
            .chain(entries("temporary file", self.temp_dir.as_deref()))
            .chain(entries("descriptor", descriptors.as_deref()))
            .collect()
    }
}

/// What is there of one host: processes of its trees, its control groups, its scratch folders.
/// Shims cannot be told apart from those of other hosts, so they are not among it.
pub fn left_by_host(host: u32, data_dir: &Path) -> Vec<String> {
    let processes =
        marked_processes().into_iter().filter(|one| one.is_of_host(host)).map(|one| one.to_string());
    let number = host.to_string();
    let is_its = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.trim_start_matches("hardpoint-").split('-').next() == Some(&number)
    };
    let groups = control_groups().into_iter().filter(is_its);
    let scratch = scratch_folders(data_dir).filter(is_its);
    let groups = groups.map(|path| format!("control group {}", path.display()));
    processes.chain(groups).chain(scratch.map(|path| format!("scratch folder {}", path.display()))).collect()
}

/// Those of trees. The lock of a dead host is no burden: the next one takes it away.
fn scratch_folders(data_dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(data_dir.join("scratch")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// A link is told with what it leads to: that is all that is known of a descriptor.
fn entries(kind: &str, folder: Option<&Path>) -> Vec<String> {
    let Some(folder) = folder else { return Vec::new() };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let describe = |path: PathBuf| match fs::read_link(&path) {
        Ok(target) => Some(format!("{kind} {} -> {}", path.display(), target.display())),
        // The descriptor that lists the descriptors is gone by now.
        Err(_) if folder.starts_with("/proc") => None,
        Err(_) => Some(format!("{kind} {}", path.display())),
    };
    entries.filter_map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_and_what_was_there_is_not() {
        let data = tempfile::tempdir().unwrap();
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(data.path().join("scratch/1-0")).unwrap();
        let watched = Watched {
            data_dir: Some(data.path().to_owned()),
            temp_dir: Some(temp.path().to_owned()),
            descriptors_of: Some(std::process::id()),
        };
        let leftovers = Leftovers::take(watched);
        let of =
            |path: &Path| leftovers.check().into_iter().find(|line| line.contains(path.to_str().unwrap()));
        assert_eq!(of(data.path()), None);
        let open = fs::File::create(temp.path().join("open")).unwrap();
        fs::create_dir(data.path().join("scratch/77-0")).unwrap();
        let found = leftovers.check();
        let expected = format!("temporary file {}/open", temp.path().display());
        assert!(found.contains(&expected), "{found:?}");
        assert!(
            found.iter().any(|line| line.starts_with("descriptor ") && line.ends_with("/open")),
            "{found:?}"
        );
        assert_eq!(
            left_by_host(77, data.path()),
            [format!("scratch folder {}/scratch/77-0", data.path().display())]
        );
        drop(open);
    }
}
