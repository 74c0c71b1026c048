//! Writing to stdout and stderr.
//!
//! Owns what happens when nobody can read: a closed pipe (`| head -1`) ends quietly, a full disk is an
//! error of stdout and nothing to speak of on stderr. Nothing here panics.

use crate::embedded::Failure;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

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

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::host("the result could not be written to stdout", &e))
        }
        _ => Ok(()),
    }
}
