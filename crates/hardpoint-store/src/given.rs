//! What jobs were given: a value, and the binary data that it refers to.
//!
//! Owns the columns of inputs. Must not know where files lie, or what a value means.
//!
//! A job of one tool whose arguments hold no binary data has them at its stage alone. Only binary data is ever let go
//! of: the size of what held some stays, and says so.

use crate::Store;
use crate::blobs::{self, GIVEN, KeptBlob};
use crate::error::StoreError;
use hardpoint_model::job::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};

/// What a job was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The value, as it travels: `{"$blob": n}` stands for binary data.
    pub value: Value,
    /// What it refers to, by number.
    pub blobs: Vec<KeptBlob>,
    /// The size of all of it.
    pub bytes: u64,
}

/// What is kept of what a job was given.
#[derive(Debug, Clone, PartialEq)]
pub enum GivenKept {
    /// The arguments of its one stage are all of it: a document.
    Arguments(Map<String, Value>),
    /// This.
    Whole(Given),
    /// It held binary data, and is not kept any more.
    Forgotten,
}

impl Store {
    /// What a job was given; `None`: there is no such job.
    pub async fn given(&self, id: JobId) -> Result<Option<GivenKept>, StoreError> {
        self.read(move |connection| read(connection, id)).await
    }
}

pub(crate) fn write(connection: &Connection, job: JobId, given: &Given) -> Result<(), StoreError> {
    let id = job.to_string();
    let bytes = (!given.blobs.is_empty()).then(|| i64::try_from(given.bytes).unwrap_or(i64::MAX));
    let sql = "UPDATE jobs SET input = ?2, input_bytes = ?3 WHERE id = ?1";
    let changed = connection.prepare_cached(sql)?.execute(params![id, given.value.to_string(), bytes])?;
    if changed != 1 {
        return Err(StoreError::Conflict(format!("there is no job {job}")));
    }
    blobs::write(connection, &id, GIVEN, &given.blobs)
}

/// What one job was given is what the other was.
pub(crate) fn copy(connection: &Connection, from: &str, to: &str) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET (input, input_bytes) =
               (SELECT input, input_bytes FROM jobs AS old WHERE old.id = ?1) WHERE id = ?2";
    connection.prepare_cached(sql)?.execute([from, to])?;
    Ok(())
}

pub(crate) fn forget(connection: &Connection, job: &str) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET input = NULL WHERE id = ?1 AND input_bytes IS NOT NULL";
    connection.prepare_cached(sql)?.execute([job])?;
    Ok(())
}

fn read(connection: &Connection, id: JobId) -> Result<Option<GivenKept>, StoreError> {
    let id = id.to_string();
    let sql = "SELECT input, input_bytes, (SELECT args FROM stages WHERE job = id AND number = 0)
               FROM jobs WHERE id = ?1";
    let mut find = connection.prepare_cached(sql)?;
    let found = find.query_row([&id], |row| {
        Ok((
            row.get::<_, Option<String>>(0)?,
            row.get::<_, Option<i64>>(1)?,
            row.get::<_, Option<String>>(2)?,
        ))
    });
    Ok(match found.optional()? {
        None => None,
        Some((Some(text), bytes, _)) => {
            let value = serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(e.to_string()))?;
            let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(text.len() as u64);
            Some(GivenKept::Whole(Given { value, blobs: blobs::read(connection, &id, GIVEN)?, bytes }))
        }
        Some((None, Some(_), _)) => Some(GivenKept::Forgotten),
        Some((None, None, args)) => {
            let args = args.as_deref().map(serde_json::from_str).transpose();
            let args = args.map_err(|e| StoreError::Corrupt(e.to_string()))?;
            Some(GivenKept::Arguments(args.unwrap_or_default()))
        }
    })
}
