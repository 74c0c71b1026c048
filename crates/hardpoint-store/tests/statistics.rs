//! Totals of jobs: true after every change, in every order, and never counted from the rows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use hardpoint_model::job::{Job, JobStatus, NewJob};
use hardpoint_store::{Counts, Op, Statistics, Store};
use jiff::Timestamp;
use serde_json::Map;
use std::collections::BTreeMap;
use std::path::Path;

/// A job of two stages of one plugin.
fn job() -> Job {
    let mut job = NewJob::of_tool("ocr@fast".parse().unwrap(), "read".to_owned(), Map::new()).job;
    job.submitted_at = Timestamp::from_microsecond(job.submitted_at.as_microsecond()).unwrap();
    job.stages.push(job.stages[0].clone());
    job
}

async fn submit(store: &Store, job: &Job) {
    store.commit(0, vec![Op::Submit(Box::new(job.clone().into()))]).await.unwrap();
}

async fn set(store: &Store, job: &mut Job, status: JobStatus) {
    job.status = status;
    job.completed_at = status.is_terminal().then(Timestamp::now);
    let mut ops = vec![Op::Job(Box::new(job.clone()))];
    for (number, stage) in (0..).zip(&mut job.stages) {
        stage.status = status;
        ops.push(Op::Stage { job: job.job_id, number, stage: Box::new(stage.clone()) });
    }
    // The same again is no change.
    ops.push(Op::Job(Box::new(job.clone())));
    store.commit(0, ops).await.unwrap();
}

fn counts(pending: u64, running: u64, completed: u64) -> Counts {
    Counts { pending, running, completed, ..Counts::default() }
}

/// What the check of a database says of its counts.
fn faults(path: &Path) -> Vec<String> {
    let faults = Store::check(path).unwrap().faults;
    faults.into_iter().filter(|fault| fault.contains("counts of")).collect()
}

#[tokio::test]
async fn jobs_are_counted_as_they_come_change_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = Store::path_in(folder.path());
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.statistics().await.unwrap(), Statistics::default());
    let mut jobs: Vec<Job> = (0..3).map(|_| job()).collect();
    for job in &jobs {
        submit(&store, job).await;
    }
    set(&store, &mut jobs[0], JobStatus::Running).await;
    set(&store, &mut jobs[0], JobStatus::Completed).await;
    set(&store, &mut jobs[1], JobStatus::Running).await;
    let found = store.statistics().await.unwrap();
    assert_eq!(found.jobs, counts(1, 1, 1));
    assert_eq!(found.plugins, BTreeMap::from([("fast".to_owned(), counts(2, 2, 2))]));
    assert_eq!(found.oldest_pending, Some(jobs[2].submitted_at));
    // What does not fit is not counted.
    let refused = store.commit(0, vec![Op::Submit(Box::new(job().into())), Op::Job(Box::new(job()))]);
    refused.await.unwrap_err();
    assert_eq!(store.statistics().await.unwrap(), found);
    store.close().await;
    assert_eq!(faults(&path), Vec::<String>::new());
    // What is over stays counted when it is deleted.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM jobs WHERE status = 'completed'").unwrap();
    drop(database);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.statistics().await.unwrap(), found);
    store.close().await;
    assert_eq!(faults(&path), Vec::<String>::new());
}

#[tokio::test]
async fn a_submission_that_was_accepted_before_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for _ in 0..2 {
        let mut job = job();
        job.idempotency_key = Some("k".to_owned());
        submit(&store, &job).await;
    }
    assert_eq!(store.statistics().await.unwrap().jobs, counts(1, 0, 0));
}

#[tokio::test]
async fn a_count_that_is_wrong_is_found_by_the_check() {
    for (damage, expected) in [
        ("UPDATE job_counts SET jobs = 7 WHERE status = 'pending'", "1 counts of jobs are wrong"),
        ("DELETE FROM job_counts", "1 counts of jobs are wrong"),
        ("UPDATE stage_counts SET stages = 1", "1 counts of stages are wrong"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        submit(&store, &job()).await;
        store.close().await;
        let path = Store::path_in(folder.path());
        rusqlite::Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        assert_eq!(faults(&path), [expected], "{damage}");
    }
}
