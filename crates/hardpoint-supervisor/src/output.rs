//! What a worker printed: the last lines of stdout, stderr and its log, bounded.
//!
//! Owns the ring of lines and the tasks that fill it. A worker that floods its output costs the host no
//! more than the ring: older lines are dropped and counted.

use crate::limits::{OUTPUT_BYTES_MAX, OUTPUT_LINE_BYTES_MAX, OUTPUT_LINES_MAX};
use hardpoint_wire::LogLevel;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Written to descriptor 1.
    Stdout,
    /// Written to descriptor 2.
    Stderr,
    /// Logged through the SDK or Python's `logging`.
    Log(LogLevel),
    /// Said by the host about the plugin.
    Host(LogLevel),
}

/// One captured line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it came.
    pub at: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// The text, without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// The captured output of one worker. Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    ring: Arc<Mutex<Ring>>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    lines_dropped: u64,
    bytes_cut: u64,
}

impl Captured {
    /// The last `count` lines, oldest first.
    pub fn tail(&self, count: usize) -> Vec<Line> {
        self.with(|ring| ring.lines.iter().skip(ring.lines.len().saturating_sub(count)).cloned().collect())
    }

    /// The last `count` lines of stderr, oldest first.
    pub fn stderr_tail(&self, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.with(|ring| {
            let stderr = ring.lines.iter().rev().filter(|line| line.source == Source::Stderr);
            stderr.take(count).map(|line| line.text.clone()).collect()
        });
        lines.reverse();
        lines
    }

    /// How many lines are no longer there.
    pub fn lines_dropped(&self) -> u64 {
        self.with(|ring| ring.lines_dropped)
    }

    /// How many bytes were cut off lines that were too long.
    pub fn bytes_cut(&self) -> u64 {
        self.with(|ring| ring.bytes_cut)
    }

    /// Says something about the plugin, between its own lines; a text of several lines is one entry each.
    pub fn say(&self, level: LogLevel, text: &str) {
        for line in text.lines() {
            let kept = line.get(..line.floor_char_boundary(OUTPUT_LINE_BYTES_MAX)).unwrap_or(line);
            self.push(Source::Host(level), kept, 0);
        }
    }

    pub(crate) fn push(&self, source: Source, text: &str, dropped_before: u64) {
        self.with(|ring| {
            ring.lines_dropped += dropped_before;
            ring.push(Line { at: Timestamp::now(), source, text: text.to_owned() });
        });
    }

    /// Starts reading both pipes. The tasks end when no process holds the pipes any more.
    pub(crate) fn read(&self, (stdout, stderr): (PipeReader, PipeReader)) -> Readers {
        let read = |pipe, source| tokio::spawn(read(pipe, source, self.clone()));
        Readers { tasks: [read(stdout, Source::Stdout), read(stderr, Source::Stderr)] }
    }

    /// The lock is held for the time of a copy and never across an await.
    fn with<T>(&self, use_it: impl FnOnce(&mut Ring) -> T) -> T {
        use_it(&mut self.ring.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ring {
    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.bytes > OUTPUT_BYTES_MAX || self.lines.len() > OUTPUT_LINES_MAX {
            let Some(old) = self.lines.pop_front() else { break };
            self.bytes -= old.text.len();
            self.lines_dropped += 1;
        }
    }
}

/// The tasks that read a worker's output.
#[derive(Debug)]
pub(crate) struct Readers {
    tasks: [JoinHandle<()>; 2],
}

impl Readers {
    /// Waits for both pipes to end; `true` when one did not in time, so that somebody still holds it.
    pub(crate) async fn end(self, grace: std::time::Duration) -> bool {
        let deadline = tokio::time::Instant::now() + grace;
        let mut leaked = false;
        for mut task in self.tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                leaked = true;
            }
        }
        leaked
    }
}

async fn read(pipe: PipeReader, source: Source, into: Captured) {
    let Ok(pipe) = Receiver::from_owned_fd(OwnedFd::from(pipe)) else { return };
    let mut lines = Splitter::default();
    let mut chunk = vec![0; 64 << 10];
    loop {
        if pipe.readable().await.is_err() {
            break;
        }
        match pipe.try_read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => lines.push(chunk.get(..read).unwrap_or_default(), source, &into),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    lines.finish(source, &into);
}

/// Cuts a stream of bytes into lines of bounded length.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
    cut: u64,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], source: Source, into: &Captured) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = OUTPUT_LINE_BYTES_MAX - self.line.len();
            let taken = text.get(..room.min(text.len())).unwrap_or_default();
            self.line.extend_from_slice(taken);
            self.cut += (text.len() - taken.len()) as u64;
            if ends {
                self.finish(source, into);
            }
        }
    }

    fn finish(&mut self, source: Source, into: &Captured) {
        if self.line.is_empty() && self.cut == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
        into.with(|ring| {
            ring.bytes_cut += std::mem::take(&mut self.cut);
            ring.push(Line { at: Timestamp::now(), source, text });
        });
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_costs_no_more_than_the_ring_and_is_counted() {
        let captured = Captured::default();
        let mut splitter = Splitter::default();
        for _ in 0..5000 {
            splitter.push(b"a line of output\n", Source::Stdout, &captured);
        }
        assert_eq!(captured.tail(usize::MAX).len(), OUTPUT_LINES_MAX);
        assert_eq!(captured.lines_dropped(), 5000 - OUTPUT_LINES_MAX as u64);
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_rest_is_counted() {
        let captured = Captured::default();
        let mut splitter = Splitter::default();
        for _ in 0..100 {
            splitter.push(&[0xff; 1000], Source::Stderr, &captured);
        }
        splitter.finish(Source::Stderr, &captured);
        assert_eq!(captured.bytes_cut(), 100_000 - OUTPUT_LINE_BYTES_MAX as u64);
        assert!(captured.stderr_tail(1)[0].starts_with('\u{fffd}'));
    }
}
