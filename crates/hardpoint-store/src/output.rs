//! What stages brought: a value, and the binary data that it refers to.
//!
//! Owns the columns of results. Must not know where files lie, or what a value means.

use crate::Store;
use crate::blobs::{self, KeptBlob};
use crate::error::StoreError;
use hardpoint_model::job::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

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
    blobs::write(connection, &id, stage.into(), &output.blobs)
}

/// What stages of one job brought is what those of another did, too.
pub(crate) fn copy(connection: &Connection, from: &str, to: &str, stages: u32) -> Result<(), StoreError> {
    let sql = "UPDATE stages SET (result, result_form, output_bytes) =
               (SELECT result, result_form, output_bytes FROM stages AS old WHERE old.job = ?1 AND old.number = stages.number)
               WHERE job = ?2 AND number < ?3";
    connection.prepare_cached(sql)?.execute(params![from, to, stages])?;
    Ok(())
}

impl Store {
    /// What a stage brought, if it has.
    pub async fn output(&self, id: JobId, stage: u32) -> Result<Option<Output>, StoreError> {
        self.read(move |connection| read(connection, id, stage)).await
    }

    /// Jobs that are over and of which more is kept than these bounds allow: the oldest first. What they were given
    /// counts where it holds binary data.
    pub async fn outputs_beyond(
        &self,
        bytes_max: u64,
        ended_before: jiff::Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        self.read(move |connection| {
            let sql = "WITH sizes AS (SELECT id, completed_at, position,
                    iif(input IS NULL, 0, coalesce(input_bytes, 0))
                        + coalesce((SELECT sum(coalesce(output_bytes, length(result), 0)) FROM stages
                            WHERE job = id AND result IS NOT NULL), 0) AS size
                    FROM jobs WHERE completed_at IS NOT NULL AND ((input IS NOT NULL AND input_bytes IS NOT NULL)
                        OR EXISTS (SELECT 1 FROM stages WHERE job = id AND result IS NOT NULL)))
                SELECT id FROM (SELECT *, sum(size) OVER (ORDER BY position DESC) AS bytes FROM sizes)
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

pub(crate) fn forget(connection: &Connection, job: &str) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE stages SET result = NULL WHERE job = ?1")?.execute([job])?;
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
    let blobs = blobs::read(connection, &id, stage.into())?;
    Ok(Some(Output { value, form, blobs, bytes }))
}
