//! The store on a real file: what was acknowledged is there, what was not is not, and trouble has a name.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use hardpoint_model::Category;
use hardpoint_model::JobError;
use hardpoint_model::Pipeline;
use hardpoint_model::document::Format;
use hardpoint_model::job::{Event, EventKind, Job, JobId, JobStatus, NewEvent, NewJob, Stage};
use hardpoint_store::{
    Attempt, AttemptEnd, BackupError, EventFilter, Form, JobFilter, KeptBlob, Op, Output, Store, StoreError,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn job(key: Option<&str>) -> Job {
    let stage = Stage {
        plugin: "ocr@fast".parse().unwrap(),
        tool: "read".to_owned(),
        args: Map::from_iter([("page".to_owned(), json!(7))]),
        status: JobStatus::Pending,
        attempts: 0,
        error: None,
        output_bytes: None,
        started_at: None,
        ended_at: None,
    };
    Job {
        job_id: JobId::now(),
        status: JobStatus::Pending,
        priority: 0,
        idempotency_key: key.map(str::to_owned),
        pipeline_id: None,
        pipeline_version: None,
        resumes: None,
        stages: vec![stage.clone(), stage],
        error: None,
        cancel_phase: None,
        submitted_at: now(),
        started_at: None,
        completed_at: None,
    }
}

/// Times are kept in microseconds.
fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap()
}

fn accepted(job: &Job) -> NewEvent {
    NewEvent {
        job_id: job.job_id,
        plugin_instance_id: "ocr".to_owned(),
        stage: 0,
        timestamp: now(),
        kind: EventKind::StateTransition { from: None, to: JobStatus::Pending },
    }
}

async fn submit(store: &Store, job: &Job) -> Vec<Event> {
    let ops = vec![Op::Submit(Box::new(job.clone().into())), Op::Event(Box::new(accepted(job)))];
    store.commit(0, ops).await.unwrap().events
}

/// What a stage brought, with binary data of both kinds.
fn half() -> Output {
    let blobs =
        vec![KeptBlob::Inline(vec![0, 1, 255]), KeptBlob::File { name: "a-1".to_owned(), length: 100_000 }];
    let value = json!({"text": "half", "image": {"$blob": 0}, "more": {"$blob": 1}});
    Output { value, form: Form::Wire, blobs, bytes: 20 }
}

#[tokio::test]
async fn a_job_comes_back_as_it_was_also_after_the_store_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = job(Some("key"));
    {
        let store = Store::open(folder.path()).unwrap();
        submit(&store, &expected).await;
        expected.status = JobStatus::Failed;
        expected.error = Some(JobError::new(Category::Fatal, "RuntimeError", "no"));
        expected.completed_at = Some(now());
        expected.stages[0].status = JobStatus::Failed;
        expected.stages[0].attempts = 1;
        let stage = Box::new(expected.stages[0].clone());
        let attempt =
            Attempt { job: expected.job_id, stage: 0, number: 1, incarnation: 3, started_at: now() };
        let end = AttemptEnd {
            job: expected.job_id,
            stage: 0,
            number: 1,
            ended_at: now(),
            outcome: JobStatus::Failed,
            error: expected.error.clone(),
        };
        let ops = vec![
            Op::AttemptBegan(attempt),
            Op::AttemptEnded(Box::new(end)),
            Op::Stage { job: expected.job_id, number: 0, stage },
            Op::Result { job: expected.job_id, stage: 1, output: Box::new(half()) },
            Op::Job(Box::new(expected.clone())),
        ];
        store.commit(0, ops).await.unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    expected.stages[1].output_bytes = Some(20);
    assert_eq!(store.job(expected.job_id).await.unwrap().unwrap(), expected);
    assert_eq!(store.output(expected.job_id, 1).await.unwrap(), Some(half()));
    assert_eq!(store.job(JobId::now()).await.unwrap(), None);
    assert_eq!(Store::check(store.path()).unwrap().damage, Vec::<String>::new());
    let contents = Store::contents(store.path()).unwrap();
    assert_eq!(contents.results[&(expected.job_id, 1)], half().value);
    let [tried] = contents.attempts.as_slice() else { unreachable!("{:?}", contents.attempts) };
    assert_eq!((tried.began.number, tried.began.incarnation), (1, 3));
    let end = tried.ended.as_ref().unwrap();
    assert_eq!((end.outcome, &end.error), (JobStatus::Failed, &expected.error));
    assert_eq!((contents.jobs.as_slice(), contents.events.len()), ([expected].as_slice(), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_thousand_writers_at_once_are_numbered_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let store = store.clone();
        writers.spawn(async move { submit(&store, &job(None)).await[0].number });
    }
    let mut numbers = writers.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1000).collect::<Vec<u64>>());
    let filter = EventFilter { since: 990, limit: 1000, ..EventFilter::default() };
    let events = store.events(filter).await.unwrap().events;
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), (991..=1000).collect::<Vec<_>>());
    let alive = store.alive().await.unwrap();
    assert_eq!(alive.len(), 1000);
}

