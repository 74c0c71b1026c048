//! What can be seen of a file from outside: its kind, its length, its first and last bytes.
//!
//! Owns the reading. Blocks, possibly for ever: callers set the limit. Must not judge.

use super::format::Format;
use crate::probe::limits::{HEAD_BYTES, SAFETENSORS_HEADER_BYTES_MAX, TAIL_BYTES};
use rustix::fs::OFlags;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    /// There is nothing of that name.
    Absent,
    /// There is a link, but nothing at its end.
    Dangling(PathBuf),
    /// There is something that is no file: `a folder`.
    NotAFile(&'static str),
    /// It cannot be opened or read.
    Unreadable(String),
    /// It is a file.
    File(Seen),
}

/// A file that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) bytes: u64,
    /// The first bytes: all of them, or [`HEAD_BYTES`], or the header where it is longer.
    pub(super) head: Vec<u8>,
    /// The last bytes, of formats that have something there.
    pub(super) tail: Vec<u8>,
    /// Which content it is, as far as the file system knows.
    pub(super) identity: Identity,
}

/// Changes when the content changes: device, inode, length, times of the last changes.
pub(super) type Identity = (u64, u64, u64, (i64, i64), (i64, i64));

impl Facts {
    /// Looks at `path`.
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
                Ok(target) => Self::Dangling(target),
                Err(_) => Self::Absent,
            },
            // A part of the path that is a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Self::Absent,
            Err(error) => Self::Unreadable(error.to_string()),
            Ok(data) => match not_a_file(&data) {
                Some(kind) => Self::NotAFile(kind),
                None => read(path).map_or_else(|error| Self::Unreadable(error.to_string()), Self::File),
            },
        }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        match self {
            Self::File(seen) => Some(seen.identity),
            Self::Absent | Self::Dangling(_) | Self::NotAFile(_) | Self::Unreadable(_) => None,
        }
    }
}

fn not_a_file(data: &Metadata) -> Option<&'static str> {
    let kind = data.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Opens without waiting: what was a file just now may be a pipe by now, and would wait for a writer.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let data = file.metadata()?;
    if data.is_file() { Ok((file, data)) } else { Err(io::Error::other("it changes while it is read")) }
}

pub(super) fn identity(data: &Metadata) -> Identity {
    let modified = (data.mtime(), data.mtime_nsec());
    (data.dev(), data.ino(), data.len(), modified, (data.ctime(), data.ctime_nsec()))
}

fn read(path: &Path) -> io::Result<Seen> {
    let (mut file, data) = open(path)?;
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let format = Format::of(path);
    if format == Some(Format::Safetensors) {
        // Its header says where the last tensor ends; everything of it are first bytes.
        let header = head.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let wanted = header.min(SAFETENSORS_HEADER_BYTES_MAX) + 8;
        (&mut file).take(wanted.saturating_sub(head.len() as u64)).read_to_end(&mut head)?;
    }
    let mut tail = Vec::new();
    if format == Some(Format::Torch) && head.starts_with(b"PK") {
        file.seek(SeekFrom::Start(data.len().saturating_sub(TAIL_BYTES as u64)))?;
        (&mut file).take(TAIL_BYTES as u64).read_to_end(&mut tail)?;
    }
    Ok(Seen { bytes: data.len(), head, tail, identity: identity(&data) })
}
