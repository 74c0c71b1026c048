//! Scratch folders: one per tree, for its temporary files; gone when the tree is gone.
//!
//! A folder is normally removed by the tree's shim. Those that outlived both shim and host (somebody
//! killed both) are swept at the next start. Must not know what is written into them.

use crate::memory::MemoryMode;
use crate::proc::{self, Process};
use std::path::Path;
use std::{fs, io};

/// The environment variable that marks every process of a tree.
pub(crate) const TREE_VARIABLE: &str = "HARDPOINT_TREE";

/// Makes the scratch folder of a tree, readable by this user only.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes what is left of trees whose host and shim were both killed: folders below `root`, groups.
/// Returns how many things it removed.
pub(crate) fn sweep(root: &Path, memory: &MemoryMode) -> usize {
    let alive = proc::all();
    // The host's process number opens the name of its trees: a living host sweeps for itself.
    let is_dead = |tree: &str| {
        let host = tree.split('-').next().and_then(|pid| pid.parse().ok()).map(Process);
        host.is_some_and(|host| !host.is_alive()) && members(&alive, tree).next().is_none()
    };
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let dead =
        folders.filter(|folder| folder.file_name().and_then(|name| name.to_str()).is_some_and(is_dead));
    dead.filter(|folder| fs::remove_dir_all(folder).is_ok()).count() + memory.sweep(is_dead)
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
