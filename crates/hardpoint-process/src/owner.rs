//! Who trees belong to: one launcher, known by a file that it holds locked for as long as it lives.
//!
//! Owns the names of trees and the locks. A number of a process may be given to another one, in a container even
//! at once; a lock is free exactly when its holder is gone. Must not know what is left of a tree.
//!
//! ```text
//!   4711-88342-0.lock    of the process 4711, which began at tick 88342, the first launcher
//!   4711-88342-0-3       its fourth tree
//! ```

use crate::proc::Process;
use crate::scratch;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the name of a lock ends with.
const SUFFIX: &str = ".lock";
/// Process, its beginning, launcher.
const PARTS: usize = 3;

/// Counts the launchers of this process.
static OWNERS: AtomicU64 = AtomicU64::new(0);

/// A living launcher.
#[derive(Debug)]
pub(crate) struct Owner {
    name: String,
    path: PathBuf,
    trees: AtomicU64,
    _lock: File,
}

impl Owner {
    /// A new one, with its lock below `root`.
    pub(crate) fn claim(root: &Path) -> io::Result<Self> {
        scratch::create(root)?;
        let own = Process::own();
        let number = OWNERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", own.0, own.started_ticks().unwrap_or(0));
        let path = lock_of(root, &name);
        loop {
            let lock = File::options().write(true).create(true).truncate(false).open(&path)?;
            lock.lock()?;
            // Somebody who saw it before it was locked may have taken it for abandoned, and away.
            if lock.metadata()?.nlink() > 0 {
                return Ok(Self { name, path, trees: AtomicU64::new(0), _lock: lock });
            }
        }
    }

    /// A name that no tree has had.
    pub(crate) fn next_tree(&self) -> String {
        format!("{}-{}", self.name, self.trees.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Owner {
    /// Whoever clears up after a tree holds its owner, so that nothing is left of any.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A launcher that died. Nobody else clears up after it while this is held.
#[derive(Debug)]
pub(crate) struct Abandoned {
    path: PathBuf,
    _lock: Option<File>,
}

impl Abandoned {
    /// `None` while it lives, or somebody else clears up after it.
    pub(crate) fn find(root: &Path, owner: &str) -> Option<Self> {
        let path = lock_of(root, owner);
        match File::open(&path) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Some(Self { path, _lock: Some(lock) }),
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Some(Self { path, _lock: None }),
            Err(_) => None,
        }
    }

    /// Nothing is left of it.
    pub(crate) fn cleared(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The owner of a lock or a tree, by that one's name.
pub(crate) fn owner_of(name: &str) -> Option<&str> {
    let is_owner = |name: &str| {
        let mut parts = name.split('-');
        parts.by_ref().take(PARTS).filter(|part| is_number(part)).count() == PARTS && parts.next().is_none()
    };
    let (owner, number) = match name.strip_suffix(SUFFIX) {
        Some(owner) => (owner, "0"),
        None => name.rsplit_once('-')?,
    };
    (is_number(number) && is_owner(owner)).then_some(owner)
}

/// Whether the process of this owner lives, as far as numbers can tell.
pub(crate) fn seems_alive(owner: &str) -> bool {
    let mut parts = owner.split('-').map(str::parse);
    let (Some(Ok(pid)), Some(Ok(ticks))) = (parts.next(), parts.next()) else { return true };
    u32::try_from(pid).is_ok_and(|pid| Process(pid).started_ticks() == Some(ticks))
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn lock_of(root: &Path, owner: &str) -> PathBuf {
    root.join(format!("{owner}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_and_trees_tell_their_owner_and_other_names_tell_none() {
        for (name, owner) in [
            ("4711-88342-0.lock", Some("4711-88342-0")),
            ("4711-88342-0-3", Some("4711-88342-0")),
            ("4711-88342-0", None),
            ("4711-88342-0-", None),
            ("4711-88342-0-3-4", None),
            ("4711--0-3", None),
            ("a-b-c-d", None),
            (".lock", None),
            ("", None),
        ] {
            assert_eq!(owner_of(name), owner, "{name}");
        }
    }

    #[test]
    fn an_owner_is_abandoned_only_once_it_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let owner = Owner::claim(root.path()).unwrap();
        let tree = owner.next_tree();
        assert_ne!(tree, owner.next_tree());
        let name = owner_of(&tree).unwrap();
        assert!(seems_alive(name));
        assert!(Abandoned::find(root.path(), name).is_none());
        drop(owner);
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "its lock is gone, too");
        let found = Abandoned::find(root.path(), name).unwrap();
        found.cleared();
    }

    #[test]
    fn two_who_clear_up_at_once_do_not_meet() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(lock_of(root.path(), "1-1-0"), "").unwrap();
        let first = Abandoned::find(root.path(), "1-1-0").unwrap();
        assert!(Abandoned::find(root.path(), "1-1-0").is_none());
        first.cleared();
        assert!(!lock_of(root.path(), "1-1-0").exists());
        assert!(!seems_alive("1-1-0"));
    }
}
