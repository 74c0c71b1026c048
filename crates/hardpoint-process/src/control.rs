//! What host and shim say on the control socket: one JSON object per line.
//!
//! Both ends are the same binary, so this has no versions. Must not know who acts on a line.

use crate::limits::CONTROL_LINE_BYTES_MAX;
use crate::memory::Group;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// What the host says. The descriptor for the program's fd 3 comes with the `launch` line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostLine {
    Launch(Box<Launch>),
    Signal(Signal),
}

/// What is to be started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    /// Whether a descriptor for fd 3 comes with this line.
    pub(crate) socket: bool,
    /// The control group to make for the tree.
    pub(crate) group: Option<Group>,
    /// The folder to make for the tree's temporary files; it ends with the tree.
    pub(crate) scratch: PathBuf,
}

/// A signal for the whole tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM: may be handled or ignored.
    Terminate,
    /// SIGKILL: until nothing is left.
    Kill,
}

/// What the shim says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShimLine {
    /// The program runs; `limited` when its control group could be made.
    Started { pid: u32, limited: bool },
    /// The program could not be started.
    Failed { error: String },
    /// The program ended; what it left behind is being killed.
    Exited(Status),
    /// No process of the tree is left.
    Gone { descendants_killed: u32 },
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Collects bytes and gives out lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes.len() + bytes.len() > CONTROL_LINE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line on the control socket is too long",
            ));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn next<T: for<'a> Deserialize<'a>>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = memchr(self.bytes.as_slice()) else { return Ok(None) };
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

/// The line of a message, with its end.
pub(crate) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    if bytes.len() > CONTROL_LINE_BYTES_MAX {
        let limit = CONTROL_LINE_BYTES_MAX >> 10;
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("arguments and environment are longer than {limit} KB"),
        ));
    }
    Ok(bytes)
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}
