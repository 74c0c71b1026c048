//! Why something could not be kept or read.
//!
//! Owns the translation of SQLite's codes into what a person can act on.

use rusqlite::{ErrorCode, ffi};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The store could not do it. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room for another page.
    #[error("the disk is full: the database cannot grow")]
    Full,
    /// The file or its folder may not be written to.
    #[error("the database cannot be written to ({0})")]
    ReadOnly(String),
    /// Another process holds it.
    #[error("the database is in use by another process")]
    Locked,
    /// The file is damaged, or no database.
    #[error("the database is damaged ({0})")]
    Corrupt(String),
    /// A newer version of the program wrote it.
    #[error("the database {0} was written by a newer version of Hardpoint")]
    TooNew(PathBuf),
    /// The disk did not do what it was asked, and it is not known why.
    #[error("the disk that the database is on failed ({0})")]
    Disk(String),
    /// This build has a SQLite that may damage databases.
    #[error("SQLite {0} may damage databases: 3.51.3 or newer is needed")]
    UnsafeSqlite(String),
    /// More commits wait than may.
    #[error("too many changes wait for the disk")]
    Busy,
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
    /// What is asked for does not fit what there is.
    #[error("{0}")]
    Conflict(String),
    /// Anything else.
    #[error("the database failed ({0})")]
    Other(String),
}

impl StoreError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full => "free some space in the data folder's file system",
            Self::ReadOnly(_) => {
                "make the data folder writable for this user, or name another with `--data-dir DIR`"
            }
            Self::Locked => {
                "end the program that has it locked, or name another folder with `--data-dir DIR`"
            }
            Self::Disk(_) => "look at that disk, its quota and the system's log",
            Self::Corrupt(_) => "look at it with `hardpoint db check`; restore a backup if it cannot be read",
            Self::TooNew(_) => "use the newer version, or another folder with `--data-dir DIR`",
            Self::UnsafeSqlite(_) => "build Hardpoint with its own SQLite",
            Self::Busy => "try again in a moment",
            Self::Closed => "start the server again",
            Self::Conflict(_) | Self::Other(_) => "the log says more",
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // The index of the write-ahead log is the one file that grows otherwise than by a write.
            Some(ErrorCode::SystemIoFailure) if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(ErrorCode::SystemIoFailure) => Self::Disk(text),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly(text)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            // What is too long for a value would be tomorrow, too.
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig) => Self::Conflict(text),
            _ => Self::Other(text),
        }
    }
}

impl StoreError {
    /// The same, with what can be learned from the file at `path`: SQLite does not say why a write failed.
    pub(crate) fn at(self, path: &Path) -> Self {
        let Self::Disk(text) = self else { return self };
        match File::options().append(true).open(path) {
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                ) =>
            {
                Self::ReadOnly(e.to_string())
            }
            Ok(_) | Err(_) => Self::Disk(text),
        }
    }
}
