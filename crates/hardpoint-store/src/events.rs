//! Reading events: those that are kept, and how many of those before them are not.
//!
//! Owns the query. Must not know who follows.

use crate::Store;
use crate::error::StoreError;
use crate::limits::{EVENTS_BYTES_MAX, PAGE_MAX, PROGRESS_LOOK_BACK};
use crate::{prune, rows};
use hardpoint_model::job::{Event, EventKind, JobId};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only events with a higher number.
    pub since: u64,
    /// Only of these jobs; empty: of all.
    pub jobs: Vec<JobId>,
    /// At most this many; at most [`PAGE_MAX`]. Fewer come when they are large.
    pub limit: u32,
}

/// Events that are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// Those that are missing before or among these.
    pub gone: Option<Gone>,
    /// In the order of their numbers. Empty: there are no more now.
    pub events: Vec<Event>,
    /// What the next read has to begin after, so that nothing is read, or told to be gone, twice.
    pub next: u64,
}

/// Events that are not kept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// How many, over all jobs.
    pub count: u64,
    /// From this number on nothing is missing.
    pub first_kept: u64,
}

impl Store {
    /// Events with a higher number than `since`, and how many of those are not kept any more.
    pub async fn events(&self, filter: EventFilter) -> Result<Kept, StoreError> {
        self.read(move |connection| kept(connection, &filter)).await
    }

    /// How far these jobs said last that they are: the stage, and 0 to 1. One that has not said so lately is left out.
    pub async fn progress(&self, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, (u32, f64)>, StoreError> {
        self.read(move |connection| {
            let told = jobs.into_iter().map(|job| Ok(progress(connection, job)?.map(|told| (job, told))));
            told.filter_map(Result::transpose).collect()
        })
        .await
    }
}

fn progress(connection: &Connection, job: JobId) -> Result<Option<(u32, f64)>, StoreError> {
    let sql = "SELECT * FROM (SELECT * FROM events WHERE job = ?1 ORDER BY number DESC LIMIT ?2)
        WHERE kind ->> '$.type' = 'PROGRESS_CHANGED' ORDER BY number DESC LIMIT 1";
    let mut find = connection.prepare_cached(sql)?;
    let mut found = find.query(params![job.to_string(), PROGRESS_LOOK_BACK])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let event = rows::event(row)?;
    match event.kind {
        EventKind::ProgressChanged { progress, .. } => {
            Ok((0.0..=1.0).contains(&progress).then_some((event.stage, progress)))
        }
        EventKind::StateTransition { .. }
        | EventKind::ResourceSnapshot { .. }
        | EventKind::CancelPhaseChanged { .. }
        | EventKind::RetryStarted { .. }
        | EventKind::BlockReasonChanged { .. }
        | EventKind::SequenceAdvanced { .. }
        | EventKind::PipelineMessage(_) => Ok(None),
    }
}

fn kept(connection: &Connection, filter: &EventFilter) -> Result<Kept, StoreError> {
    // What is missing and what is there are of the same moment.
    let look = connection.unchecked_transaction()?;
    let since = i64::try_from(filter.since).unwrap_or(i64::MAX);
    let jobs: Vec<String> = filter.jobs.iter().map(ToString::to_string).collect();
    let jobs = serde_json::to_string(&jobs).map_err(|e| StoreError::Other(e.to_string()))?;
    let (events, is_cut) = page(&look, since, &jobs, filter)?;
    let through = prune::through(&look)?;
    let last = events.last().and_then(|event| i64::try_from(event.number).ok());
    let next = if is_cut { last.unwrap_or(since) } else { last.unwrap_or(since).max(through) };
    let missing = since < through && (filter.jobs.is_empty() || some_gone(&look, since, &jobs)?);
    let gone = if missing { gone(&look, since, next.min(through), through)? } else { None };
    Ok(Kept { gone, events, next: u64::try_from(next).unwrap_or(filter.since) })
}

/// Some events, and whether there may be more.
fn page(
    look: &Connection,
    since: i64,
    jobs: &str,
    filter: &EventFilter,
) -> Result<(Vec<Event>, bool), StoreError> {
    let sql = match filter.jobs.len() {
        0 => "SELECT * FROM events WHERE number > ?1 AND ?2 IS NOT NULL ORDER BY number LIMIT ?3",
        // In the order of the index: nothing is sorted, however many the job has.
        1 => "SELECT * FROM events WHERE number > ?1 AND job = ?2 ->> 0 ORDER BY number LIMIT ?3",
        _ => {
            "SELECT * FROM events WHERE number > ?1 AND job IN (SELECT value FROM json_each(?2))
             ORDER BY number LIMIT ?3"
        }
    };
    let mut find = look.prepare_cached(sql)?;
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let mut found = find.query(params![since, jobs, limit])?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next()? {
        bytes += row.get_ref("kind")?.as_str().map_or(0, str::len);
        if bytes > EVENTS_BYTES_MAX && !events.is_empty() {
            return Ok((events, true));
        }
        events.push(rows::event(row)?);
    }
    let is_full = u32::try_from(events.len()).unwrap_or(u32::MAX) == limit;
    Ok((events, is_full))
}

/// Whether an event of one of these jobs with a higher number is not kept any more.
fn some_gone(look: &Connection, since: i64, jobs: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND events_pruned > ?2)";
    Ok(look.prepare_cached(sql)?.query_row(params![jobs, since], |row| row.get(0))?)
}

/// What is missing after `since` up to `end`.
fn gone(look: &Connection, since: i64, end: i64, through: i64) -> Result<Option<Gone>, StoreError> {
    let sql = "SELECT count(*) FROM events WHERE number > ?1 AND number <= ?2";
    let here: i64 = look.prepare_cached(sql)?.query_row([since, end], |row| row.get(0))?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let gone = Gone { count: number(end - since - here), first_kept: number(through + 1) };
    Ok((gone.count > 0).then_some(gone))
}
