//! Owns noticing that a program takes too long, or that nothing happens any more.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::limits::{GROWTH_FILES_MAX, INSTALL_LOOK};

/// When a program is stopped.
#[derive(Debug, Clone)]
pub(crate) enum Patience {
    /// After this time, whatever it does.
    Total(Duration),
    /// After this time without output and without growth below the folder.
    Idle(Duration, PathBuf),
}

/// Notices that nothing happens any more.
pub(super) struct Watch<'a> {
    patience: &'a Patience,
    pid: u32,
    since: Instant,
    grown: (u64, u64),
}

impl<'a> Watch<'a> {
    pub(super) fn new(patience: &'a Patience, pid: u32) -> Self {
        Self { patience, pid, since: Instant::now(), grown: (0, 0) }
    }

    pub(super) fn progress(&mut self) {
        if let Patience::Idle(..) = self.patience {
            self.since = Instant::now();
        }
    }

    pub(super) fn next_look(&self) -> Duration {
        let (Patience::Total(limit) | Patience::Idle(limit, _)) = self.patience;
        limit.saturating_sub(self.since.elapsed()).min(INSTALL_LOOK)
    }

    pub(super) fn expired(&mut self) -> Option<Duration> {
        let limit = match self.patience {
            Patience::Total(limit) => *limit,
            Patience::Idle(limit, folder) => {
                let grown = (size_below(folder), bytes_written(self.pid));
                if grown != self.grown {
                    self.grown = grown;
                    self.since = Instant::now();
                }
                *limit
            }
        };
        (self.since.elapsed() >= limit).then_some(limit)
    }
}

/// The bytes of the files below `folder`.
fn size_below(folder: &Path) -> u64 {
    let mut waiting = vec![folder.to_owned()];
    let (mut bytes, mut files) = (0_u64, 0_usize);
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > GROWTH_FILES_MAX {
                return bytes;
            }
            match entry.metadata() {
                Ok(data) if data.is_dir() => waiting.push(entry.path()),
                Ok(data) => bytes = bytes.saturating_add(data.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// What the program itself wrote so far, wherever: a download goes into the installer's cache.
/// Unknown on systems without `/proc`.
fn bytes_written(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}
