//! Opening the file: pragmas, migrations, the version of SQLite.
//!
//! Owns the promise that every database of a released schema opens. Must not know what the tables are for.

use crate::error::StoreError;
use crate::limits::{BUSY_TIMEOUT, SQLITE_VERSION_MIN, VALUE_BYTES_MAX};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::path::Path;

const STEPS: &[M<'_>] = &[
    M::up(include_str!("../migrations/001-jobs.sql")),
    M::up(include_str!("../migrations/002-payloads.sql")),
];
/// One for each schema that was ever released, oldest first.
const MIGRATIONS: Migrations<'_> = Migrations::from_slice(STEPS);

/// The one connection that writes.
pub(crate) fn writable(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::UnsafeSqlite(rusqlite::version().to_owned()));
    }
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    // WAL: readers never wait. FULL: what was acknowledged survives the loss of power.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if usize::try_from(version).unwrap_or(usize::MAX) > STEPS.len() {
        return Err(StoreError::TooNew(path.to_owned()));
    }
    MIGRATIONS.to_latest(&mut connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::from(err),
        other => StoreError::Other(other.to_string()),
    })?;
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn readable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_fit_each_other() {
        MIGRATIONS.validate().unwrap();
    }
}
