//! What stages brought: a value, and the binary data that it refers to.
//!
//! Owns the columns of results and the table `blobs`. Must not know where files lie, or what a value means.

use crate::Store;
use crate::error::StoreError;
use hardpoint_model::job::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a stage brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The value, in this form.
    pub value: Value,
    /// How binary data stands in it.
    pub form: Form,
    /// What it refers to, by number.
    pub blobs: Vec<KeptBlob>,
    /// The size of all of it.
    pub bytes: u64,
}

/// How binary data stands in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"$bytes": base64}`.
    Document,
    /// `{"$blob": n}`, with escapes, as it travels.
    Wire,
}

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
    job: JobId,
    stage: u32,
    output: &Output,
) -> Result<(), StoreError> {
    let sql =
        "UPDATE stages SET result = ?3, result_form = ?4, output_bytes = ?5 WHERE job = ?1 AND number = ?2";
    let form = match output.form {
        Form::Document => 0,
        Form::Wire => 1,
    };
    let id = job.to_string();
    let changed = connection.prepare_cached(sql)?.execute(params![
        id,
        stage,
        output.value.to_string(),
        form,
        i64::try_from(output.bytes).unwrap_or(i64::MAX)
    ])?;
    if changed != 1 {
        return Err(StoreError::Conflict(format!("there is no stage {stage} of job {job}")));
    }
    let sql = "INSERT INTO blobs (job, stage, number, length, data, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for (number, blob) in (0_u32..).zip(&output.blobs) {
        let (length, data, file) = match blob {
            KeptBlob::Inline(bytes) => (bytes.len() as u64, Some(bytes), None),
            KeptBlob::File { name, length } => (*length, None, Some(name)),
        };
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        connection.prepare_cached(sql)?.execute(params![id, stage, number, length, data, file])?;
    }
    Ok(())
}

/// What stages of one job brought is what those of another did, too; files have another name there.
pub(crate) fn copy(
    connection: &Connection,
    from: JobId,
    to: JobId,
    stages: u32,
    files: &[(String, String)],
) -> Result<(), StoreError> {
    let sql = "UPDATE stages SET (result, result_form, output_bytes) =
               (SELECT result, result_form, output_bytes FROM stages AS old WHERE old.job = ?1 AND old.number = stages.number)
               WHERE job = ?2 AND number < ?3";
    let (from, to) = (from.to_string(), to.to_string());
    connection.prepare_cached(sql)?.execute(params![from, to, stages])?;
    let sql = "INSERT INTO blobs (job, stage, number, length, data, file)
               SELECT ?2, stage, number, length, data, file FROM blobs WHERE job = ?1 AND stage < ?3";
    connection.prepare_cached(sql)?.execute(params![from, to, stages])?;
    for (old, new) in files {
        let sql = "UPDATE blobs SET file = ?3 WHERE job = ?1 AND file = ?2";
        connection.prepare_cached(sql)?.execute(params![to, old, new])?;
    }
    Ok(())
}

impl Store {
    /// What a stage brought, if it has.
    pub async fn output(&self, id: JobId, stage: u32) -> Result<Option<Output>, StoreError> {
        self.read(move |connection| read(connection, id, stage)).await
    }

    /// The names of all files that hold binary data.
    pub async fn output_files(&self) -> Result<BTreeSet<String>, StoreError> {
        self.read(|connection| {
            let mut find = connection.prepare("SELECT file FROM blobs WHERE file IS NOT NULL")?;
            Ok(find.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The names of the files of a job.
    pub async fn output_files_of(&self, id: JobId) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut find =
                connection.prepare_cached("SELECT file FROM blobs WHERE job = ?1 AND file IS NOT NULL")?;
            Ok(find.query_map([id.to_string()], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Jobs that are over and whose outputs go beyond these bounds: the oldest first.
    pub async fn outputs_beyond(
        &self,
        bytes_max: u64,
        ended_before: jiff::Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id FROM (
                    SELECT jobs.id, jobs.completed_at, jobs.position,
                        sum(sum(coalesce(stages.output_bytes, length(stages.result), 0)))
                            OVER (ORDER BY jobs.position DESC) AS bytes
                    FROM jobs JOIN stages ON stages.job = jobs.id
                    WHERE jobs.completed_at IS NOT NULL AND stages.result IS NOT NULL GROUP BY jobs.id)
                WHERE bytes > ?1 OR completed_at < ?2 ORDER BY position LIMIT ?3";
            let bytes = i64::try_from(bytes_max).unwrap_or(i64::MAX);
            let mut find = connection.prepare_cached(sql)?;
            let mut found = find.query(params![bytes, ended_before.as_microsecond(), limit])?;
            let mut jobs = Vec::new();
            while let Some(row) = found.next()? {
                let id: String = row.get(0)?;
                jobs.push(id.parse().map_err(|_| StoreError::Corrupt(format!("`{id}` is no id of a job")))?);
            }
            Ok(jobs)
        })
        .await
    }
}

/// What a job brought is not kept any more.
pub(crate) fn forget(connection: &Connection, job: JobId) -> Result<(), StoreError> {
    let id = job.to_string();
    connection.prepare_cached("UPDATE stages SET result = NULL WHERE job = ?1")?.execute([&id])?;
    connection.prepare_cached("DELETE FROM blobs WHERE job = ?1")?.execute([&id])?;
    Ok(())
}

fn read(connection: &Connection, id: JobId, stage: u32) -> Result<Option<Output>, StoreError> {
    let id = id.to_string();
    let sql = "SELECT result, result_form, output_bytes FROM stages WHERE job = ?1 AND number = ?2";
    let mut find = connection.prepare_cached(sql)?;
    let row = find.query_row(params![id, stage], |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
    });
    let Some((Some(text), form, bytes)) = row.optional()? else { return Ok(None) };
    let value = serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let form = if form == 0 { Form::Document } else { Form::Wire };
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(text.len() as u64);
    let sql = "SELECT length, data, file FROM blobs WHERE job = ?1 AND stage = ?2 ORDER BY number";
    let mut find = connection.prepare_cached(sql)?;
    let mut found = find.query(params![id, stage])?;
    let mut blobs = Vec::new();
    while let Some(row) = found.next()? {
        let length = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        blobs.push(match row.get::<_, Option<String>>(2)? {
            Some(name) => KeptBlob::File { name, length },
            None => KeptBlob::Inline(row.get::<_, Option<Vec<u8>>>(1)?.unwrap_or_default()),
        });
    }
    Ok(Some(Output { value, form, blobs, bytes }))
}
