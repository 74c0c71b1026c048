//! Scratch folders: one per tree, for its temporary files; gone when the tree is gone.
//!
//! A folder is normally removed by the tree's shim. Those that outlived both shim and host (somebody
//! killed both) are swept at the next start. Must not know what is written into them.

use crate::proc::{self, Process};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The environment variable that marks every process of a tree.
pub(crate) const TREE_VARIABLE: &str = "HARDPOINT_TREE";

/// Makes the scratch folder of a new tree, readable by this user only.
pub(crate) fn create(root: &Path, tree: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = root.join(tree);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    Ok(path)
}

/// Removes the scratch folders below `root` whose trees have no process left.
pub fn sweep_scratch(root: &Path) -> usize {
    let Ok(entries) = fs::read_dir(root) else { return 0 };
    let folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    if folders.is_empty() {
        return 0;
    }
    let alive = proc::all();
    let is_dead = |folder: &&PathBuf| {
        let Some(tree) = folder.file_name().and_then(|name| name.to_str()) else { return false };
        // The host's process number opens the name of its trees: a living host sweeps for itself.
        let host = tree.split('-').next().and_then(|pid| pid.parse().ok()).map(Process);
        host.is_some_and(|host| !host.is_alive()) && members(&alive, tree).next().is_none()
    };
    folders.iter().filter(is_dead).filter(|folder| fs::remove_dir_all(folder).is_ok()).count()
}

/// The processes that were started in a tree and have not cleared their environment.
pub(crate) fn members<'a>(among: &'a [Process], tree: &str) -> impl Iterator<Item = Process> + use<'a> {
    let tree = tree.to_owned();
    among.iter().copied().filter(move |process| is_member(*process, &tree))
}

/// Whether a process was started in a tree and has not cleared its environment.
pub(crate) fn is_member(process: Process, tree: &str) -> bool {
    process.environ_has(&format!("{TREE_VARIABLE}={tree}"))
}
