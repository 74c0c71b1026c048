//! Everything that is in the file, at once: for whoever judges a host from outside.
//!
//! Owns one long look. Must not be used by a host: it holds all of it in memory.

use crate::Store;
use crate::error::StoreError;
use crate::op::{Attempt, AttemptEnd};
use crate::open::readable;
use crate::read::with_stages;
use crate::rows;
use hardpoint_model::job::{Event, Job, JobId};
use rusqlite::{Connection, Row};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// All that is in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// The jobs, in the order of their submission.
    pub jobs: Vec<Job>,
    /// What stages brought.
    pub results: BTreeMap<(JobId, u32), Value>,
    /// The tries, by job, stage and number.
    pub attempts: Vec<Tried>,
    /// The events that are kept, in order.
    pub events: Vec<Event>,
}

/// A try, over or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// How it began.
    pub began: Attempt,
    /// How it ended, if it has.
    pub ended: Option<AttemptEnd>,
}

impl Store {
    /// Everything, read without changing anything. Waits for the disk: not for a runtime's threads.
    pub fn contents(path: &Path) -> Result<Contents, StoreError> {
        let mut connection = readable(path)?;
        // One picture of the file, whatever is written meanwhile.
        let connection = connection.transaction()?;
        let jobs = all(&connection, "SELECT * FROM jobs ORDER BY position", rows::job)?;
        let jobs = jobs.into_iter().map(|job| with_stages(&connection, job)).collect::<Result<_, _>>()?;
        let results = all(&connection, "SELECT * FROM stages WHERE result IS NOT NULL", rows::result)?;
        let attempts = all(&connection, "SELECT * FROM attempts ORDER BY job, stage, number", rows::tried)?;
        let events = all(&connection, "SELECT * FROM events ORDER BY number", rows::event)?;
        Ok(Contents { jobs, results: results.into_iter().collect(), attempts, events })
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut find = connection.prepare(sql)?;
    let mut found = find.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read(row)?);
    }
    Ok(rows)
}
