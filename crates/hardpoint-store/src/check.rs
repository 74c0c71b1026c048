//! Looking after the file: is it sound, and a copy of it while it is in use.
//!
//! Owns `hardpoint db check|backup`. Must not change anything.

use crate::Store;
use crate::audit;
use crate::error::StoreError;
use crate::open::readable;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What SQLite finds wrong with the file.
    pub damage: Vec<String>,
    /// What is wrong with what is in it.
    pub faults: Vec<String>,
    /// How many jobs there are.
    pub jobs: u64,
    /// The number of the last event.
    pub last_event: u64,
}

impl Report {
    /// Whether all is well.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.faults.is_empty()
    }
}

/// Pages copied between two looks at the writer.
const PAGES_AT_ONCE: i32 = 256;

impl Store {
    /// Looks at a file that may be in use. Waits for the disk: not for a runtime's threads.
    pub fn check(path: &Path) -> Result<Report, StoreError> {
        let mut connection = readable(path)?;
        // One picture of the file, whatever is written meanwhile.
        let connection = connection.transaction()?;
        let mut damage = Vec::new();
        for sql in [
            "PRAGMA integrity_check(20)",
            "SELECT 'a row of ' || \"table\" || ' belongs to none of ' || parent FROM pragma_foreign_key_check",
        ] {
            let mut look = connection.prepare(sql)?;
            let lines = look.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            damage.extend(lines.into_iter().filter(|line| line != "ok"));
        }
        let number = |sql: &str| {
            let number: Result<i64, _> = connection.query_row(sql, [], |row| row.get(0));
            number.map(|number| u64::try_from(number).unwrap_or(0))
        };
        // What a damaged file says is no story.
        let faults = if damage.is_empty() { audit::faults(&connection)? } else { Vec::new() };
        Ok(Report {
            damage,
            faults,
            jobs: number("SELECT count(*) FROM jobs")?,
            last_event: number("SELECT coalesce(max(number), 0) FROM events")?,
        })
    }

    /// A copy as of now, while the file is in use. Waits for the disk: not for a runtime's threads.
    pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
        let from = readable(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut to = Connection::open_with_flags(to, flags)?;
        Backup::new(&from, &mut to)?.run_to_completion(PAGES_AT_ONCE, Duration::ZERO, None)?;
        Ok(())
    }
}
