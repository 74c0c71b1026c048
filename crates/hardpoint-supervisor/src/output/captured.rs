//! What one instance said, over all its lives.
//!
//! Owns the numbering of lines and the word that new ones came. Cheap to clone; all clones show the same.

use super::kept::{Kept, Taken};
use crate::limits::{CATCH_UP, OUTPUT_LINE_BYTES_MAX};
use hardpoint_model::log::{AttemptId, LogLevel, LogLine, LogSource};
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

/// The numbers of lines: one after the other, whichever instance a line is of. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// The first one is the one after `last`.
    pub fn after(last: u64) -> Self {
        Self(Arc::new(AtomicU64::new(last)))
    }

    /// The last one that was given out.
    pub fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only under the lock of an instance, so that its numbers are in the order of its lines.
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The captured output of one instance.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    plugin: String,
    instance: String,
    numbers: Numbers,
    /// Told when there is something to write; full when it was told already.
    writer: Option<SyncSender<()>>,
    kept: Mutex<Kept>,
    /// The number of the last line.
    last: watch::Sender<u64>,
    /// The number of the last line that is on disk, or never will be.
    written: watch::Sender<u64>,
    /// The tasks that read pipes of this instance now.
    readers: Mutex<Vec<Asks>>,
}

/// How a task that reads a pipe is asked to read what lies in it.
pub(super) type Asks = mpsc::Sender<oneshot::Sender<()>>;

/// A line to be.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) incarnation: u64,
    pub(super) source: LogSource,
    pub(super) level: Option<LogLevel>,
    pub(super) logger: Option<String>,
    pub(super) attempt: Option<AttemptId>,
    pub(super) text: String,
    /// Bytes of the line that were cut off.
    pub(super) cut: u64,
}

