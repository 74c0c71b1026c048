//! Saved pipelines, each with its versions, and what is known of their runs.
//!
//! Owns the table `pipelines`. Must not know what a definition means.

use crate::Store;
use crate::error::StoreError;
use crate::limits::{PAGE_MAX, RUNS_MEASURED};
use crate::rows;
use hardpoint_model::job::JobStatus;
use hardpoint_model::pipeline::Pipeline;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// One version of a saved pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedPipeline {
    /// Its name.
    pub id: String,
    /// Counted from 1.
    pub version: u32,
    /// What it is.
    pub definition: Pipeline,
    /// When its first version was saved.
    pub created_at: Timestamp,
    /// When this version was saved.
    pub updated_at: Timestamp,
}

/// What is known of the runs of a pipeline, whatever their version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineRuns {
    /// How many there are.
    pub runs: u64,
    /// How many of them ended well.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// When the last one was handed in.
    pub last_used: Option<Timestamp>,
    /// How long the finished tries of each stage took: for each stage, from 0, in milliseconds, the shortest first.
    pub stage_ms: Vec<Vec<f64>>,
}

/// Saves the next version; the number that it has.
pub(crate) fn save(
    connection: &Connection,
    id: &str,
    definition: &Pipeline,
    at: Timestamp,
) -> Result<u32, StoreError> {
    let sql = "INSERT INTO pipelines (id, version, definition, created_at)
               SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3 FROM pipelines WHERE id = ?1 RETURNING version";
    let text = serde_json::to_string(definition).map_err(|e| StoreError::Other(e.to_string()))?;
    let mut insert = connection.prepare_cached(sql)?;
    Ok(insert.query_row(params![id, text, at.as_microsecond()], |row| row.get(0))?)
}

pub(crate) fn delete(connection: &Connection, id: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM pipelines WHERE id = ?1")?.execute([id])?;
    Ok(())
}

const LATEST: &str = "SELECT id, version, definition, created_at AS updated_at,
        (SELECT min(created_at) FROM pipelines AS first WHERE first.id = pipelines.id) AS created_at
    FROM pipelines";

impl Store {
    /// The latest version of each saved pipeline, by name.
    pub async fn saved_pipelines(&self) -> Result<Vec<SavedPipeline>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "{LATEST} WHERE version = (SELECT max(version) FROM pipelines AS l WHERE l.id = pipelines.id)
                 ORDER BY id LIMIT ?1"
            );
            let mut find = connection.prepare_cached(&sql)?;
            let mut found = find.query([PAGE_MAX])?;
            let mut all = Vec::new();
            while let Some(row) = found.next()? {
                all.push(saved(row)?);
            }
            Ok(all)
        })
        .await
    }

    /// A version of a saved pipeline; the latest without a number.
    pub async fn saved_pipeline(
        &self,
        id: String,
        version: Option<u32>,
    ) -> Result<Option<SavedPipeline>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "{LATEST} WHERE id = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1"
            );
            let mut find = connection.prepare_cached(&sql)?;
            find.query_row(params![id, version], |row| Ok(saved(row))).optional()?.transpose()
        })
        .await
    }

    /// What is known of the runs of a pipeline.
    pub async fn pipeline_runs(&self, id: String) -> Result<PipelineRuns, StoreError> {
        self.read(move |connection| runs(connection, &id)).await
    }
}

fn saved(row: &Row<'_>) -> Result<SavedPipeline, StoreError> {
    let text: String = row.get("definition")?;
    Ok(SavedPipeline {
        id: row.get("id")?,
        version: row.get("version")?,
        definition: serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        created_at: rows::time(row.get("created_at")?)?,
        updated_at: rows::time(row.get("updated_at")?)?,
    })
}

fn runs(connection: &Connection, id: &str) -> Result<PipelineRuns, StoreError> {
    let sql = "SELECT status, count(*), max(submitted_at) FROM jobs WHERE pipeline_id = ?1 GROUP BY status";
    let mut find = connection.prepare_cached(sql)?;
    let mut found = find.query([id])?;
    let (mut runs, mut last) = (PipelineRuns::default(), None);
    while let Some(row) = found.next()? {
        let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        runs.runs += count;
        last = last.max(row.get::<_, Option<i64>>(2)?);
        match rows::read_word::<JobStatus>(&row.get::<_, String>(0)?)? {
            JobStatus::Completed => runs.completed += count,
            JobStatus::Failed => runs.failed += count,
            JobStatus::Pending | JobStatus::Running | JobStatus::Cancelled => {}
        }
    }
    runs.last_used = last.map(rows::time).transpose()?;
    // Of the last runs alone: what they cost long ago says little.
    let sql = "SELECT stage, (ended_at - started_at) / 1000.0 FROM attempts
               WHERE outcome = 'completed' AND job IN
                   (SELECT id FROM jobs WHERE pipeline_id = ?1 ORDER BY position DESC LIMIT ?2)
               ORDER BY stage, 2";
    let mut find = connection.prepare_cached(sql)?;
    let mut found = find.query(params![id, RUNS_MEASURED])?;
    while let Some(row) = found.next()? {
        let stage = usize::try_from(row.get::<_, u32>(0)?).unwrap_or(0);
        if runs.stage_ms.len() <= stage {
            runs.stage_ms.resize(stage + 1, Vec::new());
        }
        if let Some(times) = runs.stage_ms.get_mut(stage) {
            times.push(row.get(1)?);
        }
    }
    Ok(runs)
}
