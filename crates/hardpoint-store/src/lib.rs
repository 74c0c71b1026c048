//! What is accepted is kept: jobs, stages, attempts, events, in one SQLite file.
//!
//! Owns everything that is SQL. Must not decide anything: it is told what is true now, and either makes all of
//! it durable in one transaction or says why not.
//!
//! ```text
//!   commit(ops) ──> writer thread: gathers what waits, one transaction, one fsync ──> numbers of the events
//!   read(...)   ──> a connection of its own, which sees what is committed and never waits for the writer
//! ```

mod audit;
mod blobs;
mod check;
mod contents;
mod counts;
mod error;
mod events;
mod given;
pub mod limits;
mod op;
mod open;
mod output;
mod pipelines;
mod plugin_configs;
mod prune;
mod read;
mod rows;
mod statistics;
mod usage_records;
mod writer;

pub use blobs::KeptBlob;
pub use check::{BackupError, Report};
pub use contents::{Contents, Tried};
pub use error::StoreError;
pub use events::{EventFilter, Gone, Kept};
pub use given::{Given, GivenKept};
pub use op::{Attempt, AttemptEnd, Committed, Op};
pub use output::{Form, Output};
pub use pipelines::{PipelineRuns, SavedPipeline};
pub use plugin_configs::PluginConfig;
pub use prune::{Keep, Pruned};
pub use read::{JobFilter, Page, PluginFlags};
pub use statistics::{Counts, Statistics};

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    path: Arc<Path>,
    // Before the writer: the connection that is closed last is the one that can tidy up.
    readers: Arc<read::Readers>,
    writer: writer::Writer,
}

impl Store {
    /// Opens the file below `data_dir`, made or brought up to date if need be.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = Self::path_in(data_dir);
        let connection = open::writable(&path)?;
        let readers = read::Readers::open(&path)?;
        let path: Arc<Path> = path.into();
        let writer = writer::Writer::start(connection, Arc::clone(&path))?;
        Ok(Self { path, readers: Arc::new(readers), writer })
    }

    /// Writes what still waits, and closes the file; everything that is asked of any clone afterwards is refused.
    /// What remains is one file with everything in it, unless another process has it open.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Where the file below `data_dir` is.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join("hardpoint.db")
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes all of it true, or none. When this returns `Ok` it survives the loss of power. Commits take effect
    /// in the order of the calls. Once the disk has refused one, all of the same or an earlier `epoch` are refused.
    pub async fn commit(&self, epoch: u64, ops: Vec<Op>) -> Result<Committed, StoreError> {
        self.one(Some(epoch), ops).await
    }

    /// The same for what has no place in the order of anything else: it is neither refused because of what was refused
    /// before, nor is anything that follows refused because of it.
    pub fn enqueue_apart(
        &self,
        ops: Vec<Op>,
    ) -> impl Future<Output = Result<Committed, StoreError>> + Send + use<> {
        self.one(None, ops)
    }

    fn one(
        &self,
        epoch: Option<u64>,
        ops: Vec<Op>,
    ) -> impl Future<Output = Result<Committed, StoreError>> + Send + use<> {
        let answer = self.writer.enqueue(vec![(epoch, ops.into())]).pop();
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Err(StoreError::Closed),
            }
        }
    }

    /// Why the last thing that was to be written was not; `None` when it was.
    pub fn trouble(&self) -> Option<StoreError> {
        self.writer.trouble()
    }

    /// The same for several that share one wait for the disk, each with an answer of its own. Their places in the order
    /// are taken now and not when the answers are first polled.
    pub fn enqueue(
        &self,
        commits: Vec<(u64, Arc<[Op]>)>,
    ) -> Vec<impl Future<Output = Result<Committed, StoreError>> + Send + use<>> {
        self.writer.enqueue(commits.into_iter().map(|(epoch, ops)| (Some(epoch), ops)).collect())
    }

    /// The number of the last event that is on disk.
    pub fn last_event(&self) -> u64 {
        self.writer.last_event()
    }
}
