//! The thread that writes lines to disk.
//!
//! Owns the files and the patience with a disk that refuses: one warning, then another try every while. Nobody
//! waits for it. What it cannot take in time is lost, counted, and told in the log itself.

use super::Shared;
use super::files::Files;
use super::limits::{RETRY, WRITE_PAUSE};
use super::settings::LogSettings;
use hardpoint_model::log::{LogLevel, LogLine, LogSource};
use hardpoint_supervisor::{Captured, Lost, Taken};
use jiff::Timestamp;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Instant;

pub(super) struct Writer {
    shared: Weak<Shared>,
    dir: PathBuf,
    files: Files,
    /// When a disk that refused is tried again.
    retry_at: Option<Instant>,
}

/// Starts the thread. It ends when nobody is left who could say something.
pub(super) fn start(
    shared: &Arc<Shared>,
    dir: &Path,
    settings: &LogSettings,
    wake: Receiver<()>,
) -> io::Result<()> {
    let files = Files::new(dir, settings.file_bytes, settings.files);
    let writer = Writer { shared: Arc::downgrade(shared), dir: dir.to_owned(), files, retry_at: None };
    let thread = std::thread::Builder::new().name("hardpoint-logs".to_owned());
    thread.spawn(move || writer.run(&wake)).map(drop)
}

impl Writer {
    fn run(mut self, wake: &Receiver<()>) {
        loop {
            let woken = match self.retry_at {
                None => wake.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => wake.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            if woken == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            if self.retry_at.is_none_or(|at| at <= Instant::now()) && self.turn().is_none() {
                return;
            }
            // What comes meanwhile is written with one write instead of many.
            std::thread::sleep(WRITE_PAUSE);
        }
    }

    /// Writes what there is; `None` when nobody is left.
    fn turn(&mut self) -> Option<()> {
        let shared = self.shared.upgrade()?;
        for captured in shared.all().iter().filter(|captured| captured.has_unwritten()) {
            let written = self.write(captured);
            self.note(&shared, written);
            if self.retry_at.is_some() {
                break;
            }
        }
        Some(())
    }

    fn write(&mut self, captured: &Captured) -> io::Result<()> {
        let taken = captured.take();
        let (last, error) = self.files.append(captured.instance(), &lines(captured, &taken));
        captured.wrote(last, taken.after(last));
        error.map_or(Ok(()), Err)
    }

    /// Tells of the first failure and of its end.
    fn note(&mut self, shared: &Shared, written: io::Result<()>) {
        let dir = self.dir.display();
        match written {
            Ok(()) => {
                if self.retry_at.take().is_some() {
                    tracing::info!("the logs of plugins are written to {dir} again");
                }
                shared.trouble.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    tracing::warn!(
                        "the logs of plugins cannot be written to {dir} ({error}): the last lines are kept in \
                         memory until they can; make room there, or let it be written to"
                    );
                }
                self.retry_at = Some(Instant::now() + RETRY);
                shared.trouble.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// What is written: first what became of the lines that are lost, which are older.
fn lines(captured: &Captured, taken: &Taken) -> Vec<Arc<LogLine>> {
    let told = taken.lost.iter().map(|lost| Arc::new(told(captured, lost)));
    told.chain(taken.lines.iter().cloned()).collect()
}

/// In the place of the last line of those that are lost.
fn told(captured: &Captured, lost: &Lost) -> LogLine {
    let count = lost.count;
    let lines = if count == 1 { "1 line is".to_owned() } else { format!("{count} lines are") };
    LogLine {
        number: lost.last,
        at: Timestamp::now(),
        plugin: captured.plugin().to_owned(),
        instance: captured.instance().to_owned(),
        incarnation: lost.incarnation,
        source: LogSource::Host,
        level: Some(LogLevel::Warning),
        logger: None,
        job_id: lost.attempt.map(|id| id.job_id),
        stage: lost.attempt.map(|id| id.stage),
        attempt: lost.attempt.map(|id| id.attempt),
        text: format!("{lines} not kept: more came than could be written in time"),
    }
}
