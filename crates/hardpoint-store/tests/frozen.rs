//! Databases of every schema that was ever released: each opens, says what it said, and goes on.
//!
//! `tests/frozen/vN.db` was written by the program whose newest migration was number N, and `vN.json` is what that
//! program read from it. Neither is ever written again. Whoever adds a migration freezes what it makes:
//!
//! ```text
//! cargo nextest run -p hardpoint-store --run-ignored only the_present_schema_is_frozen
//! ```
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod content;

use content::{dump, event, fill, job};
use hardpoint_model::job::{EventKind, JobStatus};
use hardpoint_store::{JobFilter, Op, Store};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen")
}

/// The numbers that there is a file for.
fn versions() -> BTreeSet<u32> {
    let files = fs::read_dir(frozen()).unwrap().map(|entry| entry.unwrap().path());
    let databases = files.filter(|path| path.extension().is_some_and(|ending| ending == "db"));
    databases.map(|path| path.file_stem().unwrap().to_str().unwrap()[1..].parse().unwrap()).collect()
}

fn version_of(file: &Path) -> u32 {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
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

/// A newer program may say more, but nothing that was said may be missing or different.
#[track_caller]
fn says_at_least(now: &Value, then: &Value, at: &str) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (name, then) in then {
                says_at_least(now.get(name).unwrap_or(&Value::Null), then, &format!("{at}/{name}"));
            }
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{at}");
            for (number, (now, then)) in now.iter().zip(then).enumerate() {
                says_at_least(now, then, &format!("{at}/{number}"));
            }
        }
        (now, then) => assert_eq!(now, then, "{at}"),
    }
}

/// Goes on with a database: something is accepted, something that waited is ended.
async fn go_on(store: &Store) {
    let before = store.jobs(JobFilter { limit: 1, ..JobFilter::default() }).await.unwrap().count;
    let new = job(99, JobStatus::Pending);
    let accepted = EventKind::StateTransition { from: None, to: JobStatus::Pending };
    let ops = vec![Op::Submit(Box::new(new.clone().into())), event(&new, accepted)];
    store.commit(0, ops).await.unwrap();
    let mut waiting = store.alive().await.unwrap().remove(0).job;
    let ended = EventKind::StateTransition { from: Some(waiting.status), to: JobStatus::Cancelled };
    waiting.status = JobStatus::Cancelled;
    waiting.completed_at = Some(new.submitted_at);
    let ops = vec![Op::Job(Box::new(waiting.clone())), event(&waiting, ended)];
    store.commit(0, ops).await.unwrap();
    assert_eq!(store.job(waiting.job_id).await.unwrap().unwrap(), waiting);
    let after = store.jobs(JobFilter { limit: 1, ..JobFilter::default() }).await.unwrap().count;
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn a_database_of_every_released_schema_opens_says_what_it_said_and_goes_on() {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        let file = Store::path_in(folder.path());
        fs::copy(frozen().join(format!("v{version}.db")), &file).unwrap();
        assert_eq!(version_of(&file), version, "v{version}.db is of another version");
        let then: Value =
            serde_json::from_slice(&fs::read(frozen().join(format!("v{version}.json"))).unwrap()).unwrap();
        assert!(Store::check(&file).unwrap().is_sound(), "as it was found");
        {
            let store = Store::open(folder.path()).unwrap();
            says_at_least(&dump(&store).await, &then, &format!("v{version}"));
            go_on(&store).await;
            store.close().await;
        }
        assert_eq!(
            version_of(&file),
            *versions().last().unwrap(),
            "v{version}.db was not brought up to date"
        );
        let report = Store::check(&file).unwrap();
        assert!(report.is_sound(), "v{version}: {report:?}");
        assert_eq!(names(folder.path()), ["hardpoint.db"], "v{version}");
    }
}

#[tokio::test]
#[ignore = "adds a file to the repository; run by hand after a migration was added"]
async fn the_present_schema_is_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    fill(&store).await;
    let said = dump(&store).await;
    store.close().await;
    let file = Store::path_in(folder.path());
    assert_eq!(names(folder.path()), ["hardpoint.db"], "a part of it would be left out");
    let version = version_of(&file);
    // What is frozen is never written again.
    let new = |ending: &str| File::create_new(frozen().join(format!("v{version}.{ending}"))).unwrap();
    new("db").write_all(&fs::read(&file).unwrap()).unwrap();
    let mut json = new("json");
    serde_json::to_writer_pretty(&mut json, &said).unwrap();
    json.write_all(b"\n").unwrap();
}
