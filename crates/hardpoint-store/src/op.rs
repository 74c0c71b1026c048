//! What can be made true, one by one; a commit is a list of these.
//!
//! Owns the writing side of every table. Must not know why something is true now.

use crate::blobs;
use crate::counts::Changes;
use crate::error::StoreError;
use crate::given::{self, Given};
use crate::output::{self, Output};
use crate::pipelines;
use crate::plugin_configs::{self, PluginConfig};
use crate::rows::{json, micros, read_word, word};
use crate::usage_records;
use hardpoint_model::JobError;
use hardpoint_model::job::{Event, Job, JobId, JobStatus, NewEvent, NewJob, Stage};
use hardpoint_model::pipeline::Pipeline;
use hardpoint_model::usage::UsageRecord;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

/// One thing that is true from now on.
#[derive(Debug, Clone)]
pub enum Op {
    /// A job is accepted, with its stages.
    Submit(Box<NewJob>),
    /// What a job was given, but for arguments that stand at its stage.
    Given(JobId, Box<Given>),
    /// It was given what another job was, and begins with what the first stages of that one brought.
    Resume {
        /// The job.
        job: JobId,
        /// The other one.
        from: JobId,
        /// How many stages.
        stages: u32,
        /// Which files hold the other one's binary data, and what they are called for this one.
        files: Vec<(String, String)>,
    },
    /// A job is as it is here; its stages are left alone.
    Job(Box<Job>),
    /// A stage is as it is here.
    Stage {
        /// Of which job.
        job: JobId,
        /// Which one, from 0.
        number: u32,
        /// How it is.
        stage: Box<Stage>,
    },
    /// What a stage brought.
    Result {
        /// Of which job.
        job: JobId,
        /// Of which stage, from 0.
        stage: u32,
        /// All of it.
        output: Box<Output>,
    },
    /// A try of a stage began.
    AttemptBegan(Attempt),
    /// It ended.
    AttemptEnded(Box<AttemptEnd>),
    /// Something happened.
    Event(Box<NewEvent>),
    /// What a job brought is not kept any more, nor is binary data that it was given.
    ForgetOutputs(JobId),
    /// A pipeline is saved: its next version.
    SavePipeline {
        /// Its name.
        id: String,
        /// What it is from now on.
        definition: Box<Pipeline>,
        /// Now.
        at: Timestamp,
    },
    /// A saved pipeline is not kept any more; its runs are.
    DeletePipeline(String),
    /// Somebody decided something about a plugin; what is not given here stays as it is.
    Plugin {
        /// Its name.
        name: String,
        /// Whether calls are allowed.
        enabled: Option<bool>,
        /// Whether it is unloaded.
        unloaded: Option<bool>,
    },
    /// What is set by hand in the configuration of a plugin.
    PluginConfig {
        /// Its name.
        name: String,
        /// All of it.
        config: PluginConfig,
        /// Now.
        at: Timestamp,
    },
    /// What the calls of an instance used under one configuration: all of it.
    UsageRecord(Box<UsageRecord>),
    /// The file may have this many pages at most: how a full disk is made in a test.
    #[doc(hidden)]
    PagesMax(u32),
}

/// The beginning of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of which job.
    pub job: JobId,
    /// Of which stage, from 0.
    pub stage: u32,
    /// The try, from 1.
    pub number: u32,
    /// The incarnation of the instance that makes it.
    pub incarnation: u64,
    /// When it began.
    pub started_at: Timestamp,
}

/// The end of a try.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnd {
    /// Of which job.
    pub job: JobId,
    /// Of which stage, from 0.
    pub stage: u32,
    /// The try, from 1.
    pub number: u32,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: JobStatus,
    /// Why, if it failed.
    pub error: Option<JobError>,
}

/// What a commit brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Committed {
    /// Its events, with their numbers, in the order they were given.
    pub events: Vec<Event>,
    /// The job that had the idempotency key of a submission already; then nothing of the commit was done.
    pub already: Option<JobId>,
    /// The version of the pipeline that was saved.
    pub version: Option<u32>,
}

