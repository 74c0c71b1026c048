//! Reading what a worker prints: bytes to lines, marks to the calls that they name.
//!
//! Owns the tasks that read both pipes. A line without end costs no more than its bound.

use super::captured::Said;
use super::marks::call_of;
use super::voice::Voice;
use crate::limits::{CATCH_UP_QUEUE, OUTPUT_LINE_BYTES_MAX, PIPE_BYTES_MAX};
use hardpoint_model::log::{AttemptId, LogSource};
use jiff::Timestamp;
use std::io::{ErrorKind, PipeReader};
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The tasks that read a worker's output.
#[derive(Debug)]
pub(crate) struct Readers {
    tasks: [JoinHandle<()>; 2],
}

impl Readers {
    /// Starts reading both pipes. The tasks end when no process holds the pipes any more.
    pub(crate) fn start(voice: &Voice, (stdout, stderr): (PipeReader, PipeReader)) -> Self {
        let read = |pipe, source| {
            let (asks, asked) = mpsc::channel(CATCH_UP_QUEUE);
            let task = tokio::spawn(read(pipe, Splitter::new(source, voice.clone()), asked));
            voice.captured().add_reader(asks);
            task
        };
        Self { tasks: [read(stdout, LogSource::Stdout), read(stderr, LogSource::Stderr)] }
    }

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

async fn read(pipe: PipeReader, mut lines: Splitter, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
    let Ok(pipe) = Receiver::from_owned_fd(OwnedFd::from(pipe)) else { return };
    let mut chunk = vec![0; 64 << 10];
    loop {
        let ask = tokio::select! {
            ready = pipe.readable() => if ready.is_ok() { None } else { break },
            Some(ask) = asked.recv() => Some(ask),
        };
        // Whoever asks wants what lay in the pipe then; without end it goes on in the next round.
        let enough = if ask.is_some() { PIPE_BYTES_MAX } else { 1 };
        let mut taken = 0;
        let ended = loop {
            match pipe.try_read(&mut chunk) {
                Ok(0) => break true,
                Ok(read) => lines.push(chunk.get(..read).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break false,
                Err(_) => break true,
            }
            taken += chunk.len();
            if taken >= enough {
                break false;
            }
        };
        if let Some(ask) = ask {
            let _ = ask.send(());
        }
        if ended {
            break;
        }
    }
    lines.finish();
}

/// Cuts a stream of bytes into lines of bounded length, each with the attempt that it belongs to.
struct Splitter {
    source: LogSource,
    voice: Voice,
    /// What the last mark said.
    attempt: Option<AttemptId>,
    line: Vec<u8>,
    cut: u64,
}

impl Splitter {
    fn new(source: LogSource, voice: Voice) -> Self {
        Self { source, voice, attempt: None, line: Vec::new(), cut: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (at, mut said, mut begin) = (Timestamp::now(), Vec::new(), 0);
        for end in memchr::memchr_iter(b'\n', bytes) {
            let part = bytes.get(begin..end).unwrap_or_default();
            begin = end + 1;
            if self.line.is_empty() && self.cut == 0 && part.len() <= OUTPUT_LINE_BYTES_MAX {
                // The usual case: the line lies here as a whole.
                said.extend(self.line(part, at));
            } else {
                self.add(part);
                said.extend(self.end_of_line(at));
            }
        }
        self.add(bytes.get(begin..).unwrap_or_default());
        self.voice.captured().push(said);
    }

    fn finish(&mut self) {
        let last = self.end_of_line(Timestamp::now());
        self.voice.captured().push(last);
    }

    /// A part of a line whose end has not come yet.
    fn add(&mut self, part: &[u8]) {
        let room = OUTPUT_LINE_BYTES_MAX - self.line.len();
        let taken = part.get(..room.min(part.len())).unwrap_or_default();
        self.line.extend_from_slice(taken);
        self.cut += (part.len() - taken.len()) as u64;
    }

    fn end_of_line(&mut self, at: Timestamp) -> Option<Said> {
        let line = std::mem::take(&mut self.line);
        let said = self.line(&line, at);
        self.line = line;
        self.line.clear();
        said
    }

    /// A line that is complete, unless it is empty or a mark.
    fn line(&mut self, line: &[u8], at: Timestamp) -> Option<Said> {
        let cut = std::mem::take(&mut self.cut);
        if line.is_empty() && cut == 0 {
            return None;
        }
        if let Some(call) = call_of(line) {
            self.attempt = self.voice.attempt_of(call);
            return None;
        }
        let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
        let attempt = self.attempt.or_else(|| self.voice.attempt_of_unmarked());
        Some(self.voice.said(at, self.source, attempt, (text, cut)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::OUTPUT_LINES_MAX;
    use crate::output::Captured;
    use hardpoint_model::Secret;
    use hardpoint_model::job::JobId;
    use hardpoint_wire::{JobRef, Log, LogLevel};

    fn splitter() -> (Splitter, Captured) {
        let captured = Captured::default();
        (
            Splitter::new(LogSource::Stdout, Voice::new(captured.clone(), 1, crate::output::Mask::default())),
            captured,
        )
    }

    fn job_of(voice: &Voice, call: u64) -> JobId {
        let job_id = JobId::now();
        voice.begin(call, &JobRef { job_id: job_id.to_string(), stage: 0, attempt: 1 });
        job_id
    }

    fn told(captured: &Captured) -> Vec<(String, Option<JobId>)> {
        captured.tail(usize::MAX).iter().map(|line| (line.text.clone(), line.job_id)).collect()
    }

    #[test]
    fn a_flood_costs_no_more_than_the_ring_and_is_counted() {
        let (mut splitter, captured) = splitter();
        for _ in 0..5000 {
            splitter.push(b"a line of output\n");
        }
        assert_eq!(captured.tail(usize::MAX).len(), OUTPUT_LINES_MAX);
        assert_eq!(captured.lines_dropped(), 5000 - OUTPUT_LINES_MAX as u64);
    }

    #[test]
    fn a_line_that_is_cut_within_a_secret_does_not_tell_its_beginning() {
        let captured = Captured::default();
        let secrets = [("KEY".to_owned(), Secret::from("planted-value".to_owned()))];
        let mask = crate::output::Mask::of(&secrets.into());
        let mut splitter = Splitter::new(LogSource::Stdout, Voice::new(captured.clone(), 1, mask));
        let before = "x".repeat(OUTPUT_LINE_BYTES_MAX - 7);
        splitter.push(format!("{before}planted-value\n").as_bytes());
        let line = &captured.tail(1)[0].text;
        assert!(line.contains("x***") && !line.contains("plant"), "{line}");
    }

    #[test]
    fn a_line_without_end_is_cut_and_says_so() {
        let (mut splitter, captured) = splitter();
        for _ in 0..100 {
            splitter.push(&[0xff; 1000]);
        }
        splitter.finish();
        let cut = 100_000 - OUTPUT_LINE_BYTES_MAX as u64;
        assert_eq!(captured.bytes_cut(), cut);
        let line = &captured.tail(1)[0].text;
        assert!(line.starts_with('\u{fffd}') && line.ends_with(&format!("… [{cut} bytes cut]")), "{line}");
    }

    #[test]
    fn lines_belong_to_the_call_of_the_last_mark_wherever_chunks_end() {
        let text =
            b"before\n\n\x1ehardpoint call 17\nof the job\nwithout an end\n\x1ehardpoint call 0\nafter\n\
                     \n\x1ehardpoint call 18\nof the next\n\n\x1ehardpoint call 99\nof nobody\n";
        for size in [1, 2, 7, 64, text.len()] {
            let (mut splitter, captured) = splitter();
            splitter.voice.set_marks(true);
            let (first, second) = (job_of(&splitter.voice, 17), job_of(&splitter.voice, 18));
            text.chunks(size).for_each(|chunk| splitter.push(chunk));
            let expected = [
                ("before", None),
                ("of the job", Some(first)),
                ("without an end", Some(first)),
                ("after", None),
                ("of the next", Some(second)),
                ("of nobody", None),
            ];
            assert_eq!(told(&captured), expected.map(|(text, job)| (text.to_owned(), job)), "{size}");
        }
    }

    #[test]
    fn a_mark_after_a_line_that_is_too_long_still_counts() {
        let (mut splitter, captured) = splitter();
        let job = job_of(&splitter.voice, 17);
        splitter.push(&[b'x'; 2 * OUTPUT_LINE_BYTES_MAX]);
        splitter.push(b"\n\x1ehardpoint call 17\nof the job\n");
        assert_eq!(told(&captured).last(), Some(&("of the job".to_owned(), Some(job))));
    }

    #[test]
    fn without_marks_a_line_belongs_to_the_job_whose_call_is_the_only_one() {
        let (mut splitter, captured) = splitter();
        let voice = splitter.voice.clone();
        let job = job_of(&voice, 17);
        for (only, text) in [(None, "nobody"), (Some(17), "the job"), (Some(18), "a plain call")] {
            voice.set_only(only);
            splitter.push(format!("{text}\n").as_bytes());
        }
        voice.set_only(Some(17));
        voice.set_marks(true);
        splitter.push(b"not marked\n");
        let expected =
            [("nobody", None), ("the job", Some(job)), ("a plain call", None), ("not marked", None)];
        assert_eq!(told(&captured), expected.map(|(text, job)| (text.to_owned(), job)));
    }

    #[test]
    fn a_message_of_the_log_belongs_to_the_job_of_its_call_and_tells_what_was_dropped_before() {
        let (splitter, captured) = splitter();
        let voice = splitter.voice;
        voice.set_marks(true);
        let job = job_of(&voice, 17);
        let message = |id, dropped| Log {
            id,
            level: LogLevel::Info,
            logger: "a.b".to_owned(),
            message: "hello".to_owned(),
            dropped,
        };
        voice.log(&message(Some(17), 3));
        voice.log(&message(Some(18), 0));
        voice.log(&message(None, 0));
        let jobs: Vec<_> = told(&captured).into_iter().map(|(_, job)| job).collect();
        assert_eq!(jobs, [Some(job), Some(job), None, None]);
        let lines = captured.tail(usize::MAX);
        assert!(lines[0].text.starts_with("3 messages were dropped"), "{:?}", lines[0]);
        assert_eq!((lines[1].logger.as_deref(), lines[1].attempt), (Some("a.b"), Some(1)));
    }
}
