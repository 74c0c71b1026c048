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
mod check;
mod contents;
mod error;
pub mod limits;
mod op;
mod open;
mod read;
mod rows;
mod writer;

pub use check::Report;
pub use contents::{Contents, Tried};
pub use error::StoreError;
pub use op::{Attempt, AttemptEnd, Committed, Op};
pub use read::{EventFilter, JobFilter, Page};

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    path: Arc<Path>,
    writer: writer::Writer,
    readers: Arc<read::Readers>,
}

impl Store {
    /// Opens the file below `data_dir`, made or brought up to date if need be.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = Self::path_in(data_dir);
        let connection = open::writable(&path)?;
        let readers = read::Readers::open(&path)?;
        let writer = writer::Writer::start(connection)?;
        Ok(Self { path: path.into(), writer, readers: Arc::new(readers) })
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
        self.enqueue(epoch, ops).await
    }

    /// The same, with its place in the order taken now and not when the future is first polled.
    pub fn enqueue(
        &self,
        epoch: u64,
        ops: Vec<Op>,
    ) -> impl Future<Output = Result<Committed, StoreError>> + Send + use<> {
        self.writer.enqueue(epoch, ops)
    }
}