#[tokio::test]
async fn the_same_key_submits_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let first = job(Some("monday"));
    submit(&store, &first).await;
    let again = job(Some("monday"));
    let ops = vec![Op::Submit(Box::new(again.clone().into())), Op::Event(Box::new(accepted(&again)))];
    let committed = store.commit(0, ops).await.unwrap();
    assert_eq!((committed.already, committed.events), (Some(first.job_id), Vec::new()));
    assert_eq!(store.jobs(JobFilter { limit: 10, ..JobFilter::default() }).await.unwrap().count, 1);
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_whole_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (known, unknown) = (job(None), job(None));
    submit(&store, &known).await;
    let bad = store.commit(0, vec![Op::Event(Box::new(accepted(&known))), Op::Job(Box::new(unknown))]);
    let good = store.commit(0, vec![Op::Event(Box::new(accepted(&known)))]);
    let (bad, good) = tokio::join!(bad, good);
    assert!(matches!(bad, Err(StoreError::Conflict(_))), "{bad:?}");
    assert_eq!(good.unwrap().events[0].number, 2, "the number of the refused event is given out again");
}

#[tokio::test]
async fn jobs_are_listed_by_status_and_plugin_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut ids = Vec::new();
    for number in 0..25 {
        let mut job = job(None);
        if number % 5 == 0 {
            job.status = JobStatus::Completed;
        }
        submit(&store, &job).await;
        ids.push(job.job_id);
    }
    ids.reverse();
    let filter = JobFilter { limit: 10, plugin: Some("ocr".to_owned()), ..JobFilter::default() };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.jobs(JobFilter { before, ..filter.clone() }).await.unwrap();
        assert_eq!(page.count, 25);
        seen.extend(page.jobs.iter().map(|job| job.job_id));
        let Some(next) = page.next else { break };
        before = Some(next);
    }
    assert_eq!(seen, ids);
    let some = store.jobs(JobFilter { skip: 3, limit: 4, ..filter.clone() }).await.unwrap();
    let some: Vec<_> = some.jobs.iter().map(|job| job.job_id).collect();
    assert_eq!(some, ids[3..7]);
    assert!(store.jobs(JobFilter { skip: 25, ..filter }).await.unwrap().jobs.is_empty());
    let done = JobFilter { statuses: vec![JobStatus::Completed], limit: 100, ..JobFilter::default() };
    assert_eq!(store.jobs(done).await.unwrap().count, 5);
    let other = JobFilter { plugin: Some("oc".to_owned()), limit: 100, ..JobFilter::default() };
    assert_eq!(store.jobs(other).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_copy_made_while_it_is_written_to_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for _ in 0..50 {
        submit(&store, &job(None)).await;
    }
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..200 {
                submit(&store, &job(None)).await;
            }
        }
    });
    let (from, to) = (store.path().to_owned(), folder.path().join("copy.db"));
    let copied = to.clone();
    tokio::task::spawn_blocking(move || Store::backup(&from, &copied)).await.unwrap().unwrap();
    writing.await.unwrap();
    let report = Store::check(&to).unwrap();
    assert!(report.is_sound() && report.jobs >= 50, "{report:?}");
}

#[test]
fn a_copy_never_takes_the_place_of_a_file_and_leaves_nothing_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let (from, to) = (Store::path_in(folder.path()), folder.path().join("copy.db"));
    fs::write(&to, "mine").unwrap();
    let taken = Store::backup(&from, &to).unwrap_err();
    assert!(matches!(taken, BackupError::Taken(_)), "{taken}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "mine");
    let nowhere = Store::backup(&from, &folder.path().join("gone/copy.db")).unwrap_err();
    assert!(matches!(nowhere, BackupError::Target { .. }), "{nowhere}");
    assert!(
        nowhere.to_string().ends_with("cannot be written (No such file or directory (os error 2))"),
        "{nowhere}"
    );
    fs::write(&from, "this is not a database, by any measure".repeat(50)).unwrap();
    let damaged = Store::backup(&from, &folder.path().join("other.db")).unwrap_err();
    assert!(matches!(damaged, BackupError::Store(StoreError::Corrupt(_))), "{damaged}");
    assert_eq!(names(folder.path()), ["copy.db", "hardpoint.db"]);
}

