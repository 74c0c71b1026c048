//! One server per data folder: a lock that ends with the process, and a note for others where it listens.
//!
//! Owns `serve.lock` and `server.json`. Must not know HTTP. The lock decides; the note is only believed while
//! the lock is held, so a note that a killed server left behind harms nobody.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LOCK: &str = "serve.lock";
const NOTE: &str = "server.json";
/// A note is two short fields; more is none of ours.
const NOTE_BYTES_MAX: usize = 4096;
/// How long somebody who only looks may hold the lock.
const LOOKING_MAX: Duration = Duration::from_millis(100);

/// Where a running server can be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// For example `http://127.0.0.1:8700`.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// The right to serve a data folder, until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
    note: PathBuf,
}

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Another server has it.
    #[error("the data folder {} belongs to another server{}", dir.display(), who(.other.as_ref()))]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// What is known of the other one; it may not listen yet.
        other: Option<Note>,
    },
    /// It cannot be written to.
    #[error("the data folder {} cannot be used", dir.display())]
    Unusable {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn who(other: Option<&Note>) -> String {
    other.map_or_else(String::new, |note| format!(": process {} at {}", note.pid, note.url))
}

impl Claim {
    /// Makes the folder if need be, and locks it.
    pub(super) fn take(dir: &Path) -> Result<Self, ClaimError> {
        let unusable = |source| ClaimError::Unusable { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let path = dir.join(LOCK);
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let lock = lock.map_err(unusable)?;
        let since = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // Whoever looks whether a server runs holds the lock for an instant.
                Err(TryLockError::WouldBlock) if since.elapsed() < LOOKING_MAX => {
                    std::thread::sleep(LOOKING_MAX / 10);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ClaimError::Taken { dir: dir.to_owned(), other: read_note(dir) });
                }
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
        }
        let note = dir.join(NOTE);
        // Of a server that was killed.
        let _ = fs::remove_file(&note);
        Ok(Self { _lock: lock, note })
    }

    /// Tells where this server listens. Written beside and renamed: a reader sees all of it or nothing.
    pub(super) fn announce(&self, url: &str) -> io::Result<()> {
        let note = Note { url: url.to_owned(), pid: std::process::id() };
        let beside = self.note.with_extension("json.new");
        let mut file = File::create(&beside)?;
        serde_json::to_writer(&mut file, &note)?;
        file.write_all(b"\n")?;
        fs::rename(beside, &self.note)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.note);
    }
}

/// The server that runs on this data folder, if one does. A note without a held lock is stale.
pub(crate) fn running(dir: &Path) -> Option<Note> {
    let lock = File::open(dir.join(LOCK)).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_note(dir),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read_note(dir: &Path) -> Option<Note> {
    let text = hardpoint_engine::read_bounded(&dir.join(NOTE), NOTE_BYTES_MAX).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_is_refused_and_told_who_has_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path()).unwrap();
        assert!(running(dir.path()).is_none(), "it does not listen yet");
        claim.announce("http://127.0.0.1:1").unwrap();
        let note = Note { url: "http://127.0.0.1:1".to_owned(), pid: std::process::id() };
        assert_eq!(running(dir.path()), Some(note));
        let refused = Claim::take(dir.path()).unwrap_err().to_string();
        let expected = format!(": process {} at http://127.0.0.1:1", std::process::id());
        assert!(refused.ends_with(&expected), "{refused}");
        drop(claim);
        assert_eq!(running(dir.path()), None);
        Claim::take(dir.path()).unwrap();
    }

    #[test]
    fn the_note_of_a_killed_server_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(LOCK), "").unwrap();
        fs::write(dir.path().join(NOTE), "{\"url\": \"http://127.0.0.1:1\", \"pid\": 1}").unwrap();
        assert_eq!(running(dir.path()), None);
        Claim::take(dir.path()).unwrap();
    }
}
