//! Binary data that values refer to: small ones in the database, the names of files that hold large ones.
//!
//! Owns the table `blobs`. Must not know where files lie.

use crate::Store;
use crate::error::StoreError;
use hardpoint_model::job::JobId;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// In the place of a stage: what the job was given.
pub(crate) const GIVEN: i64 = -1;

/// Binary data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBlob {
    /// In the database.
    Inline(Vec<u8>),
    /// In a file of this name and length.
    File {
        /// Its name, without a folder.
        name: String,
        /// Its length.
        length: u64,
    },
}

pub(crate) fn write(
    connection: &Connection,
    job: &str,
    place: i64,
    blobs: &[KeptBlob],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO blobs (job, stage, number, length, data, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = connection.prepare_cached(sql)?;
    for (number, blob) in (0_u32..).zip(blobs) {
        let (length, data, file) = match blob {
            KeptBlob::Inline(bytes) => (bytes.len() as u64, Some(bytes), None),
            KeptBlob::File { name, length } => (*length, None, Some(name)),
        };
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        insert.execute(params![job, place, number, length, data, file])?;
    }
    Ok(())
}

pub(crate) fn read(connection: &Connection, job: &str, place: i64) -> Result<Vec<KeptBlob>, StoreError> {
    let sql = "SELECT length, data, file FROM blobs WHERE job = ?1 AND stage = ?2 ORDER BY number";
    let mut find = connection.prepare_cached(sql)?;
    let mut found = find.query(params![job, place])?;
    let mut blobs = Vec::new();
    while let Some(row) = found.next()? {
        let length = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        blobs.push(match row.get::<_, Option<String>>(2)? {
            Some(name) => KeptBlob::File { name, length },
            None => KeptBlob::Inline(row.get::<_, Option<Vec<u8>>>(1)?.unwrap_or_default()),
        });
    }
    Ok(blobs)
}

/// What a job was given and what its first stages brought is another one's, too; files have another name there.
pub(crate) fn copy(
    connection: &Connection,
    from: &str,
    to: &str,
    stages: u32,
    files: &[(String, String)],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO blobs (job, stage, number, length, data, file)
               SELECT ?2, stage, number, length, data, file FROM blobs WHERE job = ?1 AND stage < ?3";
    connection.prepare_cached(sql)?.execute(params![from, to, stages])?;
    for (old, new) in files {
        let sql = "UPDATE blobs SET file = ?3 WHERE job = ?1 AND file = ?2";
        connection.prepare_cached(sql)?.execute(params![to, old, new])?;
    }
    Ok(())
}

pub(crate) fn forget(connection: &Connection, job: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM blobs WHERE job = ?1")?.execute([job])?;
    Ok(())
}

impl Store {
    /// The names of all files that hold binary data.
    pub async fn files(&self) -> Result<BTreeSet<String>, StoreError> {
        self.read(|connection| {
            let mut find = connection.prepare("SELECT file FROM blobs WHERE file IS NOT NULL")?;
            Ok(find.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The names of the files of a job: of what it was given, and of what its first `stages` brought.
    pub async fn files_of(&self, id: JobId, stages: u32) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT file FROM blobs WHERE job = ?1 AND stage < ?2 AND file IS NOT NULL";
            let mut find = connection.prepare_cached(sql)?;
            let names = find.query_map(params![id.to_string(), stages], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
    }
}