/// What is in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_store_that_is_closed_is_one_file_and_refuses_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let clone = store.clone();
    let job = job(None);
    let ops = vec![Op::Submit(Box::new(job.clone().into())), Op::Event(Box::new(accepted(&job)))];
    let (committed, ()) = tokio::join!(store.commit(0, ops), store.close());
    committed.unwrap();
    assert_eq!(names(folder.path()), ["hardpoint.db"]);
    assert_eq!(clone.commit(0, Vec::new()).await, Err(StoreError::Closed));
    assert_eq!(clone.job(job.job_id).await, Err(StoreError::Closed));
    clone.close().await;
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.job(job.job_id).await.unwrap(), Some(job));
    // Whoever only looks leaves nothing, either; not even while it is in use.
    assert!(Store::check(store.path()).unwrap().is_sound());
    drop(store);
    assert_eq!(names(folder.path()), ["hardpoint.db"]);
    assert!(Store::check(&Store::path_in(folder.path())).unwrap().is_sound());
    assert_eq!(names(folder.path()), ["hardpoint.db"]);
}

#[tokio::test]
async fn what_stands_apart_is_not_refused_with_others_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let plugin = |name: &str| Op::Plugin { name: name.to_owned(), enabled: Some(false), unloaded: None };
    store.commit(0, vec![Op::PagesMax(1)]).await.unwrap();
    let large = "x".repeat(500_000);
    assert_eq!(store.enqueue_apart(vec![plugin(&large)]).await, Err(StoreError::Full));
    assert_eq!(store.trouble(), Some(StoreError::Full));
    store.commit(0, vec![plugin("a")]).await.unwrap();
    assert_eq!(store.trouble(), None);
    assert_eq!(store.commit(0, vec![plugin(&large)]).await, Err(StoreError::Full));
    assert_eq!(store.commit(0, vec![plugin("b")]).await, Err(StoreError::Full));
    store.enqueue_apart(vec![plugin("c")]).await.unwrap();
    store.commit(1, vec![plugin("d")]).await.unwrap();
    let kept: Vec<String> = store.plugins().await.unwrap().into_keys().collect();
    assert_eq!(kept, ["a", "c", "d"]);
}

#[tokio::test]
async fn what_is_kept_can_be_read_by_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    submit(&store, &job(None)).await;
    Store::backup(store.path(), &folder.path().join("copy.db")).unwrap();
    for file in ["hardpoint.db", "hardpoint.db-wal", "hardpoint.db-shm", "copy.db"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_was_decided_about_a_plugin_is_kept_and_what_was_not_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let decide = |enabled, unloaded| vec![Op::Plugin { name: "ocr".to_owned(), enabled, unloaded }];
    for (enabled, unloaded, expected) in [
        (None, Some(true), (None, true)),
        (Some(false), None, (Some(false), true)),
        (None, Some(false), (Some(false), false)),
        (Some(true), Some(true), (Some(true), true)),
    ] {
        store.enqueue_apart(decide(enabled, unloaded)).await.unwrap();
        let found = store.plugins().await.unwrap()["ocr"];
        assert_eq!((found.enabled, found.unloaded), expected);
    }
}

fn refused(folder: &Path) -> StoreError {
    Store::open(folder).map(|_| ()).expect_err("it opened")
}

#[test]
fn a_file_that_is_no_database_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hardpoint.db"), "this is not a database, by any measure".repeat(50))
        .unwrap();
    assert!(matches!(refused(folder.path()), StoreError::Corrupt(_)));
}

#[test]
fn a_folder_that_is_not_there_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(refused(&folder.path().join("gone")), StoreError::ReadOnly(_)));
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let kept = job(None);
    submit(&store, &kept).await;
    store.commit(0, vec![Op::PagesMax(40)]).await.unwrap();
    let mut acknowledged = vec![kept.job_id];
    let full = loop {
        let mut large = job(None);
        large.stages[0].args = Map::from_iter([("text".to_owned(), Value::from("x".repeat(20_000)))]);
        match store.commit(0, vec![Op::Submit(Box::new(large.clone().into()))]).await {
            Ok(_) => acknowledged.push(large.job_id),
            Err(error) => break error,
        }
    };
    assert_eq!(full, StoreError::Full);
    for id in &acknowledged {
        assert!(store.job(*id).await.unwrap().is_some(), "{id} was acknowledged and is gone");
    }
    assert_eq!(
        store.jobs(JobFilter { limit: 1, ..JobFilter::default() }).await.unwrap().count,
        acknowledged.len() as u64
    );
    let behind = store.commit(0, vec![Op::PagesMax(100_000)]).await;
    assert_eq!(behind, Err(StoreError::Full), "it overtook what was refused");
    store.commit(1, vec![Op::PagesMax(100_000)]).await.unwrap();
    let ops = vec![Op::Submit(Box::new(job(None).into()))];
    store.commit(1, ops).await.unwrap();
}

