//! Scratch folders: one per tree, for its temporary files; gone when the tree is gone.
//!
//! A tree is normally cleared away by its shim, and that of a killed shim by its host. What outlived both (somebody
//! killed both) is ended and removed at the next start. A host that wants a folder for its own time has one of them, with
//! the same end. Must not know what is written into the folders.

use crate::memory::MemoryMode;
use crate::orphans::Orphans;
use crate::owner::{Abandoned, Owner, owner_of, seems_alive};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// Makes a folder, readable by this user only.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A folder of the host itself: gone when this is dropped, else when the next host sweeps.
#[derive(Debug)]
pub struct HostFolder {
    path: PathBuf,
    /// Whoever clears up after the folder holds its owner.
    _owner: Arc<Owner>,
}

impl HostFolder {
    pub(crate) fn create(root: &Path, owner: &Arc<Owner>) -> io::Result<Self> {
        let path = root.join(owner.next_tree());
        create(&path)?;
        Ok(Self { path, _owner: Arc::clone(owner) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for HostFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_the_host_is_not_swept_while_it_lives_and_gone_afterwards_however_it_ends() {
        let root = tempfile::tempdir().unwrap();
        let owner = Arc::new(Owner::claim(root.path()).unwrap());
        let folder = HostFolder::create(root.path(), &owner).unwrap();
        drop(owner);
        sweep(root.path(), &MemoryMode::Sampler);
        assert!(folder.path().is_dir());
        drop(folder);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nor is its owner left");
        // Of a host that was killed.
        fs::create_dir_all(root.path().join("1-1-0-0/outputs")).unwrap();
        sweep(root.path(), &MemoryMode::Sampler);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