/// Carries out a whole commit inside a connection. What it changes of the counts is still to be written.
pub(crate) fn apply(connection: &Connection, ops: &[Op]) -> Result<(Committed, Changes), StoreError> {
    let (mut committed, mut changes) = (Committed::default(), Changes::default());
    for op in ops {
        match op {
            Op::Submit(new) => {
                if let Some(already) = with_key(connection, new.job.idempotency_key.as_deref())? {
                    let committed = Committed { already: Some(already), ..Committed::default() };
                    return Ok((committed, Changes::default()));
                }
                submit(connection, new)?;
                changes.submitted(&new.job);
            }
            Op::Job(job) => changes.job(update_job(connection, job)?, job),
            Op::Stage { job, number, stage } => {
                changes.stage(Some(update_stage(connection, *job, *number, stage)?), stage);
            }
            Op::Result { job, stage, output } => output::write(connection, *job, *stage, output)?,
            Op::Given(job, given) => given::write(connection, *job, given)?,
            Op::Resume { job, from, stages, files } => resume(connection, *job, *from, *stages, files)?,
            Op::ForgetOutputs(job) => forget(connection, &job.to_string())?,
            Op::SavePipeline { id, definition, at } => {
                committed.version = Some(pipelines::save(connection, id, definition, *at)?);
            }
            Op::DeletePipeline(id) => pipelines::delete(connection, id)?,
            Op::AttemptBegan(attempt) => begin(connection, attempt)?,
            Op::AttemptEnded(end) => finish(connection, end)?,
            Op::PagesMax(pages) => connection.pragma_update(None, "max_page_count", pages)?,
            Op::Event(event) => committed.events.push(append(connection, event)?),
            Op::Plugin { name, enabled, unloaded } => {
                let sql = "INSERT INTO plugin_flags (plugin, enabled, unloaded) VALUES (?1, ?2, coalesce(?3, 0))
                           ON CONFLICT (plugin) DO UPDATE SET enabled = coalesce(?2, enabled), unloaded = coalesce(?3, unloaded)";
                connection.prepare_cached(sql)?.execute(params![name, enabled, unloaded])?;
            }
            Op::PluginConfig { name, config, at } => plugin_configs::write(connection, name, config, *at)?,
            Op::UsageRecord(record) => usage_records::write(connection, record)?,
        }
    }
    Ok((committed, changes))
}

fn resume(
    connection: &Connection,
    job: JobId,
    from: JobId,
    stages: u32,
    files: &[(String, String)],
) -> Result<(), StoreError> {
    let (from, job) = (from.to_string(), job.to_string());
    given::copy(connection, &from, &job)?;
    output::copy(connection, &from, &job, stages)?;
    blobs::copy(connection, &from, &job, stages, files)
}

fn forget(connection: &Connection, job: &str) -> Result<(), StoreError> {
    given::forget(connection, job)?;
    output::forget(connection, job)?;
    blobs::forget(connection, job)
}

pub(crate) fn with_key(connection: &Connection, key: Option<&str>) -> Result<Option<JobId>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let mut find = connection.prepare_cached("SELECT id FROM jobs WHERE idempotency_key = ?1")?;
    let id: Option<String> = find.query_row([key], |row| row.get(0)).optional()?;
    id.map(|id| id.parse().map_err(|_| StoreError::Corrupt(format!("`{id}` is no id of a job")))).transpose()
}

fn submit(connection: &Connection, new: &NewJob) -> Result<(), StoreError> {
    let job = &new.job;
    let sql = "INSERT INTO jobs (id, status, priority, idempotency_key, error, cancel_phase, submitted_at, started_at,
               completed_at, pipeline, pipeline_id, pipeline_version, resumes)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    connection.prepare_cached(sql)?.execute(params![
        job.job_id.to_string(),
        job.status.as_str(),
        job.priority,
        job.idempotency_key,
        json(job.error.as_ref())?,
        word(job.cancel_phase)?,
        job.submitted_at.as_microsecond(),
        micros(job.started_at),
        micros(job.completed_at),
        json(new.pipeline.as_ref())?,
        job.pipeline_id,
        job.pipeline_version,
        job.resumes.map(|id| id.to_string()),
    ])?;
    let sql = "INSERT INTO stages (job, number, plugin, tool, args, status, attempts, started_at, ended_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = connection.prepare_cached(sql)?;
    for (number, stage) in (0_u32..).zip(&job.stages) {
        let args = serde_json::to_string(&stage.args).map_err(|e| StoreError::Other(e.to_string()))?;
        let (plugin, status) = (stage.plugin.to_string(), stage.status.as_str());
        let id = job.job_id.to_string();
        let (started, ended) = (micros(stage.started_at), micros(stage.ended_at));
        insert.execute(params![
            id,
            number,
            plugin,
            stage.tool,
            args,
            status,
            stage.attempts,
            started,
            ended
        ])?;
    }
    Ok(())
}