#[tokio::test]
async fn a_saved_pipeline_keeps_its_versions_and_knows_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let of = |text: &str| Box::new(Pipeline::parse(text, "p", Format::Json).unwrap());
    let save = async |text: &str| {
        let op = Op::SavePipeline { id: "read".to_owned(), definition: of(text), at: now() };
        store.commit(0, vec![op]).await.unwrap().version.unwrap()
    };
    let first = r#"[{"plugin": "scan", "tool": "load"}, {"plugin": "ocr", "tool": "read"}]"#;
    assert_eq!(save(first).await, 1);
    assert_eq!(save(r#"[{"plugin": "ocr", "tool": "read"}]"#).await, 2);
    let latest = store.saved_pipeline("read".to_owned(), None).await.unwrap().unwrap();
    assert_eq!((latest.version, latest.definition.stages.len()), (2, 1));
    let old = store.saved_pipeline("read".to_owned(), Some(1)).await.unwrap().unwrap();
    assert_eq!((old.version, &old.definition, old.created_at), (1, &*of(first), latest.created_at));
    assert_eq!(store.saved_pipelines().await.unwrap(), [latest]);
    let mut run = NewJob::of_pipeline(old.definition);
    (run.job.pipeline_id, run.job.pipeline_version) = (Some("read".to_owned()), Some(1));
    run.job.status = JobStatus::Completed;
    let (id, began) = (run.job.job_id, now());
    let attempt = Attempt { job: id, stage: 1, number: 1, incarnation: 1, started_at: began };
    let ended_at = began + std::time::Duration::from_millis(250);
    let (outcome, error) = (JobStatus::Completed, None);
    let end = AttemptEnd { job: id, stage: 1, number: 1, ended_at, outcome, error };
    let ops =
        vec![Op::Submit(Box::new(run.clone())), Op::AttemptBegan(attempt), Op::AttemptEnded(Box::new(end))];
    store.commit(0, ops).await.unwrap();
    assert_eq!(store.pipeline_of(id).await.unwrap(), run.pipeline);
    let runs = store.pipeline_runs("read".to_owned()).await.unwrap();
    assert_eq!((runs.runs, runs.completed, runs.failed), (1, 1, 0));
    assert_eq!(runs.stage_ms, [vec![], vec![250.0]]);
    store.commit(0, vec![Op::DeletePipeline("read".to_owned())]).await.unwrap();
    assert_eq!(store.saved_pipeline("read".to_owned(), None).await.unwrap(), None);
    assert_eq!(store.pipeline_runs("read".to_owned()).await.unwrap().runs, 1, "its runs stay");
}

#[tokio::test]
async fn the_oldest_outputs_go_first_when_there_are_too_many_or_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let mut job = job(None);
        (job.status, job.completed_at) = (JobStatus::Completed, Some(now()));
        submit(&store, &job).await;
        let output = Box::new(Output { bytes: 100, ..half() });
        store.commit(0, vec![Op::Result { job: job.job_id, stage: 0, output }]).await.unwrap();
        jobs.push(job.job_id);
    }
    let long_ago = Timestamp::UNIX_EPOCH;
    assert_eq!(store.outputs_beyond(500, long_ago, 10).await.unwrap(), []);
    assert_eq!(store.outputs_beyond(250, long_ago, 10).await.unwrap(), jobs[..3]);
    assert_eq!(store.outputs_beyond(250, long_ago, 2).await.unwrap(), jobs[..2]);
    assert_eq!(store.outputs_beyond(500, Timestamp::now(), 10).await.unwrap(), jobs);
    assert_eq!(store.files_of(jobs[0], 1).await.unwrap(), ["a-1"]);
    store.commit(0, vec![Op::ForgetOutputs(jobs[0])]).await.unwrap();
    assert_eq!(store.output(jobs[0], 0).await.unwrap(), None);
    assert_eq!(store.files_of(jobs[0], 1).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.outputs_beyond(250, long_ago, 10).await.unwrap(), jobs[1..3]);
}

#[tokio::test]
async fn a_job_can_begin_with_what_the_stages_of_another_brought() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (failed, next) = (job(None), job(None));
    submit(&store, &failed).await;
    let output = Box::new(half());
    store.commit(0, vec![Op::Result { job: failed.job_id, stage: 0, output }]).await.unwrap();
    let files = vec![("a-1".to_owned(), "b-1".to_owned())];
    let resume = Op::Resume { job: next.job_id, from: failed.job_id, stages: 1, files };
    store.commit(0, vec![Op::Submit(Box::new(next.clone().into())), resume]).await.unwrap();
    let mut expected = half();
    expected.blobs[1] = KeptBlob::File { name: "b-1".to_owned(), length: 100_000 };
    assert_eq!(store.output(next.job_id, 0).await.unwrap(), Some(expected));
    assert_eq!(store.output(failed.job_id, 0).await.unwrap(), Some(half()));
}
