//! Scratch folders: one per tree, for its temporary files; gone when the tree is gone.
//!
//! A tree is normally cleared away by its shim, and that of a killed shim by its host. What outlived both (somebody
//! killed both) is ended and removed at the next start. Must not know what is written into the folders.

use crate::memory::MemoryMode;
use crate::orphans::Orphans;
use crate::owner::{Abandoned, owner_of, seems_alive};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// Makes a folder, readable by this user only.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Ends and removes what is left below `root` of launchers that died, and groups that nobody uses any more.
/// Blocks, for a bounded time.
pub(crate) fn sweep(root: &Path, memory: &MemoryMode) {
    let abandoned = abandoned(root);
    let trees = || abandoned.values().flat_map(|(_, trees)| trees);
    let mut orphans = Orphans::default();
    for tree in trees() {
        orphans.add(tree.clone(), memory.group(tree));
    }
    if !orphans.end() {
        // Whoever comes next tries again.
        return;
    }
    for tree in trees() {
        let _ = fs::remove_dir_all(root.join(tree));
        if let Some(group) = memory.group(tree) {
            group.remove();
        }
    }
    for (owner, _) in abandoned.into_values() {
        owner.cleared();
    }
    // Groups of hosts with another root: those are known by number alone, and none that is in use is touched.
    memory.sweep(|tree| owner_of(tree).is_some_and(|owner| !seems_alive(owner)));
}

/// Those who died, each with its trees.
fn abandoned(root: &Path) -> BTreeMap<String, (Abandoned, Vec<String>)> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((name, owner)) = name.to_str().and_then(|name| Some((name, owner_of(name)?))) else {
            continue;
        };
        let trees = found.entry(owner.to_owned()).or_default();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            trees.push(name.to_owned());
        }
    }
    let abandoned = found.into_iter().filter_map(|(owner, trees)| {
        let held = Abandoned::find(root, &owner)?;
        Some((owner, (held, trees)))
    });
    abandoned.collect()
}
