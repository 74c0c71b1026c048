//! Reading lines from disk: forwards page by page, or the last ones that fit.
//!
//! Owns the place in the files. Everything here may wait for the disk, so it runs beside the threads that answer.
//! A line that cannot be read (torn by the death of a host, or damaged) is passed over.

use super::files;
use super::filter::{Sieve, number_of};
use super::limits::{LAST_BYTES_MAX, PAGE_BYTES, PAGE_LINES};
use hardpoint_model::log::LogLine;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

/// What one read takes: a page holds some hundred lines of it.
const BUFFER_BYTES: usize = 128 << 10;

/// A walk through the files of one instance, from the oldest line to the newest.
#[derive(Debug)]
pub(super) struct Scan {
    files: VecDeque<File>,
    reader: Option<BufReader<File>>,
    /// Lines up to this number were seen.
    seen: u64,
    /// Lines above this number are not looked at.
    until: u64,
    buffer: Vec<u8>,
}

/// Some lines of a walk.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) lines: Vec<Arc<LogLine>>,
    /// Whether there are no more.
    pub(super) ended: bool,
}

impl Scan {
    /// The lines after `seen`, up to `until`.
    pub(super) fn open(folder: &Path, seen: u64, until: u64) -> Self {
        let mut files: VecDeque<File> = files::open(folder).into();
        // A file is over when the next one begins with what was seen, or right after it.
        while files.get(1).is_some_and(|next| first_number(next).is_some_and(|first| first <= seen + 1)) {
            files.pop_front();
        }
        Self { files, reader: None, seen, until, buffer: Vec::new() }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn until(&self) -> u64 {
        self.until
    }

    /// The next lines that are wanted; also a page without any may be followed by others.
    pub(super) fn page(&mut self, sieve: &Sieve) -> Page {
        let mut page = Page::default();
        let mut looked_at = 0;
        while page.lines.len() < PAGE_LINES && looked_at < PAGE_BYTES {
            let Some(reader) = &mut self.reader else {
                match self.files.pop_front() {
                    Some(file) => self.reader = Some(BufReader::with_capacity(BUFFER_BYTES, file)),
                    None => {
                        page.ended = true;
                        break;
                    }
                }
                continue;
            };
            match next_line(reader, &mut self.buffer) {
                Ok(true) => {}
                Ok(false) => {
                    self.reader = None;
                    continue;
                }
                Err(error) => {
                    tracing::debug!("a log cannot be read: {error}");
                    self.reader = None;
                    continue;
                }
            }
            looked_at += self.buffer.len();
            let Some(number) = number_of(&self.buffer) else { continue };
            if number > self.until {
                page.ended = true;
                break;
            }
            if number > self.seen {
                self.seen = number;
                page.lines.extend(sieve.sift(&self.buffer).map(Arc::new));
            }
        }
        page
    }
}

/// The last `count` lines that are wanted, up to the number `until`, oldest first.
pub(super) fn last(folder: &Path, sieve: &Sieve, count: usize, until: u64) -> VecDeque<Arc<LogLine>> {
    let mut found = VecDeque::new();
    let mut bytes = 0;
    for file in files::open(folder).into_iter().rev() {
        let wanted = count.saturating_sub(found.len());
        if wanted == 0 || bytes >= LAST_BYTES_MAX {
            break;
        }
        let mut of_file = match last_of(file, sieve, wanted, until) {
            Ok(of_file) => of_file,
            Err(error) => {
                tracing::debug!("a log cannot be read: {error}");
                continue;
            }
        };
        bytes += of_file.iter().map(|line| line.text.len()).sum::<usize>();
        of_file.append(&mut found);
        found = of_file;
    }
    shorten(&mut found, count);
    found
}

/// Lets the oldest go until there are not more than so many, nor more than may be held at once.
pub(super) fn shorten(lines: &mut VecDeque<Arc<LogLine>>, count: usize) {
    let mut bytes: usize = lines.iter().map(|line| line.text.len()).sum();
    while lines.len() > count || (bytes > LAST_BYTES_MAX && lines.len() > 1) {
        let Some(old) = lines.pop_front() else { return };
        bytes -= old.text.len();
    }
}

fn last_of(file: File, sieve: &Sieve, count: usize, until: u64) -> io::Result<VecDeque<Arc<LogLine>>> {
    // As they lie there, as long as all are wanted: only those that stay are parsed.
    let all = sieve.wants_all();
    let mut raw: VecDeque<Vec<u8>> = VecDeque::new();
    let mut found = VecDeque::new();
    let (mut reader, mut buffer) = (BufReader::with_capacity(BUFFER_BYTES, file), Vec::new());
    let mut bytes = 0;
    while next_line(&mut reader, &mut buffer)? {
        if number_of(&buffer).is_none_or(|number| number > until) {
            continue;
        }
        if all {
            let mut old = if raw.len() >= count { raw.pop_front().unwrap_or_default() } else { Vec::new() };
            std::mem::swap(&mut old, &mut buffer);
            raw.push_back(old);
        } else if let Some(line) = sieve.sift(&buffer) {
            bytes += line.text.len();
            found.push_back(Arc::new(line));
            if found.len() > count || bytes > LAST_BYTES_MAX {
                bytes -= found.pop_front().map_or(0, |line| line.text.len());
            }
        }
    }
    found.extend(raw.iter().filter_map(|raw| sieve.sift(raw)).map(Arc::new));
    Ok(found)
}

/// Whether there is another line; it is in the buffer then, without its end. One that is just being written, or
/// was when its host died, is none yet.
fn next_line(reader: &mut BufReader<File>, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    reader.read_until(b'\n', buffer)?;
    Ok(buffer.pop() == Some(b'\n'))
}

fn first_number(file: &File) -> Option<u64> {
    let mut start = [0; 64];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut start, 0).ok()?;
    number_of(start.get(..read)?)
}
