//! Whether what is in the file can have happened: stories of jobs, tries of stages, numbers of events.
//!
//! Owns what a host that keeps its promises never writes. Must not change anything, nor judge by clocks: somebody may
//! have set them back.

use crate::error::StoreError;
use rusqlite::Connection;

/// Jobs that a fault names as examples.
const EXAMPLES: usize = 3;

/// What cannot have happened, one line each.
pub(crate) fn faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    // Before there was such a note all events were kept.
    let is_noted = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'events_pruned')";
    let is_noted: bool = connection.query_row(is_noted, [], |row| row.get(0))?;
    let pruned = if is_noted { PRUNED } else { PRUNED_NOT };
    for (sql, what) in RULES {
        let mut find = connection.prepare(&format!("WITH {pruned}, {STORIES} {sql}"))?;
        let jobs = find.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        if !jobs.is_empty() {
            let some = jobs.iter().take(EXAMPLES).map(String::as_str).collect::<Vec<_>>().join(", ");
            faults.push(format!("{} {what}, for example {some}", jobs.len()));
        }
    }
    let missing = format!("WITH {pruned} {NUMBERS_MISSING}");
    let missing: i64 = connection.query_row(&missing, [], |row| row.get(0))?;
    if missing > 0 {
        faults.push(format!("{missing} numbers are missing between events"));
    }
    Ok(faults)
}

/// After those that are pruned up to the last one that there was.
const NUMBERS_MISSING: &str = "
SELECT abs(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) - through
    - (SELECT count(*) FROM events WHERE number > through)) FROM pruned";

/// Up to which number events are pruned, those of jobs that are not over left out; which jobs lack their first; which
/// go on after a failure; which were given binary data that is not there; and which have some that belongs to nothing.
const PRUNED: &str = "
pruned (through) AS (SELECT through FROM events_pruned),
    lacking (job) AS (SELECT id FROM jobs WHERE events_pruned > 0),
    tolerant (job) AS (SELECT id FROM jobs WHERE json_extract(pipeline, '$.fail_fast') = 0),
    bare (job) AS (SELECT id FROM jobs WHERE input_bytes IS NOT NULL
        AND (input IS NULL OR NOT EXISTS (SELECT 1 FROM blobs WHERE job = id AND stage = -1))),
    loose (job) AS (SELECT DISTINCT job FROM blobs WHERE NOT iif(stage < 0,
        (SELECT input IS NOT NULL FROM jobs WHERE id = blobs.job),
        EXISTS (SELECT 1 FROM stages WHERE job = blobs.job AND number = stage AND result IS NOT NULL)))";
const PRUNED_NOT: &str = "
pruned (through) AS (SELECT 0), lacking (job) AS (SELECT id FROM jobs WHERE FALSE),
    tolerant (job) AS (SELECT id FROM jobs WHERE FALSE), bare (job) AS (SELECT id FROM jobs WHERE FALSE),
    loose (job) AS (SELECT id FROM jobs WHERE FALSE)";

/// The transitions of each job, one after the other.
const STORIES: &str = "
    transitions AS (SELECT job, number, json_extract(kind, '$.payload.from') AS came,
        json_extract(kind, '$.payload.to') AS went FROM events
        WHERE CASE WHEN json_valid(kind) THEN json_extract(kind, '$.type') END = 'STATE_TRANSITION'),
    story AS (SELECT *, lag(went) OVER jobs AS was, lead(number) OVER jobs AS next FROM transitions
        WINDOW jobs AS (PARTITION BY job ORDER BY number))";