impl Captured {
    /// The log of an instance whose lines somebody writes to disk: they are taken with [`Captured::take`] once
    /// `writer` is told. `before`: the number of the last line that was written before.
    pub fn kept(plugin: &str, instance: &str, numbers: Numbers, writer: SyncSender<()>, before: u64) -> Self {
        let kept = Kept::beginning_after(before);
        let shared = Shared {
            plugin: plugin.to_owned(),
            instance: instance.to_owned(),
            numbers,
            writer: Some(writer),
            kept: Mutex::new(kept),
            last: watch::Sender::new(before),
            written: watch::Sender::new(before),
            readers: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The log of an instance that is kept in memory alone.
    pub fn in_memory(plugin: &str, instance: &str, numbers: Numbers) -> Self {
        let (plugin, instance) = (plugin.to_owned(), instance.to_owned());
        Self { shared: Arc::new(Shared { plugin, instance, numbers, ..Shared::default() }) }
    }

    /// The plugin.
    pub fn plugin(&self) -> &str {
        &self.shared.plugin
    }

    /// The instance.
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// The last `count` lines that are still in memory, oldest first.
    pub fn tail(&self, count: usize) -> Vec<Arc<LogLine>> {
        self.with(|kept| kept.tail(count))
    }

    /// The last `count` lines of stderr, oldest first.
    pub fn stderr_tail(&self, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.with(|kept| {
            let stderr = kept.newest_first().filter(|line| line.source == LogSource::Stderr);
            stderr.take(count).map(|line| line.text.clone()).collect()
        });
        lines.reverse();
        lines
    }

    /// The lines after this number that are still in memory, and the number of the last line that is not.
    pub fn after(&self, number: u64) -> (Vec<Arc<LogLine>>, u64) {
        self.with(|kept| (kept.after(number), kept.gone))
    }

    /// The lines that are not on disk, and the number of the last line that is, or never will be.
    pub fn not_on_disk(&self) -> (Vec<Arc<LogLine>>, u64) {
        self.with(|kept| (kept.not_on_disk(), kept.written))
    }

    /// The number of the last line, whenever it changes.
    pub fn last(&self) -> watch::Receiver<u64> {
        self.shared.last.subscribe()
    }

    /// The number of the last line that is on disk or never will be, whenever it changes.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.shared.written.subscribe()
    }

    /// How many lines are no longer in memory.
    pub fn lines_dropped(&self) -> u64 {
        self.with(|kept| kept.lines_dropped)
    }

    /// How many bytes were cut off lines that were too long.
    pub fn bytes_cut(&self) -> u64 {
        self.with(|kept| kept.bytes_cut)
    }

    /// Says something about the plugin, between its own lines; a text of several lines is one entry each.
    pub fn say(&self, incarnation: u64, attempt: Option<AttemptId>, level: LogLevel, text: &str) {
        let at = Timestamp::now();
        let said = text.lines().map(|line| {
            let text = line.get(..line.floor_char_boundary(OUTPUT_LINE_BYTES_MAX)).unwrap_or(line);
            let cut = (line.len() - text.len()) as u64;
            let (source, level, text) = (LogSource::Host, Some(level), text.to_owned());
            Said { at, incarnation, source, level, logger: None, attempt, text, cut }
        });
        self.push(said);
    }

    /// Waits until everything that processes of this instance have written to their pipes is in here, for a
    /// moment at most.
    pub async fn caught_up(&self) {
        let readers = self.readers().clone();
        let ask = |reader: &Asks| {
            let (done, read) = oneshot::channel();
            reader.try_send(done).ok().map(|()| read)
        };
        let asked: Vec<_> = readers.iter().filter_map(ask).collect();
        let all_read = async {
            for read in asked {
                let _ = read.await;
            }
        };
        let _ = tokio::time::timeout(CATCH_UP, all_read).await;
    }

    /// Whether there is something to write.
    pub fn has_unwritten(&self) -> bool {
        self.with(|kept| kept.has_unwritten())
    }

    /// Takes what is to be written. [`Captured::wrote`] follows.
    pub fn take(&self) -> Taken {
        self.with(Kept::take)
    }

    /// What was taken is on disk up to the line of this number; the rest of it is not.
    pub fn wrote(&self, last: u64, rest: Taken) {
        let written = self.with(|kept| {
            kept.wrote(last, rest);
            kept.written
        });
        self.shared.written.send_replace(written);
    }

    pub(super) fn push(&self, said: impl IntoIterator<Item = Said>) {
        let Shared { plugin, instance, numbers, writer, .. } = &*self.shared;
        let (last, is_new) = self.with(|kept| {
            let had_some = kept.has_unwritten();
            let mut last = None;
            for said in said {
                let Said { at, incarnation, source, level, logger, attempt, mut text, cut } = said;
                if cut > 0 {
                    kept.bytes_cut += cut;
                    text = format!("{text}… [{cut} bytes cut]");
                }
                let number = numbers.next();
                let line = LogLine {
                    number,
                    at,
                    plugin: plugin.clone(),
                    instance: instance.clone(),
                    incarnation,
                    source,
                    level,
                    logger,
                    job_id: attempt.map(|id| id.job_id),
                    stage: attempt.map(|id| id.stage),
                    attempt: attempt.map(|id| id.attempt),
                    text,
                };
                kept.push(&Arc::new(line), writer.is_some());
                last = Some(number);
            }
            (last, !had_some)
        });
        let Some(last) = last else { return };
        self.shared.last.send_if_modified(|seen| {
            // Another thread may have been faster.
            let is_later = last > *seen;
            *seen = last.max(*seen);
            is_later
        });
        if let Some(writer) = writer.as_ref().filter(|_| is_new) {
            // Full: it was told already.
            let _ = writer.try_send(());
        }
    }

    pub(super) fn count_dropped(&self, lines: u64) {
        self.with(|kept| kept.lines_dropped += lines);
    }

    pub(super) fn add_reader(&self, asks: Asks) {
        let mut readers = self.readers();
        readers.retain(|reader| !reader.is_closed());
        readers.push(asks);
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Asks>> {
        self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock is held for the time of a copy and never across an await.
    fn with<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        use_it(&mut self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