/// What the status was before.
fn update_job(connection: &Connection, job: &Job) -> Result<JobStatus, StoreError> {
    let id = job.job_id.to_string();
    let before = status(connection, "SELECT status FROM jobs WHERE id = ?1", params![id])?;
    let sql = "UPDATE jobs SET status = ?2, priority = ?3, error = ?4, cancel_phase = ?5, started_at = ?6,
               completed_at = ?7 WHERE id = ?1";
    one(connection.prepare_cached(sql)?.execute(params![
        id,
        job.status.as_str(),
        job.priority,
        json(job.error.as_ref())?,
        word(job.cancel_phase)?,
        micros(job.started_at),
        micros(job.completed_at),
    ])?)?;
    Ok(before)
}

/// What the status was before.
fn update_stage(
    connection: &Connection,
    job: JobId,
    number: u32,
    stage: &Stage,
) -> Result<JobStatus, StoreError> {
    let id = job.to_string();
    let sql = "SELECT status FROM stages WHERE job = ?1 AND number = ?2";
    let before = status(connection, sql, params![id, number])?;
    let sql = "UPDATE stages SET status = ?3, attempts = ?4, error = ?5, started_at = ?6, ended_at = ?7
               WHERE job = ?1 AND number = ?2";
    one(connection.prepare_cached(sql)?.execute(params![
        id,
        number,
        stage.status.as_str(),
        stage.attempts,
        json(stage.error.as_ref())?,
        micros(stage.started_at),
        micros(stage.ended_at),
    ])?)?;
    Ok(before)
}

fn status(connection: &Connection, sql: &str, of: impl Params) -> Result<JobStatus, StoreError> {
    let found: Option<String> = connection.prepare_cached(sql)?.query_row(of, |row| row.get(0)).optional()?;
    found.as_deref().map_or_else(|| Err(changed(0)), read_word)
}

fn begin(connection: &Connection, attempt: &Attempt) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO attempts (job, stage, number, incarnation, started_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let incarnation = i64::try_from(attempt.incarnation).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.execute(params![
        attempt.job.to_string(),
        attempt.stage,
        attempt.number,
        incarnation,
        attempt.started_at.as_microsecond(),
    ])?;
    Ok(())
}

fn finish(connection: &Connection, end: &AttemptEnd) -> Result<(), StoreError> {
    let sql = "UPDATE attempts SET ended_at = ?4, outcome = ?5, error = ?6
               WHERE job = ?1 AND stage = ?2 AND number = ?3 AND ended_at IS NULL";
    one(connection.prepare_cached(sql)?.execute(params![
        end.job.to_string(),
        end.stage,
        end.number,
        end.ended_at.as_microsecond(),
        end.outcome.as_str(),
        json(end.error.as_ref())?,
    ])?)
}

fn append(connection: &Connection, event: &NewEvent) -> Result<Event, StoreError> {
    let sql = "INSERT INTO events (job, stage, instance, at, kind) VALUES (?1, ?2, ?3, ?4, ?5)";
    let kind = serde_json::to_string(&event.kind).map_err(|e| StoreError::Other(e.to_string()))?;
    let at = event.timestamp.as_microsecond();
    connection.prepare_cached(sql)?.execute(params![
        event.job_id.to_string(),
        event.stage,
        event.plugin_instance_id,
        at,
        kind
    ])?;
    Ok(Event {
        number: u64::try_from(connection.last_insert_rowid()).unwrap_or(0),
        kind: event.kind.clone(),
        job_id: event.job_id,
        plugin_instance_id: event.plugin_instance_id.clone(),
        stage: event.stage,
        // As it is on disk: whoever reads it there and whoever hears of it live see the same.
        timestamp: Timestamp::from_microsecond(at).unwrap_or(event.timestamp),
    })
}

/// A change of something that is not there is a fault of the host's, and must not pass for done.
fn one(rows: usize) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(changed(rows)) }
}

fn changed(rows: usize) -> StoreError {
    StoreError::Conflict(format!("{rows} rows changed instead of one"))
}
