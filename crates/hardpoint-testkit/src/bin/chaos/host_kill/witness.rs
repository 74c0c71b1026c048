//! What the plugins themselves wrote down about the tries that they made.
//!
//! Owns reading the files of `tests/plugins/witness`. Must not know the database.

use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A try: of which stage, and the how many-th.
pub(super) type Try = (u32, u32);

/// The tries of one job, as its plugins saw them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Every beginning, in order.
    pub(super) begun: Vec<Try>,
    /// The tries that ended well.
    pub(super) well: BTreeSet<Try>,
    /// Tries that began while another one was alive.
    pub(super) overlaps: Vec<String>,
}

/// By the id of the job.
pub(super) type Record = BTreeMap<String, Seen>;

pub(super) fn read(folder: &Path) -> Result<Record> {
    let mut record = Record::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let job = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let seen =
            Seen::of(&text).with_context(|| format!("the record of job {job} cannot be read: {text:?}"))?;
        record.insert(job, seen);
    }
    Ok(record)
}

impl Seen {
    /// `None`: a line that no plugin writes.
    fn of(text: &str) -> Option<Self> {
        let mut seen = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (what, name) = (words.next()?, words.next()?);
            let (stage, number) = name.split_once('.')?;
            let tried = (stage.parse().ok()?, number.parse().ok()?);
            match (what, words.next()?) {
                ("begin", _process) => seen.begun.push(tried),
                ("end", "ok") => drop(seen.well.insert(tried)),
                ("end", _) => {}
                ("overlap", other) => {
                    seen.overlaps.push(format!("try {name} began while try {other} was alive"));
                }
                _ => return None,
            }
        }
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_began_what_ended_well_and_what_overlapped() {
        let text = "begin 0.1 77 1234\noverlap 0.2 0.1\nbegin 0.2 78 1300\nend 0.2 ok\nend 0.1 failed\n";
        let seen = Seen::of(text).unwrap();
        assert_eq!((seen.begun, seen.well), (vec![(0, 1), (0, 2)], BTreeSet::from([(0, 2)])));
        assert_eq!(seen.overlaps, ["try 0.2 began while try 0.1 was alive"]);
        assert_eq!(Seen::of("begun 0.1 1"), None);
    }
}
