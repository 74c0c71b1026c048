//! What plugins said, kept on disk: written beside everything else, read back by plugin and by job.
//!
//! Owns the files below `logs` in the data folder, and who may read how much at once. Must not know jobs beyond the
//! names that lines carry. Lines are in the memory of their instance first ([`Captured`]); reading puts both
//! together, so that nobody sees where a line lies.
//!
//! ```text
//!   Captured ── lines ──> writer (a thread) ──> logs/INSTANCE/00000007.ndjson, bounded in size and number
//!      │                                              │
//!      └──── lines not on disk yet ──> LogReading <───┘ pages
//! ```

mod files;
mod filter;
pub mod limits;
mod read;
mod reading;
mod settings;
mod writer;

#[cfg(test)]
mod tests;

pub use filter::LogFilter;
pub use reading::{LogReading, Start};
pub use settings::LogSettings;

use hardpoint_supervisor::{Captured, Numbers};
use limits::{GONE_MAX, READS_AT_ONCE, WRITTEN_PATIENCE};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The logs of all instances of a host. Cheap to clone; by default they are in memory alone.
#[derive(Debug, Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: Option<PathBuf>,
    numbers: Numbers,
    writer: Option<SyncSender<()>>,
    instances: Mutex<BTreeMap<String, Captured>>,
    /// Those of them that are gone, the last one last.
    gone: Mutex<VecDeque<String>>,
    /// Whether the disk refused the last write.
    trouble: AtomicBool,
    reads: Semaphore,
}

impl Shared {
    fn all(&self) -> Vec<Captured> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self::open(&LogSettings::default())
    }
}

impl Logs {
    /// Looks how far earlier hosts came, and begins to write. A disk that cannot be written to is told of in the
    /// host's own log, and tried again.
    pub fn open(settings: &LogSettings) -> Self {
        let (wake, woken) = sync_channel(1);
        let before = settings.dir.as_deref().map_or(0, files::last_number);
        let shared = Arc::new(Shared {
            dir: settings.dir.clone(),
            numbers: Numbers::after(before),
            writer: settings.dir.is_some().then_some(wake),
            instances: Mutex::default(),
            gone: Mutex::default(),
            trouble: AtomicBool::new(false),
            reads: Semaphore::new(READS_AT_ONCE),
        });
        if let Some(dir) = &settings.dir {
            files::forget(dir);
            if let Err(error) = writer::start(&shared, dir, settings, woken) {
                tracing::warn!("the logs of plugins are kept in memory alone: no thread for them ({error})");
            }
        }
        Self { shared }
    }

    /// The log of an instance.
    pub(crate) fn of(&self, plugin: &str, instance: &str) -> Captured {
        let Shared { numbers, writer, gone, .. } = &*self.shared;
        gone.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != instance);
        let mut instances = self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner);
        match instances.get(instance) {
            Some(known) if known.plugin() == plugin => return known.clone(),
            // It was an instance of another plugin.
            Some(_) | None => {}
        }
        // What was said until now in its name, by earlier hosts or by one that was let go, is on disk.
        let new = match writer {
            Some(writer) => Captured::kept(plugin, instance, numbers.clone(), writer.clone(), numbers.last()),
            None => Captured::in_memory(plugin, instance, numbers.clone()),
        };
        instances.insert(instance.to_owned(), new.clone());
        new
    }

    /// An instance is gone: what it said stays on disk, and that of the last few in memory, too.
    pub(crate) fn let_go(&self, instance: &str) {
        let mut gone = self.shared.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|known| known != instance);
        gone.push_back(instance.to_owned());
        let mut instances = self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner);
        while gone.len() > GONE_MAX {
            let Some(oldest) = gone.pop_front() else { break };
            instances.remove(&oldest);
        }
    }

    /// Lines of these instances, in the order in which they came.
    pub fn read(&self, instances: &[String], filter: LogFilter, start: Start) -> LogReading {
        LogReading::new(self.clone(), instances, filter, start)
    }

    /// Waits until all that was said by these instances until now can be read, also by the next host: for a moment
    /// at most, when a disk does not take it.
    pub async fn caught_up(&self, instances: &[String]) {
        for instance in instances {
            if let Some(captured) = self.known(instance) {
                captured.caught_up().await;
                self.written(&captured, WRITTEN_PATIENCE).await;
            }
        }
    }

    /// Waits until everything is on disk, for at most `patience`.
    pub(crate) async fn settled(&self, patience: Duration) {
        let all = async {
            for captured in self.shared.all() {
                self.written(&captured, patience).await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }

    async fn written(&self, captured: &Captured, patience: Duration) {
        if self.shared.dir.is_none() || self.shared.trouble.load(Ordering::Relaxed) {
            return;
        }
        let last = *captured.last().borrow();
        let mut written = captured.written();
        let _ = tokio::time::timeout(patience, written.wait_for(|number| *number >= last)).await;
    }

    fn known(&self, instance: &str) -> Option<Captured> {
        self.shared.instances.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned()
    }

    /// Runs what may wait for the disk; only so many at once.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _turn = self.shared.reads.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}
