//! SHA-256 of model files, where a manifest declares one.
//!
//! Owns how it is computed: on a thread, two at a time, given up when the disk does not answer, and once
//! per content: until length, times or inode of the file change, its result is remembered.

use super::facts::{self, Identity};
use crate::probe::limits::{DIGEST_LIMIT, DIGEST_STALL, DIGESTS_KEPT, DIGESTS_MAX};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Digest {
    /// In hexadecimal digits.
    Is(String),
    /// Why it is not known.
    Failed(String),
}

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(DIGESTS_MAX)));
static KNOWN: LazyLock<Mutex<HashMap<Identity, String>>> = LazyLock::new(Mutex::default);

/// How far a thread is, and whether anybody still wants to know.
#[derive(Debug, Default)]
struct Progress {
    bytes: AtomicU64,
    given_up: AtomicBool,
}

/// Tells the thread when nobody waits any more.
struct Waiting(Arc<Progress>);

impl Drop for Waiting {
    fn drop(&mut self) {
        // It only has to be seen at some time: nothing else hangs on its order.
        self.0.given_up.store(true, Ordering::Relaxed);
    }
}

/// The digest of the file that was seen as `identity`.
pub(super) async fn of(path: PathBuf, identity: Identity) -> Digest {
    if let Some(known) = known(identity) {
        return Digest::Is(known);
    }
    let digest = async {
        let place = Arc::clone(&PLACES).acquire_owned().await.map_err(io::Error::other)?;
        let waiting = Waiting(Arc::default());
        let progress = Arc::clone(&waiting.0);
        let computing = tokio::task::spawn_blocking(move || {
            let digest = compute(&path, &progress);
            drop(place);
            digest
        });
        let (hex, seen) = unless_it_stalls(computing, &waiting.0).await?;
        if seen != identity {
            return Err(io::Error::other("it changes while it is read"));
        }
        Ok(hex)
    };
    match tokio::time::timeout(DIGEST_LIMIT, digest).await {
        Ok(Ok(hex)) => {
            remember(identity, &hex);
            Digest::Is(hex)
        }
        Ok(Err(error)) => Digest::Failed(error.to_string()),
        Err(_) => Digest::Failed(format!("it took more than {} minutes", DIGEST_LIMIT.as_secs() / 60)),
    }
}

async fn unless_it_stalls(
    mut computing: tokio::task::JoinHandle<io::Result<(String, Identity)>>,
    progress: &Progress,
) -> io::Result<(String, Identity)> {
    let mut last = 0;
    loop {
        match tokio::time::timeout(DIGEST_STALL, &mut computing).await {
            Ok(computed) => return computed.map_err(io::Error::other)?,
            Err(_) => {
                let now = progress.bytes.load(Ordering::Relaxed);
                if now == last {
                    let seconds = DIGEST_STALL.as_secs();
                    return Err(io::Error::other(format!("nothing could be read for {seconds} s")));
                }
                last = now;
            }
        }
    }
}

fn compute(path: &Path, progress: &Progress) -> io::Result<(String, Identity)> {
    let (mut file, _) = facts::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
        progress.bytes.fetch_add(1, Ordering::Relaxed);
        if progress.given_up.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    let hex = hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((hex, facts::identity(&file.metadata()?)))
}

fn known(identity: Identity) -> Option<String> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned()
}

fn remember(identity: Identity, hex: &str) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= DIGESTS_KEPT {
        known.clear();
    }
    known.insert(identity, hex.to_owned());
}
