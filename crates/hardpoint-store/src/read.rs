//! Reading: jobs, stages, results, plugins. Sees what is committed, and never waits for the writer.
//!
//! Owns a few connections and the queries. Must not know who asks.

use crate::Store;
use crate::error::StoreError;
use crate::limits::{CLOSE_PATIENCE, PAGE_MAX, READERS};
use crate::op::with_key;
use crate::open::readable;
use crate::rows;
use hardpoint_model::job::{Job, JobId, JobStatus, NewJob, Stage};
use hardpoint_model::pipeline::Pipeline;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections that only read.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
    asked: AtomicU64,
}

/// Which jobs are wanted.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only these statuses; empty: all.
    pub statuses: Vec<JobStatus>,
    /// Only jobs with a stage of this plugin.
    pub plugin: Option<String>,
    /// Only jobs before this position, as a page gave it: the next page.
    pub before: Option<i64>,
    /// Without the first so many of them.
    pub skip: u32,
    /// At most this many; at most [`PAGE_MAX`].
    pub limit: u32,
}

/// Some of the jobs, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// How many fit the filter altogether.
    pub count: u64,
    /// Where the next page begins, if there is one.
    pub next: Option<i64>,
}

/// What somebody decided by hand about a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PluginFlags {
    /// Whether calls are allowed; `None` while nobody has decided.
    pub enabled: Option<bool>,
    /// Whether it is unloaded.
    pub unloaded: bool,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let idle = (0..READERS).map(|_| readable(path)).collect::<Result<_, _>>()?;
        let turns = Arc::new(Semaphore::new(READERS));
        Ok(Self { idle: Mutex::new(idle), turns, asked: AtomicU64::new(0) })
    }

    /// Waits for those who read, within bounds, and lets nobody else.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(READERS).unwrap_or(u32::MAX);
        let _all = tokio::time::timeout(CLOSE_PATIENCE, self.turns.acquire_many(all)).await;
        self.turns.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Store {
    /// The job of this name, with its stages.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.read(move |connection| {
            let mut find = connection.prepare_cached("SELECT * FROM jobs WHERE id = ?1")?;
            let found = find.query_row([id.to_string()], |row| Ok(rows::job(row))).optional()?.transpose()?;
            found.map(|job| with_stages(connection, job)).transpose()
        })
        .await
    }

    /// The job that was submitted under this name of the client's.
    pub async fn job_of_key(&self, key: String) -> Result<Option<JobId>, StoreError> {
        self.read(move |connection| with_key(connection, Some(&key))).await
    }

    /// Some of the jobs, newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Page, StoreError> {
        self.read(move |connection| page(connection, &filter)).await
    }

    /// Every job that is not over, in the order of submission: what a host begins with.
    pub async fn alive(&self) -> Result<Vec<NewJob>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT * FROM jobs WHERE status IN ('pending', 'running') ORDER BY position";
            let mut find = connection.prepare_cached(sql)?;
            let mut found = find.query([])?;
            let mut jobs = Vec::new();
            while let Some(row) = found.next()? {
                let job = with_stages(connection, rows::job(row)?)?;
                jobs.push(NewJob { job, pipeline: rows::pipeline(row)? });
            }
            Ok(jobs)
        })
        .await
    }

    /// What a job runs, if it is a run of a pipeline.
    pub async fn pipeline_of(&self, id: JobId) -> Result<Option<Pipeline>, StoreError> {
        self.read(move |connection| {
            let mut find = connection.prepare_cached("SELECT pipeline FROM jobs WHERE id = ?1")?;
            let found =
                find.query_row([id.to_string()], |row| Ok(rows::pipeline(row))).optional()?.transpose()?;
            Ok(found.flatten())
        })
        .await
    }

    /// Whether a job that is not over has this text in the arguments of one of its stages.
    pub async fn is_given(&self, text: String) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM jobs JOIN stages ON stages.job = jobs.id
                WHERE jobs.status IN ('pending', 'running') AND instr(stages.args, ?1) > 0)";
            Ok(connection.prepare_cached(sql)?.query_row([text], |row| row.get(0))?)
        })
        .await
    }

    /// What somebody decided by hand about plugins, by name.
    pub async fn plugins(&self) -> Result<BTreeMap<String, PluginFlags>, StoreError> {
        self.read(|connection| {
            let mut find = connection.prepare_cached("SELECT plugin, enabled, unloaded FROM plugin_flags")?;
            let all = find.query_map([], |row| {
                Ok((row.get(0)?, PluginFlags { enabled: row.get(1)?, unloaded: row.get(2)? }))
            })?;
            Ok(all.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many questions the file was asked since it was opened.
    pub fn reads(&self) -> u64 {
        self.readers.asked.load(Ordering::Relaxed)
    }

    /// Runs a query on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let turn = Arc::clone(&readers.turns).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        readers.asked.fetch_add(1, Ordering::Relaxed);
        let path = Arc::clone(&self.path);
        let asked = tokio::task::spawn_blocking(move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = idle.map_or_else(|| readable(&path), Ok)?;
            let answer = query(&connection);
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(turn);
            answer.map_err(|error| error.at(&path))
        });
        asked.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn page(connection: &Connection, filter: &JobFilter) -> Result<Page, StoreError> {
    let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    let statuses = serde_json::to_string(&statuses).map_err(|e| StoreError::Other(e.to_string()))?;
    let which = "(?1 = '[]' OR status IN (SELECT value FROM json_each(?1)))
        AND (?2 IS NULL OR EXISTS (SELECT 1 FROM stages WHERE job = jobs.id
             AND (plugin = ?2 OR substr(plugin, 1, length(?2) + 1) = ?2 || '@')))";
    let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM jobs WHERE {which}"))?;
    let count: i64 = count.query_row(params![statuses, filter.plugin], |row| row.get(0))?;
    let sql = format!(
        "SELECT * FROM jobs WHERE {which} AND position < ?3 ORDER BY position DESC LIMIT ?4 OFFSET ?5"
    );
    let (before, limit) = (filter.before.unwrap_or(i64::MAX), filter.limit.clamp(1, PAGE_MAX));
    let mut find = connection.prepare_cached(&sql)?;
    let mut found = find.query(params![statuses, filter.plugin, before, limit, filter.skip])?;
    let mut page = Page { count: u64::try_from(count).unwrap_or(0), ..Page::default() };
    let mut last = None;
    while let Some(row) = found.next()? {
        last = Some(row.get::<_, i64>("position")?);
        page.jobs.push(with_stages(connection, rows::job(row)?)?);
    }
    let full = u32::try_from(page.jobs.len()).unwrap_or(u32::MAX) == limit;
    page.next = last.filter(|_| full);
    Ok(page)
}

pub(crate) fn with_stages(connection: &Connection, mut job: Job) -> Result<Job, StoreError> {
    let mut find = connection.prepare_cached("SELECT * FROM stages WHERE job = ?1 ORDER BY number")?;
    let mut found = find.query([job.job_id.to_string()])?;
    let mut stages: Vec<Stage> = Vec::new();
    while let Some(row) = found.next()? {
        stages.push(rows::stage(row)?);
    }
    job.stages = stages;
    Ok(job)
}
