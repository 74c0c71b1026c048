//! The floor of everything durable: what this machine's disk needs to keep one page.
//!
//! Owns the folder in which durable things are measured: a memory file system would keep nothing.

use crate::report::{Report, Row, show};
use crate::samples::{Rounds, Samples};
use crate::stage::root;
use anyhow::Result;
use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Pages of one round: less than a second on most disks.
const FSYNCS: u32 = 200;
/// A page of the database.
const PAGE_BYTES: usize = 4096;

/// A folder on the disk that holds the build, not in a temporary file system.
pub(crate) fn folder() -> Result<TempDir> {
    let below = root().join("target");
    fs::create_dir_all(&below)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(below)?)
}

/// What the disk does alone, measured turn by turn with what stands on it.
pub(super) struct Disk {
    _folder: TempDir,
    file: File,
    rounds: Rounds,
}

impl Disk {
    pub(super) fn open() -> Result<Self> {
        let folder = folder()?;
        let file = File::create(folder.path().join("pages"))?;
        Ok(Self { _folder: folder, file, rounds: Rounds::default() })
    }

    /// A page is appended and made durable, again and again.
    pub(super) fn round(&mut self) -> Result<()> {
        let mut samples = Samples::default();
        for _ in 0..FSYNCS {
            let started = Instant::now();
            self.file.write_all(&[7; PAGE_BYTES])?;
            self.file.sync_data()?;
            samples.push(started.elapsed());
        }
        self.rounds.keep(samples);
        Ok(())
    }

    /// Gives the median of the best round.
    pub(super) fn tell(&self, report: &mut Report) -> Duration {
        let (p50, p99) = (self.rounds.best().median(), self.rounds.best().p99());
        report.row(Row {
            what: "a page appended and fdatasync, one after the other: p50".to_owned(),
            bound: "none: it is the floor of what is durable".to_owned(),
            floor: "–".to_owned(),
            measured: format!("{} ({:.0}/s), p99 {}", show(p50), 1.0 / p50.as_secs_f64(), show(p99)),
            ratio: None,
            met: None,
        });
        p50
    }
}
