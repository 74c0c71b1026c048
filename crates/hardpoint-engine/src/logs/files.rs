//! The files of logs: a folder for each instance, in it numbered files of one line of JSON per line.
//!
//! Owns their names, their sizes and what becomes of a write that fails. Must not know who writes or reads when.

use super::filter::number_of;
use super::limits::{END_BYTES, INSTANCES_MAX, WRITE_BYTES};
use hardpoint_model::log::LogLine;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Longest name of a folder; the kernel takes 255 bytes.
const NAME_BYTES_MAX: usize = 160;
const ENDING: &str = ".ndjson";

/// The folder of one instance. Its name says whose it is, whatever characters that has.
pub(super) fn folder(root: &Path, instance: &str) -> PathBuf {
    let mut name = String::new();
    for (place, byte) in instance.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@') || (byte == b'.' && place > 0) {
            name.push(byte.into());
        } else {
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.len() > NAME_BYTES_MAX {
        name.truncate(NAME_BYTES_MAX - 17);
        let hash = Sha256::digest(instance.as_bytes());
        name.push('-');
        for byte in hash.iter().take(8) {
            let _ = write!(name, "{byte:02x}");
        }
    }
    root.join(name)
}

/// The numbers of the files in a folder, the oldest first.
fn numbers(folder: &Path) -> Vec<u64> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> =
        found.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(ENDING)?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}{ENDING}"))
}

/// The files of a folder, the oldest first. One that is deleted meanwhile is left out: it was the oldest.
pub(super) fn open(folder: &Path) -> Vec<File> {
    numbers(folder).into_iter().filter_map(|number| File::open(path(folder, number)).ok()).collect()
}

/// The highest number of a line in all folders; 0 when there is none.
pub(super) fn last_number(root: &Path) -> u64 {
    let folders = fs::read_dir(root).into_iter().flatten().flatten();
    folders.map(|entry| last_number_in(&entry.path())).max().unwrap_or(0)
}

fn last_number_in(folder: &Path) -> u64 {
    let mut newest_first = open(folder).into_iter().rev();
    newest_first.find_map(|file| last_number_of(file).ok().flatten()).unwrap_or(0)
}

fn last_number_of(mut file: File) -> io::Result<Option<u64>> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(END_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(end.split(|&byte| byte == b'\n').rev().find_map(number_of))
}

/// Removes the folders of instances that have been silent longest, when there are too many.
pub(super) fn forget(root: &Path) {
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut by_age: Vec<(SystemTime, PathBuf)> = folders.map(|path| (last_change(&path), path)).collect();
    by_age.sort_unstable();
    let surplus = by_age.len().saturating_sub(INSTANCES_MAX);
    for (_, path) in by_age.into_iter().take(surplus) {
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::debug!("{} cannot be removed: {error}", path.display());
        }
    }
}

fn last_change(folder: &Path) -> SystemTime {
    let newest = open(folder).pop().and_then(|file| file.metadata().ok()?.modified().ok());
    newest.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Appends lines. One per host.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    file_bytes: u64,
    count: u64,
    /// Those of each instance that has been written to.
    newest: HashMap<String, Newest>,
    buffer: Vec<u8>,
}

/// The file of an instance that is written to.
#[derive(Debug)]
struct Newest {
    folder: PathBuf,
    number: u64,
    /// Whether it may end in the middle of a line.
    torn: bool,
}

/// One file while lines are appended to it.
struct Open {
    file: File,
    len: u64,
}

impl Files {
    pub(super) fn new(root: &Path, file_bytes: u64, files: u32) -> Self {
        let (root, count) = (root.to_owned(), u64::from(files.max(1)));
        Self { root, file_bytes, count, newest: HashMap::new(), buffer: Vec::new() }
    }

    /// Appends lines in their order. When it fails, the second value says why, and the first the number of the
    /// last line that is there, 0 for none.
    pub(super) fn append(&mut self, instance: &str, lines: &[Arc<LogLine>]) -> (u64, Option<io::Error>) {
        let mut last = 0;
        let error = self.try_append(instance, lines, &mut last).err();
        (last, error)
    }

    fn try_append(&mut self, instance: &str, lines: &[Arc<LogLine>], last: &mut u64) -> io::Result<()> {
        let Self { root, file_bytes, count, newest, buffer } = self;
        if newest.len() >= INSTANCES_MAX && !newest.contains_key(instance) {
            // Those that are gone are among them; each of the others finds its file again.
            newest.clear();
            forget(root);
        }
        let newest = newest.entry(instance.to_owned()).or_insert_with(|| Newest::of(folder(root, instance)));
        let mut open = newest.open()?;
        buffer.clear();
        let mut buffered = 0;
        for line in lines {
            let before = buffer.len();
            serde_json::to_writer(&mut *buffer, &**line)?;
            buffer.push(b'\n');
            let total = open.len + buffer.len() as u64;
            if total > *file_bytes && open.len + before as u64 > 0 {
                let rest = buffer.split_off(before);
                newest.append(&mut open, buffer)?;
                *last = (*last).max(buffered);
                open = newest.next(*count)?;
                *buffer = rest;
            } else if before > WRITE_BYTES {
                newest.append(&mut open, buffer)?;
                *last = line.number;
                buffer.clear();
            }
            buffered = line.number;
        }
        newest.append(&mut open, buffer)?;
        *last = (*last).max(buffered);
        Ok(())
    }
}

impl Newest {
    fn of(folder: PathBuf) -> Self {
        let number = numbers(&folder).last().copied().unwrap_or(1);
        Self { folder, number, torn: true }
    }

    /// Anew for each batch: somebody may have removed it, or its folder.
    fn open(&mut self) -> io::Result<Open> {
        let file = match self.try_open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // What is said by plugins is for this user alone.
                DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
                self.try_open()?
            }
            file => file?,
        };
        let len = file.metadata()?.len();
        let mut open = Open { file, len };
        if self.torn {
            let mut end = [b'\n'];
            if let Some(last) = len.checked_sub(1) {
                open.file.read_exact_at(&mut end, last)?;
            }
            if end != [b'\n'] {
                self.append(&mut open, b"\n")?;
            }
            self.torn = false;
        }
        Ok(open)
    }

    fn try_open(&self) -> io::Result<File> {
        let path = path(&self.folder, self.number);
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
    }

    /// The next file; the oldest goes when there are too many.
    fn next(&mut self, count: u64) -> io::Result<Open> {
        self.number += 1;
        self.torn = false;
        let oldest = (self.number + 1).saturating_sub(count);
        for number in numbers(&self.folder).into_iter().filter(|number| *number < oldest) {
            match fs::remove_file(path(&self.folder, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.open()
    }

    /// All of it or, as far as the disk lets us, nothing.
    fn append(&mut self, open: &mut Open, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = open.file.write_all(bytes) {
            self.torn = open.file.set_len(open.len).is_err();
            return Err(error);
        }
        open.len += bytes.len() as u64;
        Ok(())
    }
}
