//! Opening the file: pragmas, migrations, the version of SQLite.
//!
//! Owns the promise that every database of a released schema opens. Must not know what the tables are for.

use crate::error::StoreError;
use crate::limits::{BUSY_TIMEOUT, SQLITE_VERSION_MIN, VALUE_BYTES_MAX};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const STEPS: &[M<'_>] = &[
    M::up(include_str!("../migrations/001-jobs.sql")),
    M::up(include_str!("../migrations/002-pipelines.sql")),
    M::up(include_str!("../migrations/003-usage.sql")),
];
/// One for each schema that was ever released, oldest first.
const MIGRATIONS: Migrations<'_> = Migrations::from_slice(STEPS);

/// The one connection that writes.
pub(crate) fn writable(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::UnsafeSqlite(rusqlite::version().to_owned()));
    }
    let mut connection = Connection::open(of_the_owner_alone(path))?;
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

/// A file that is not there yet is made so that nobody else reads what jobs are given and bring; SQLite makes those beside
/// it alike. Whatever goes wrong here goes wrong again when it is opened, and is told then.
fn of_the_owner_alone(path: &Path) -> &Path {
    let _ = File::options().append(true).create(true).mode(0o600).open(path);
    path
}

/// A connection that only reads.
pub(crate) fn readable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// A connection for one look at a file that is in use, or is not; and the number of its schema. Nothing in it is
/// changed. It is opened for writing where that can be done, because only then SQLite takes the files beside it away
/// again when nobody else needs them.
pub(crate) fn inspectable(path: &Path) -> Result<(Connection, u32), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = look(Connection::open_with_flags(path, flags)?);
    match looked {
        // Where nothing can be written nobody writes, either, unless what somebody wrote still lies beside it.
        Err(StoreError::ReadOnly(_)) if !log_of(path).exists() => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_URI
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            look(Connection::open_with_flags(immutable(path), flags)?)
        }
        looked => looked,
    }
    .map_err(|error| error.at(path))
}

fn look(connection: Connection) -> Result<(Connection, u32), StoreError> {
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Only this shows that the tables can be read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    if usize::try_from(version).unwrap_or(usize::MAX) > STEPS.len() {
        return Err(StoreError::TooNew(connection.path().unwrap_or_default().into()));
    }
    Ok((connection, version))
}

/// The write-ahead log of a database.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    name.push("-wal");
    name.into()
}

/// The name by which SQLite opens a file that nobody changes, without a file beside it.
fn immutable(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let name = bytes.iter().fold(String::new(), |mut name, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            name.push(char::from(*byte));
        } else {
            let _ = write!(name, "%{byte:02x}");
        }
        name
    });
    format!("file:{name}?immutable=1")
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

    /// The tables of a database, as they were written down.
    fn schema(connection: &Connection) -> Vec<String> {
        let mut find =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        find.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_migration_has_its_frozen_database_and_is_never_changed_afterwards() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frozen");
        for version in 1..=STEPS.len() {
            let file = folder.join(format!("v{version}.db"));
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            assert!(file.exists(), "{} is missing: tests/frozen.rs says how it is made", file.display());
            let frozen = Connection::open_with_flags(immutable(&file), flags).unwrap();
            let mut made = Connection::open_in_memory().unwrap();
            MIGRATIONS.to_version(&mut made, version).unwrap();
            assert_eq!(schema(&made), schema(&frozen), "migration {version} is not what it was");
        }
        let count = std::fs::read_dir(folder.join("../../migrations")).unwrap().count();
        assert_eq!(count, STEPS.len(), "a file in migrations/ is not used");
    }

    #[test]
    fn a_name_that_means_something_to_sqlite_is_opened_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("what?x=1#y %41 ä.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE here (a)").unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let found = Connection::open_with_flags(immutable(&path), flags).unwrap();
        assert_eq!(schema(&found), ["CREATE TABLE here (a)"]);
    }
}
