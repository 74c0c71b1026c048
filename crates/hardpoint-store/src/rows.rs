//! Values in columns: times, words, documents.
//!
//! Owns the translation in both directions, so that a column is never read otherwise than it was written.

use crate::contents::Tried;
use crate::error::StoreError;
use crate::op::{Attempt, AttemptEnd};
use hardpoint_model::job::{Event, Job, JobId, JobStatus, Stage};
use hardpoint_model::pipeline::Pipeline;
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_microsecond)
}

pub(crate) fn json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(serde_json::to_string).transpose().map_err(|e| StoreError::Other(e.to_string()))
}

/// A unit variant as its word.
pub(crate) fn word<T: Serialize>(value: Option<T>) -> Result<Option<String>, StoreError> {
    let value = value.map(|value| serde_json::to_value(value)).transpose();
    let value = value.map_err(|e| StoreError::Other(e.to_string()))?;
    Ok(value.and_then(|value| value.as_str().map(str::to_owned)))
}

pub(crate) fn read_word<T: DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(Value::from(word))
        .map_err(|_| StoreError::Corrupt(format!("`{word}` is no word here")))
}

fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Corrupt(e.to_string()))
}

pub(crate) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::Corrupt(format!("{micros} is no time")))
}

fn time_of(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>, StoreError> {
    row.get::<_, Option<i64>>(column)?.map(time).transpose()
}

fn id(row: &Row<'_>, column: &str) -> Result<JobId, StoreError> {
    let id: String = row.get(column)?;
    id.parse().map_err(|_| StoreError::Corrupt(format!("`{id}` is no id of a job")))
}

/// A job without its stages.
pub(crate) fn job(row: &Row<'_>) -> Result<Job, StoreError> {
    let text = |column: &str| row.get::<_, String>(column);
    let maybe = |column: &str| row.get::<_, Option<String>>(column);
    Ok(Job {
        job_id: id(row, "id")?,
        status: read_word::<JobStatus>(&text("status")?)?,
        priority: row.get("priority")?,
        idempotency_key: maybe("idempotency_key")?,
        pipeline_id: maybe("pipeline_id")?,
        pipeline_version: row.get("pipeline_version")?,
        resumes: if maybe("resumes")?.is_some() { Some(id(row, "resumes")?) } else { None },
        stages: Vec::new(),
        error: maybe("error")?.as_deref().map(read_json).transpose()?,
        cancel_phase: maybe("cancel_phase")?.as_deref().map(read_word).transpose()?,
        submitted_at: time(row.get("submitted_at")?)?,
        started_at: time_of(row, "started_at")?,
        completed_at: time_of(row, "completed_at")?,
    })
}

/// What a job runs, if it is a run of a pipeline.
pub(crate) fn pipeline(row: &Row<'_>) -> Result<Option<Pipeline>, StoreError> {
    row.get::<_, Option<String>>("pipeline")?.as_deref().map(read_json).transpose()
}

pub(crate) fn stage(row: &Row<'_>) -> Result<Stage, StoreError> {
    let plugin: String = row.get("plugin")?;
    Ok(Stage {
        plugin: plugin.parse().map_err(|_| StoreError::Corrupt(format!("`{plugin}` is no plugin")))?,
        tool: row.get("tool")?,
        args: read_json(&row.get::<_, String>("args")?)?,
        status: read_word(&row.get::<_, String>("status")?)?,
        attempts: row.get("attempts")?,
        error: row.get::<_, Option<String>>("error")?.as_deref().map(read_json).transpose()?,
        output_bytes: row.get::<_, Option<i64>>("output_bytes")?.and_then(|bytes| u64::try_from(bytes).ok()),
        started_at: time_of(row, "started_at")?,
        ended_at: time_of(row, "ended_at")?,
    })
}

pub(crate) fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        number: u64::try_from(row.get::<_, i64>("number")?).unwrap_or(0),
        kind: read_json(&row.get::<_, String>("kind")?)?,
        job_id: id(row, "job")?,
        plugin_instance_id: row.get("instance")?,
        stage: row.get("stage")?,
        timestamp: time(row.get("at")?)?,
    })
}

/// What a stage brought, with its job and its number.
pub(crate) fn result(row: &Row<'_>) -> Result<((JobId, u32), Value), StoreError> {
    Ok(((id(row, "job")?, row.get("number")?), read_json(&row.get::<_, String>("result")?)?))
}

pub(crate) fn tried(row: &Row<'_>) -> Result<Tried, StoreError> {
    let (job, stage, number) = (id(row, "job")?, row.get("stage")?, row.get("number")?);
    let incarnation = u64::try_from(row.get::<_, i64>("incarnation")?).unwrap_or(0);
    let began = Attempt { job, stage, number, incarnation, started_at: time(row.get("started_at")?)? };
    let outcome = row.get::<_, Option<String>>("outcome")?.as_deref().map(read_word).transpose()?;
    let error = row.get::<_, Option<String>>("error")?.as_deref().map(read_json).transpose()?;
    let end = time_of(row, "ended_at")?.zip(outcome);
    let ended = end.map(|(ended_at, outcome)| AttemptEnd { job, stage, number, ended_at, outcome, error });
    Ok(Tried { began, ended })
}
