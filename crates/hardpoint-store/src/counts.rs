//! How many jobs there are of each status, and stages of each plugin: what a transaction changes of it.
//!
//! Owns the tables of counts, but for those who ask. Many changes become one row for each status that they touch.

use crate::error::StoreError;
use hardpoint_model::job::{Job, JobStatus, Stage};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// How much more there is of each status.
type More = BTreeMap<JobStatus, i64>;

/// Changes that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    jobs: More,
    stages: BTreeMap<String, More>,
}

impl Changes {
    /// A job is new.
    pub(crate) fn submitted(&mut self, job: &Job) {
        count(&mut self.jobs, None, job.status);
        for stage in &job.stages {
            self.stage(None, stage);
        }
    }

    /// A job has another status, or not.
    pub(crate) fn job(&mut self, from: JobStatus, job: &Job) {
        count(&mut self.jobs, Some(from), job.status);
    }

    /// A stage is new, or has another status, or not.
    pub(crate) fn stage(&mut self, from: Option<JobStatus>, stage: &Stage) {
        if from != Some(stage.status) {
            count(self.stages.entry(stage.plugin.to_string()).or_default(), from, stage.status);
        }
    }

    /// These, and those of another commit.
    pub(crate) fn add(&mut self, other: Self) {
        add(&mut self.jobs, other.jobs);
        for (plugin, more) in other.stages {
            add(self.stages.entry(plugin).or_default(), more);
        }
    }

    /// Makes them true, in the transaction that made the rows so.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO job_counts (status, jobs) VALUES (?1, ?2)
                   ON CONFLICT (status) DO UPDATE SET jobs = jobs + ?2";
        let mut change = connection.prepare_cached(sql)?;
        for (status, more) in self.jobs.iter().filter(|(_, more)| **more != 0) {
            change.execute(params![status.as_str(), more])?;
        }
        let sql = "INSERT INTO stage_counts (plugin, status, stages) VALUES (?1, ?2, ?3)
                   ON CONFLICT (plugin, status) DO UPDATE SET stages = stages + ?3";
        let mut change = connection.prepare_cached(sql)?;
        for (plugin, counts) in &self.stages {
            for (status, more) in counts.iter().filter(|(_, more)| **more != 0) {
                change.execute(params![plugin, status.as_str(), more])?;
            }
        }
        Ok(())
    }
}

/// What the counts say and the rows do not. What is over may have been deleted, and stays counted.
pub(crate) fn faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number("SELECT count(*) FROM sqlite_schema WHERE name = 'job_counts'")? == 0 {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    for (sql, what) in RULES {
        let wrong = number(sql)?;
        if wrong > 0 {
            faults.push(format!("{wrong} counts of {what} are wrong"));
        }
    }
    Ok(faults)
}

const RULES: [(&str, &str); 2] = [
    (
        "SELECT count(*) FROM (
            SELECT status AS word, count(*) AS there FROM jobs GROUP BY status
         ) FULL JOIN job_counts ON word = status
         WHERE coalesce(jobs, 0) < coalesce(there, 0)
            OR (coalesce(word, status) IN ('pending', 'running') AND coalesce(jobs, 0) <> coalesce(there, 0))",
        "jobs",
    ),
    (
        "SELECT count(*) FROM (
            SELECT plugin AS name, status AS word, count(*) AS there FROM stages GROUP BY plugin, status
         ) FULL JOIN stage_counts ON name = plugin AND word = status
         WHERE coalesce(stages, 0) < coalesce(there, 0)
            OR (coalesce(word, status) IN ('pending', 'running') AND coalesce(stages, 0) <> coalesce(there, 0))",
        "stages",
    ),
];

fn count(more: &mut More, from: Option<JobStatus>, to: JobStatus) {
    if let Some(from) = from {
        *more.entry(from).or_default() -= 1;
    }
    *more.entry(to).or_default() += 1;
}

fn add(to: &mut More, more: More) {
    for (status, more) in more {
        *to.entry(status).or_default() += more;
    }
}
