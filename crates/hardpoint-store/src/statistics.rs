//! How many jobs there are and were: read from counts that the writer keeps, never by counting.
//!
//! Owns those queries. Must not know who asks.

use crate::Store;
use crate::error::StoreError;
use crate::limits::PAGE_MAX;
use crate::rows::{read_word, time};
use hardpoint_model::job::JobStatus;
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// How many there are of each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the statuses, by their names")]
pub struct Counts {
    pub pending: u64,
    pub running: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// How many jobs there are and were, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Jobs. Those that are over are counted whether they are still kept or not.
    pub jobs: Counts,
    /// Stages of each plugin, or instance of one; the first [`PAGE_MAX`] of them.
    pub plugins: BTreeMap<String, Counts>,
    /// When the job was submitted that has waited longest.
    pub oldest_pending: Option<Timestamp>,
}

impl Counts {
    fn set(&mut self, status: JobStatus, count: i64) {
        let count = u64::try_from(count).unwrap_or(0);
        match status {
            JobStatus::Pending => self.pending = count,
            JobStatus::Running => self.running = count,
            JobStatus::Completed => self.completed = count,
            JobStatus::Failed => self.failed = count,
            JobStatus::Cancelled => self.cancelled = count,
        }
    }

    /// How many there are of a status.
    pub fn of(&self, status: JobStatus) -> u64 {
        match status {
            JobStatus::Pending => self.pending,
            JobStatus::Running => self.running,
            JobStatus::Completed => self.completed,
            JobStatus::Failed => self.failed,
            JobStatus::Cancelled => self.cancelled,
        }
    }
}

impl Store {
    /// How many jobs there are and were. Costs the same whatever their number.
    pub async fn statistics(&self) -> Result<Statistics, StoreError> {
        self.read(|connection| {
            // All of it as of one moment.
            let _one = connection.unchecked_transaction()?;
            Ok(Statistics {
                jobs: jobs(connection)?,
                plugins: plugins(connection)?,
                oldest_pending: oldest_pending(connection)?,
            })
        })
        .await
    }
}

const JOBS: &str = "SELECT status, jobs FROM job_counts";
const PLUGINS: &str = "SELECT plugin, status, stages FROM stage_counts
    WHERE plugin IN (SELECT DISTINCT plugin FROM stage_counts ORDER BY plugin LIMIT ?1)";
const OLDEST_PENDING: &str = "SELECT min(submitted_at) FROM jobs WHERE status = 'pending'";

fn jobs(connection: &Connection) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut find = connection.prepare_cached(JOBS)?;
    let mut found = find.query([])?;
    while let Some(row) = found.next()? {
        counts.set(read_word(&row.get::<_, String>(0)?)?, row.get(1)?);
    }
    Ok(counts)
}

fn plugins(connection: &Connection) -> Result<BTreeMap<String, Counts>, StoreError> {
    let mut plugins: BTreeMap<String, Counts> = BTreeMap::new();
    let mut find = connection.prepare_cached(PLUGINS)?;
    let mut found = find.query([PAGE_MAX])?;
    while let Some(row) = found.next()? {
        let counts = plugins.entry(row.get(0)?).or_default();
        counts.set(read_word(&row.get::<_, String>(1)?)?, row.get(2)?);
    }
    Ok(plugins)
}

fn oldest_pending(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let oldest: Option<i64> = connection.prepare_cached(OLDEST_PENDING)?.query_row([], |row| row.get(0))?;
    oldest.map(time).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_never_look_at_every_job() {
        let folder = tempfile::tempdir().unwrap();
        let connection = crate::open::writable(&Store::path_in(folder.path())).unwrap();
        for sql in [JOBS, PLUGINS, OLDEST_PENDING] {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = explain.parameter_count();
            let values = std::iter::repeat_n(1, count);
            let plan = explain.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
            let plan = plan.collect::<Result<Vec<String>, _>>().unwrap().join("; ");
            assert!(!plan.contains("SCAN jobs") && !plan.contains("SCAN stages"), "{sql}: {plan}");
            assert!(sql != OLDEST_PENDING || plan.contains("INDEX jobs_waiting"), "{plan}");
        }
    }
}
