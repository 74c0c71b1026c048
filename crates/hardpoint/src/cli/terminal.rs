//! Writing to stdout and stderr.
//!
//! Owns what happens when nobody can read: a closed pipe (`| head -1`) ends quietly, a full disk is an
//! error of stdout and nothing to speak of on stderr. Nothing here panics.

use crate::embedded::Failure;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufRead as _, BufWriter, ErrorKind, Read as _, Write};

/// A line of a result, with colours where they are wanted.
pub(super) fn print(line: impl Display) -> Result<(), Failure> {
    written(writeln!(anstream::stdout(), "{line}"))
}

/// A text as it is, for pages that are drawn over each other.
pub(super) fn print_raw(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A JSON document, indented, streamed as it is written.
pub(super) fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let write = serde_json::to_writer_pretty(&mut out, document).map_err(io::Error::from);
    written(write.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// A line for the person at the terminal.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A prompt whose answer is not shown while it is typed, until this is dropped.
pub(super) struct Hidden {
    before: Termios,
}

impl Hidden {
    /// Writes the prompt and lets the terminal show nothing of what follows.
    pub(super) fn begin(prompt: &str) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure::host("the terminal cannot hide what is typed", &e);
        let before = tcgetattr(io::stdin()).map_err(|e| failed(e.into()))?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).map_err(|e| failed(e.into()))?;
        let _ = write!(anstream::stderr(), "{prompt}");
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
        // The end of the line was not shown either.
        say("");
    }
}

/// One line from the terminal, with its end, and `max` bytes at most.
pub(super) fn line(max: usize) -> Result<String, Failure> {
    let mut line = String::with_capacity(max);
    let read = io::stdin().lock().take(max as u64).read_line(&mut line);
    read.map_err(|e| Failure::host("the terminal cannot be read", &e))?;
    Ok(line)
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::host("the result could not be written to stdout", &e))
        }
        _ => Ok(()),
    }
}