/// Each query finds the jobs that break a rule.
const RULES: [(&str, &str); 18] = [
    (
        "SELECT id FROM jobs WHERE (status IN ('completed', 'failed', 'cancelled')) <> (completed_at IS NOT NULL)",
        "jobs have ended without a time, or the other way round",
    ),
    ("SELECT id FROM jobs WHERE id NOT IN (SELECT job FROM stages)", "jobs have no stage"),
    (
        "SELECT DISTINCT id FROM jobs JOIN stages ON job = id
         WHERE jobs.status = 'completed' AND stages.status <> 'completed'
         AND NOT (stages.status = 'failed' AND id IN (SELECT job FROM tolerant))",
        "jobs are completed and a stage of theirs is not",
    ),
    (
        "SELECT DISTINCT id FROM jobs JOIN stages ON job = id
         WHERE jobs.status <> 'running' AND stages.status = 'running'",
        "jobs do not run and a stage of theirs does",
    ),
    (
        "SELECT DISTINCT job FROM attempts AS earlier WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM attempts
         WHERE job = earlier.job AND stage = earlier.stage AND number > earlier.number)",
        "jobs have a stage that was begun again before the try before had ended",
    ),
    (
        "SELECT DISTINCT attempts.job FROM attempts JOIN stages ON stages.job = attempts.job AND stage = stages.number
         WHERE attempts.ended_at IS NULL AND stages.status <> 'running'",
        "jobs have a stage that does not run and a try of it that has not ended",
    ),
    (
        // While its plugin is reloaded for a cancellation the try is over already.
        "SELECT DISTINCT id FROM jobs JOIN stages ON stages.job = id
         WHERE stages.status = 'running' AND cancel_phase IS NULL AND NOT EXISTS
            (SELECT 1 FROM attempts WHERE job = id AND stage = stages.number AND ended_at IS NULL)",
        "jobs have a stage that runs without a try",
    ),
    (
        "SELECT DISTINCT stages.job FROM stages WHERE stages.attempts <> (SELECT count(*) FROM attempts
            WHERE job = stages.job AND stage = stages.number AND number BETWEEN 1 AND stages.attempts)
         OR EXISTS (SELECT 1 FROM attempts
            WHERE job = stages.job AND stage = stages.number AND number NOT BETWEEN 1 AND stages.attempts)",
        "jobs have a stage with other tries than it counts",
    ),
    (
        "SELECT DISTINCT job FROM attempts WHERE (ended_at IS NULL) <> (outcome IS NULL)",
        "jobs have a try that ended without an outcome, or the other way round",
    ),
    ("SELECT DISTINCT job FROM events WHERE NOT json_valid(kind)", "jobs have events that cannot be read"),
    ("SELECT DISTINCT job FROM events WHERE job NOT IN (SELECT id FROM jobs)", "jobs have events and are not there"),
    (
        "SELECT DISTINCT job FROM story WHERE came IS NOT was AND (was IS NOT NULL OR job NOT IN (SELECT job FROM lacking))",
        "jobs have a transition that does not follow the one before",
    ),
    (
        "SELECT DISTINCT job FROM story WHERE came IN ('completed', 'failed', 'cancelled')",
        "jobs went on after their end",
    ),
    (
        "SELECT id FROM jobs JOIN story ON job = id WHERE next IS NULL AND went IS NOT status",
        "jobs are not as their last transition says",
    ),
    (
        "SELECT id FROM jobs WHERE id NOT IN (SELECT job FROM lacking) AND id NOT IN (SELECT job FROM transitions)",
        "jobs have no transition at all",
    ),
    (
        "SELECT id FROM jobs WHERE status IN ('pending', 'running') AND id IN (SELECT job FROM lacking)",
        "jobs are not over and lack events",
    ),
    (
        "SELECT id FROM jobs WHERE status IN ('pending', 'running') AND id IN (SELECT job FROM bare)",
        "jobs are not over and lack the binary data that they were given",
    ),
    ("SELECT job FROM loose", "jobs have binary data that nothing of theirs refers to"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Attempt, AttemptEnd, Op, apply};
    use crate::open::writable;
    use hardpoint_model::job::{EventKind, JobId, JobStatus, NewEvent, NewJob};
    use jiff::Timestamp;
    use serde_json::Map;
    use tempfile::TempDir;

    fn transition(job: JobId, from: Option<JobStatus>, to: JobStatus) -> Op {
        let kind = EventKind::StateTransition { from, to };
        let plugin_instance_id = "ocr".to_owned();
        let event = NewEvent { job_id: job, plugin_instance_id, stage: 0, timestamp: Timestamp::now(), kind };
        Op::Event(Box::new(event))
    }

    /// Accepted, tried twice, completed.
    fn life() -> Vec<Op> {
        use JobStatus::{Completed, Failed, Pending, Running};
        let now = Timestamp::now();
        let mut new = NewJob::of_tool("ocr".parse().unwrap(), "read".to_owned(), Map::new());
        let (id, stage) = (new.job.job_id, &mut new.job.stages[0]);
        (stage.status, stage.attempts) = (Completed, 2);
        (stage.started_at, stage.ended_at) = (Some(now), Some(now));
        new.job.status = Completed;
        (new.job.started_at, new.job.completed_at) = (Some(now), Some(now));
        let began =
            |number| Op::AttemptBegan(Attempt { job: id, stage: 0, number, incarnation: 1, started_at: now });
        let ended = |number, outcome| {
            let end = AttemptEnd { job: id, stage: 0, number, ended_at: now, outcome, error: None };
            Op::AttemptEnded(Box::new(end))
        };
        vec![
            Op::Submit(Box::new(new)),
            transition(id, None, Pending),
            began(1),
            transition(id, Some(Pending), Running),
            ended(1, Failed),
            transition(id, Some(Running), Pending),
            began(2),
            transition(id, Some(Pending), Running),
            ended(2, Completed),
            transition(id, Some(Running), Completed),
        ]
    }

    /// A database with two such jobs.
    fn sound() -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = writable(&folder.path().join("hardpoint.db")).unwrap();
        for _ in 0..2 {
            apply(&connection, &life()).unwrap();
        }
        (folder, connection)
    }

    #[track_caller]
    fn check(damage: &str, expected: &[&str]) {
        let (_folder, connection) = sound();
        assert_eq!(faults(&connection).unwrap(), Vec::<String>::new());
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(damage).unwrap();
        let found = faults(&connection).unwrap();
        assert_eq!(found.len(), expected.len(), "{damage}: {found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{damage}: {found}");
        }
    }

    #[test]
    fn whatever_cannot_have_happened_is_found_and_named() {
        let unlike = "jobs are not as their last transition says";
        let again = "begun again before the try before had ended";
        let other = "other tries than it counts";
        check(
            "UPDATE jobs SET completed_at = NULL WHERE position = 1",
            &["1 jobs have ended without a time"],
        );
        check("DELETE FROM stages; DELETE FROM attempts", &["2 jobs have no stage"]);
        check("UPDATE stages SET status = 'pending'", &["jobs are completed and a stage of theirs is not"]);
        check("UPDATE jobs SET status = 'failed'", &[unlike]);
        check(
            "UPDATE jobs SET status = 'pending', completed_at = NULL; UPDATE stages SET status = 'running'",
            &["jobs do not run and a stage of theirs does", "runs without a try", unlike],
        );
        check(
            "UPDATE attempts SET ended_at = NULL, outcome = NULL WHERE number = 1",
            &[again, "does not run and a try of it that has not ended"],
        );
        check("DELETE FROM attempts WHERE number = 1", &[other]);
        check("UPDATE attempts SET number = 3 WHERE number = 1", &[other]);
        check("UPDATE stages SET attempts = 3", &[other]);
        check("UPDATE stages SET attempts = 0; DELETE FROM attempts", &[]);
        check("UPDATE attempts SET outcome = NULL WHERE number = 2", &["ended without an outcome"]);
        check("UPDATE events SET kind = '{' WHERE number = 5", &["events that cannot be read", unlike]);
        check(
            "UPDATE events SET job = 'x' WHERE number = 5",
            &["jobs have events and are not there", "does not follow", unlike],
        );
    }

    #[test]
    fn a_job_that_ends_twice_or_not_as_it_was_told_is_found() {
        let gone_on = "jobs went on after their end";
        let does_not_follow = "a transition that does not follow the one before";
        let copy_of_the_end = "INSERT INTO events (job, stage, instance, at, kind)
            SELECT job, stage, instance, at, kind FROM events WHERE number = 5";
        check(copy_of_the_end, &[does_not_follow]);
        let back = "INSERT INTO events (job, stage, instance, at, kind) SELECT job, stage, instance, at,
            replace(replace(kind, 'completed', 'x'), 'running', 'completed') FROM events WHERE number = 5";
        check(back, &[gone_on, "not as their last transition says"]);
        check("DELETE FROM events WHERE number = 2", &[does_not_follow, "1 numbers are missing"]);
    }

    #[test]
    fn stories_whose_beginning_is_not_kept_any_more_are_no_fault_but_their_end_is() {
        let pruned = |through: u32| {
            format!(
                "UPDATE events_pruned SET through = {through}; DELETE FROM events WHERE number <= {through};
                 UPDATE jobs SET events_pruned = min({through}, position * 5) WHERE position * 5 - 5 < {through};"
            )
        };
        check(&pruned(3), &[]);
        check(&pruned(7), &[]);
        check(&pruned(10), &[]);
        let failed = "UPDATE jobs SET status = 'failed' WHERE position = 1";
        check(&format!("{} {failed}", pruned(3)), &["1 jobs are not as their last transition says"]);
        let alive = "UPDATE jobs SET status = 'pending', completed_at = NULL WHERE position = 1";
        check(&format!("{} {alive}", pruned(7)), &["1 jobs are not over and lack events"]);
        check(
            "DELETE FROM events WHERE number <= 3",
            &["does not follow", "3 numbers are missing between events"],
        );
        check("DELETE FROM events WHERE number = 10", &["not as their last transition says", "1 numbers"]);
    }

    #[test]
    fn binary_data_that_a_job_lacks_and_such_as_belongs_to_nothing_are_found() {
        let given = "UPDATE jobs SET input = '{}', input_bytes = 2 WHERE position = 1;
            INSERT INTO blobs (job, stage, number, length, data) SELECT id, -1, 0, 1, x'00' FROM jobs WHERE position = 1;";
        check(given, &[]);
        check(&format!("{given} UPDATE jobs SET input = NULL"), &["1 jobs have binary data that nothing"]);
        check(&format!("{given} UPDATE blobs SET stage = 0"), &["1 jobs have binary data that nothing"]);
        check(&format!("{given} UPDATE jobs SET input = NULL; DELETE FROM blobs"), &[]);
        let alive = "UPDATE jobs SET status = 'pending', completed_at = NULL WHERE position = 1";
        check(
            &format!("{given} DELETE FROM blobs; {alive}"),
            &["not as their last transition", "1 jobs are not over and lack the binary data"],
        );
    }
}
