//! Letting go of events: which of them are not kept any more, and what is known of them afterwards.
//!
//! Owns `events_pruned`. A reader finds what can go, so that the writer is held up only by what does go, and by not
//! more than [`PRUNED_AT_ONCE`] of it. Events of a job that waits or runs are never let go. Numbers are never used again.
//!
//! ```text
//!   1 ............. through | through + 1 ............ last
//!   of jobs that are not    | every one of them
//!   over, or were not       |
//! ```

use crate::Store;
use crate::error::StoreError;
use crate::limits::{LOOKED_AT_ONCE, PRUNED_AT_ONCE};
use crate::rows::read_word;
use hardpoint_model::job::JobStatus;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Which events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The last ones, this many.
    pub count: u64,
    /// Of those only what has happened since.
    pub since: Timestamp,
}

/// What a look at some of the events brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many were let go.
    pub count: u64,
    /// Where the next look begins. `None`: there is nothing more to let go now.
    pub next: Option<u64>,
}

/// What can go.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    through: i64,
    numbers: Vec<i64>,
    /// The highest of them by job.
    jobs: BTreeMap<String, i64>,
}

impl Store {
    /// Lets go of events that need not be kept, of some of those with a higher number than `from`. Whoever begins at 0
    /// and goes on while there is a `next` has looked at all.
    pub async fn prune(&self, keep: Keep, from: u64) -> Result<Pruned, StoreError> {
        let (plan, next) = self.read(move |connection| plan(connection, keep, from)).await?;
        let Some(plan) = plan else { return Ok(Pruned { count: 0, next }) };
        let count = u64::try_from(plan.numbers.len()).unwrap_or(0);
        self.writer.prune(plan).await?;
        Ok(Pruned { count, next })
    }
}

/// What can go, and where the next look begins. What a reader sees to be over stays over.
fn plan(connection: &Connection, keep: Keep, from: u64) -> Result<(Option<Plan>, Option<u64>), StoreError> {
    let look = connection.unchecked_transaction()?;
    let (before, last) = (through(&look)?, last(&look)?);
    let too_many = last.saturating_sub(i64::try_from(keep.count).unwrap_or(i64::MAX));
    let mut plan = Plan { through: before, ..Plan::default() };
    let sql = "SELECT number, at, job, (SELECT status FROM jobs WHERE id = events.job) FROM events
               WHERE number > ?1 ORDER BY number LIMIT ?2";
    let mut find = look.prepare_cached(sql)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut found = find.query(params![from, LOOKED_AT_ONCE])?;
    let mut next = None;
    let mut looked = 0;
    while let Some(row) = found.next()? {
        let (number, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if number > before && number > too_many && at >= keep.since.as_microsecond() {
            break;
        }
        looked += 1;
        plan.through = plan.through.max(number);
        let status: Option<String> = row.get(3)?;
        let status = status.as_deref().map(read_word::<JobStatus>).transpose()?;
        if status.is_none_or(JobStatus::is_terminal) {
            plan.numbers.push(number);
            plan.jobs.insert(row.get(2)?, number);
        }
        if looked == LOOKED_AT_ONCE || plan.numbers.len() == PRUNED_AT_ONCE {
            next = u64::try_from(number).ok();
            break;
        }
    }
    let changes = plan.through > before || !plan.numbers.is_empty();
    Ok((changes.then_some(plan), next))
}

/// Carries out a plan inside a transaction of its own.
pub(crate) fn apply(connection: &mut Connection, plan: &Plan) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    transaction
        .prepare_cached("UPDATE events_pruned SET through = max(through, ?1)")?
        .execute([plan.through])?;
    let mut forget = transaction.prepare_cached("DELETE FROM events WHERE number = ?1")?;
    for number in &plan.numbers {
        forget.execute([number])?;
    }
    drop(forget);
    let sql = "UPDATE jobs SET events_pruned = max(events_pruned, ?2) WHERE id = ?1";
    let mut note = transaction.prepare_cached(sql)?;
    for (job, number) in &plan.jobs {
        note.execute(params![job, number])?;
    }
    drop(note);
    Ok(transaction.commit()?)
}

/// Up to which number events are pruned.
pub(crate) fn through(connection: &Connection) -> Result<i64, StoreError> {
    let mut find = connection.prepare_cached("SELECT through FROM events_pruned")?;
    Ok(find.query_row([], |row| row.get(0))?)
}

/// The number of the last event there was, whether it is kept or not.
pub(crate) fn last(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}
