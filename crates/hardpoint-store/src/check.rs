//! Looking after the file: is it sound, and a copy of it while it is in use.
//!
//! Owns `hardpoint db check|backup`. Must not change anything that is in it.

use crate::Store;
use crate::audit;
use crate::counts;
use crate::error::StoreError;
use crate::open::inspectable;
use crate::prune;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

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

impl Store {
    /// Looks at a file that may be in use. Waits for the disk: not for a runtime's threads.
    pub fn check(path: &Path) -> Result<Report, StoreError> {
        let (mut connection, _) = inspectable(path)?;
        // One picture of the file, whatever is written meanwhile.
        let connection = connection.transaction()?;
        let mut report = Report { damage: damage(&connection)?, faults: Vec::new(), jobs: 0, last_event: 0 };
        // What is in a damaged file is worth a look, but not an error more.
        match faults(&connection, &mut report) {
            Err(StoreError::Corrupt(why)) if report.damage.is_empty() => report.damage.push(why),
            Err(StoreError::Corrupt(_)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        Ok(report)
    }

    /// A whole copy as of now, while the file is in use. It appears when it is complete, and never in the place of
    /// another file. Waits for the disk: not for a runtime's threads.
    pub fn backup(path: &Path, to: &Path) -> Result<(), BackupError> {
        let (from, _) = inspectable(path)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = NamedTempFile::new_in(folder).map_err(|e| BackupError::of(to, &e))?;
        copy(&from, beside.path()).map_err(|error| match error {
            StoreError::Full => BackupError::of(to, &io::ErrorKind::StorageFull.into()),
            error => BackupError::Store(error),
        })?;
        beside.as_file().sync_all().map_err(|e| BackupError::of(to, &e))?;
        beside.persist_noclobber(to).map_err(|e| BackupError::of(to, &e.error))?;
        Ok(())
    }
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database cannot be read.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// There is a file of that name.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// It cannot be written.
    #[error("{} cannot be written ({why})", to.display())]
    Target {
        /// The copy.
        to: PathBuf,
        /// Why.
        why: String,
    },
}

impl BackupError {
    fn of(to: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Taken(to.to_owned()),
            _ => Self::Target { to: to.to_owned(), why: reason(error) },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Taken(_) => "name a file that is not: a backup is never overwritten",
            Self::Target { .. } => "name a file in a folder that is there, can be written to, and has room",
        }
    }
}

/// Without the name of the file that the copy would have had until it was complete.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" at path ").next().unwrap_or_default().to_owned()
}

/// All of it in one step: between two, a server that is busy would change the file, and the copy begin anew.
fn copy(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut to = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Nobody sees it before it is complete, and then it is synced as a whole.
    to.pragma_update(None, "journal_mode", "off")?;
    to.pragma_update(None, "synchronous", "off")?;
    match Backup::new(from, &mut to)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(StoreError::Locked),
    }
    // A copy that cannot be trusted is worse than none.
    match damage(&to)?.into_iter().next() {
        Some(found) => Err(StoreError::Corrupt(found)),
        None => Ok(()),
    }
}

const LOOKS: [&str; 2] = [
    "PRAGMA integrity_check(20)",
    "SELECT 'a row of ' || \"table\" || ' belongs to none of ' || parent FROM pragma_foreign_key_check",
];

/// What SQLite finds wrong with the file.
fn damage(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let read = || -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        for sql in LOOKS {
            let mut look = connection.prepare(sql)?;
            let found = look.query_map([], |row| row.get(0))?;
            lines.extend(found.collect::<Result<Vec<String>, _>>()?);
        }
        Ok(lines)
    };
    match read() {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
        Err(StoreError::Corrupt(why)) => Ok(vec![why]),
        Err(error) => Err(error),
    }
}

fn faults(connection: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let number = |sql: &str| -> Result<u64, StoreError> {
        let number: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    report.faults = audit::faults(connection)?;
    report.faults.extend(counts::faults(connection)?);
    report.jobs = number("SELECT count(*) FROM jobs")?;
    report.last_event = u64::try_from(prune::last(connection)?).unwrap_or(0);
    Ok(())
}
