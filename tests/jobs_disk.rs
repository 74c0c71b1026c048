//! Disks that are full, read-only, locked or damaged under a running server: it says so, acknowledges nothing that is
//! not kept, answers everything that needs no disk, and goes on by itself when it can.

use crate::jobs::{hand_in, job, submit, until};
use crate::support::{Answer, Cli, Disk, PATIENCE, Reply, Server, Serving, run_tool};
use hardpoint_testkit::{soon, wait_until};
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A refusal for the sake of the disk says what is wrong, what to do and when to come back.
#[track_caller]
fn says(reply: &Reply, words: &str, remedy: &str) {
    let problem = reply.json();
    assert_eq!((reply.status, &problem["code"]), (503, &json!("store_unavailable")), "{problem:#}");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(problem["detail"].as_str().unwrap().contains(words), "{problem:#}");
    assert!(problem["hint"].as_str().unwrap().contains(remedy), "{problem:#}");
}

/// Everything that needs no new byte on the disk works.
#[track_caller]
fn goes_on(server: &Server, id: &str) {
    for path in ["/v1/health", "/v1/plugins", "/v1/plugins/well/health", "/v1/jobs", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(job(server, id)["job_id"], id);
    assert_eq!(server.get(&format!("/v1/jobs/{id}/events?follow=false")).status, 200);
    let (status, body) = run_tool(server, "well", "echo", &json!({"text": "a"}));
    assert_eq!(status, 200, "{body:#}");
}

/// Hands in jobs with large arguments until one is refused; the ids of those that were accepted, and the refusal.
fn until_refused(server: &Server, name: &str) -> (Vec<String>, Reply) {
    let mut accepted = Vec::new();
    for number in 0..1000 {
        let args = json!({"text": "x".repeat(50_000), "times": 1});
        let key = json!({"idempotency_key": format!("{name}-{number}")});
        let reply = hand_in(server, "well", "echo", &args, &key);
        if reply.status != 202 {
            return (accepted, reply);
        }
        accepted.push(reply.json()["job_id"].as_str().unwrap().to_owned());
    }
    panic!("nothing was refused");
}

/// Disables and enables the plugin until that is refused; what it was when that was last accepted.
fn until_no_decision_is_kept(server: &Server) -> bool {
    let mut enabled = true;
    for _ in 0..1000 {
        let verb = if enabled { "disable" } else { "enable" };
        let reply = server.post(&format!("/v1/plugins/well/{verb}"), None);
        if reply.status != 200 {
            says(&reply, "the disk is full", "free some space");
            assert_eq!(server.health("well")["enabled"], enabled, "what was refused has happened");
            return enabled;
        }
        enabled = !enabled;
    }
    panic!("nothing was refused");
}

/// `hardpoint db` on a data folder.
fn db(data: &Path, args: &[&str]) -> Answer {
    let mut cli = Cli::new(&[&["db"], args].concat());
    cli.command.env("HARDPOINT_DATA_DIR", data);
    cli.run()
}

#[track_caller]
fn is_sound(data: &Path) {
    let answer = db(data, &["check"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
}

/// The files of the database, by their endings.
fn files(data: &Path) -> Vec<String> {
    let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("hardpoint.db")).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_full_disk_loses_nothing_and_is_written_to_again_when_there_is_room() {
    let Some(disk) = Disk::in_memory(12) else { return };
    let server = Serving::of(&["well"]).data_in(&disk.path()).start();
    server.wait_for("well", "INITIALIZED");
    let running = submit(&server, "nap", &json!({"seconds": 2}), &json!({}));
    until(&server, &running, "running");
    disk.fill();
    let (mut accepted, refusal) = until_refused(&server, "full");
    says(&refusal, "the disk is full", "free some space");
    goes_on(&server, &running);
    let enabled = until_no_decision_is_kept(&server);
    // Its end is known, but not to the disk: nobody is told.
    server.wait_for("well", "INITIALIZED");
    assert_eq!(job(&server, &running)["status"], "running");
    is_sound(&server.data());
    let copy = server.here().join("copy.db");
    let backup = db(&server.data(), &["backup", copy.to_str().unwrap()]);
    assert_eq!(backup.code, 0, "{}", backup.stderr);
    let nowhere = db(&server.data(), &["backup", disk.path().join("copy.db").to_str().unwrap()]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("cannot be written (no storage space)"), "{}", nowhere.stderr);
    assert_eq!(server.get("/v1/jobs").json()["count"], accepted.len() + 1, "what was refused is kept");
    disk.free();
    until(&server, &running, "completed");
    if !enabled {
        assert_eq!(server.post("/v1/plugins/well/enable", None).status, 200);
    }
    wait_until("a job is accepted again", PATIENCE, || {
        let reply = hand_in(&server, "well", "echo", &json!({"text": "again"}), &json!({}));
        accepted.extend(reply.json()["job_id"].as_str().map(str::to_owned));
        reply.status == 202
    });
    for id in &accepted {
        assert_eq!(until(&server, id, "completed")["stages"][0]["attempts"], 1);
    }
    assert_eq!(server.get("/v1/jobs").json()["count"], accepted.len() + 1);
    let data = server.data();
    let serving = server.stopped();
    is_sound(&data);
    assert_eq!(files(&data), ["hardpoint.db"]);
    drop(serving);
}

#[test]
fn a_disk_that_fails_and_becomes_read_only_is_told_and_reads_go_on() {
    let Some(disk) = Disk::in_file(24) else { return };
    // A worker's folder is of no use on a disk that can be read only: it lies elsewhere.
    let scratch = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(scratch.path(), disk.path().join("scratch")).unwrap();
    let serving = Serving::of(&["well"]).data_in(&disk.path()).config("stop: {drain_seconds: 1}");
    let server = serving.start();
    let id = submit(&server, "echo", &json!({"text": "kept"}), &json!({}));
    until(&server, &id, "completed");
    disk.fail();
    let (accepted, refusal) = until_refused(&server, "read-only");
    assert_eq!(accepted.len(), 0);
    says(&refusal, "cannot be written to (Read-only file system", "--data-dir");
    goes_on(&server, &id);
    is_sound(&server.data());
    let copy = server.here().join("copy.db");
    assert_eq!(db(&server.data(), &["backup", copy.to_str().unwrap()]).code, 0);
    // Nor does a server begin there.
    let mut serving = server.stopped();
    let output = serving.command.stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("Read-only file system") && told.contains("--data-dir"), "{told}");
}

/// Another program that has a lock on a database until it is told to let go.
struct Lock(Child);

impl Lock {
    fn of(data: &Path, statements: &str) -> Self {
        let program = format!(
            "import sqlite3, sys\n\
             c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
             c.executescript({statements:?})\n\
             print('locked', flush=True)\n\
             sys.stdin.readline()\n\
             c.close()"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &program]).arg(data.join("hardpoint.db"));
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Self(child)
    }

    fn release(mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that does not start, and says so in these words.
#[track_caller]
fn refuses_to_start(serving: &mut Serving, words: &[&str]) {
    let output = serving.command.stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{told}");
    for word in words.iter().chain(&["hint:"]) {
        assert!(told.contains(word), "`{word}` is not in\n{told}");
    }
}

#[test]
fn a_database_that_another_program_has_locked_is_told_and_used_again_afterwards() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let id = submit(&server, "echo", &json!({"text": "kept"}), &json!({}));
    until(&server, &id, "completed");
    let running = submit(&server, "nap", &json!({"seconds": 1}), &json!({}));
    until(&server, &running, "running");
    let lock = Lock::of(&server.data(), "BEGIN IMMEDIATE");
    let refusal = hand_in(&server, "well", "echo", &json!({"text": "a"}), &json!({}));
    says(&refusal, "in use by another process", "end the program");
    server.wait_for("well", "INITIALIZED");
    goes_on(&server, &id);
    is_sound(&server.data());
    let copy = server.here().join("copy.db");
    assert_eq!(db(&server.data(), &["backup", copy.to_str().unwrap()]).code, 0);
    lock.release();
    until(&server, &running, "completed");
    let again = submit(&server, "echo", &json!({"text": "again"}), &json!({}));
    until(&server, &again, "completed");
    assert_eq!(server.get("/v1/jobs").json()["count"], 3);
    let mut serving = server.stopped();
    let lock = Lock::of(&serving.data(), "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    refuses_to_start(&mut serving, &["in use by another process", "end the program"]);
    for args in [&["check"][..], &["backup", "other.db"]] {
        let answer = db(&serving.data(), args);
        assert_eq!(answer.code, 5, "{}", answer.stderr);
        assert!(answer.stderr.contains("in use by another process"), "{}", answer.stderr);
    }
    lock.release();
    serving.start().stop();
}

/// Overwrites everything but the first page, as a disk that is dying or another program might.
fn damage(data: &Path) {
    // All of it is in the file itself, not in the log beside it.
    Lock::of(data, "PRAGMA wal_checkpoint(TRUNCATE)").release();
    let file = fs::File::options().write(true).open(data.join("hardpoint.db")).unwrap();
    let size = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all_at(&vec![0xff; size - 4096], 4096).unwrap();
}

#[test]
fn a_database_that_is_damaged_while_it_is_used_is_told_and_the_server_stays_up() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let args = json!({"text": "x".repeat(50_000)});
    let ids: Vec<String> = (0..20).map(|_| submit(&server, "echo", &args, &json!({}))).collect();
    for id in &ids {
        until(&server, id, "completed");
    }
    damage(&server.data());
    let refusal = hand_in(&server, "well", "echo", &args, &json!({}));
    says(&refusal, "the database is damaged", "hardpoint db check");
    let replies: Vec<Reply> = ids.iter().map(|id| server.get(&format!("/v1/jobs/{id}"))).collect();
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert!(!refused.is_empty(), "nothing of it was read from the disk");
    for reply in refused {
        says(reply, "the database is damaged", "hardpoint db check");
    }
    for path in ["/v1/health", "/v1/plugins/well/health", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "a"})).0, 200);
    let data = server.data();
    let checked = db(&data, &["check", "--json"]);
    assert_eq!((checked.code, &checked.json()["ok"]), (1, &json!(false)), "{}", checked.stdout);
    let copy = server.here().join("copy.db");
    let backup = db(&data, &["backup", copy.to_str().unwrap()]);
    assert_eq!(backup.code, 5, "{}", backup.stderr);
    assert!(backup.stderr.contains("the database is damaged") && !copy.exists(), "{}", backup.stderr);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    let mut serving = server.stopped();
    refuses_to_start(&mut serving, &["the database is damaged", "hardpoint db check"]);
}

#[test]
fn a_copy_that_is_made_while_jobs_come_and_go_is_whole() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let load = |name: usize| {
        for number in 0..100 {
            let key = json!({"idempotency_key": format!("{name}-{number}")});
            submit(&server, "echo", &json!({"text": "a"}), &key);
        }
    };
    let copies: Vec<_> = (0..4).map(|number| server.here().join(format!("copy-{number}.db"))).collect();
    std::thread::scope(|scope| {
        for name in 0..4 {
            scope.spawn(move || load(name));
        }
        wait_until("jobs come and go", PATIENCE, || {
            server.get("/v1/jobs?status=completed").json()["count"].as_u64() > Some(10)
        });
        for copy in &copies {
            let answer = db(&server.data(), &["backup", copy.to_str().unwrap()]);
            assert_eq!(answer.code, 0, "{}", answer.stderr);
        }
    });
    for copy in &copies {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(copy, folder.path().join("hardpoint.db")).unwrap();
        is_sound(folder.path());
        assert_eq!(files(folder.path()), ["hardpoint.db"]);
    }
    assert!(soon(PATIENCE, || server.get("/v1/jobs?status=completed").json()["count"] == 400));
    server.stop();
}

#[test]
fn an_orderly_stop_leaves_one_file_and_a_killed_server_s_files_are_taken_up() {
    let server = Server::with(&["well"]);
    let id = submit(&server, "echo", &json!({"text": "a"}), &json!({}));
    until(&server, &id, "completed");
    let serving = server.stopped();
    assert_eq!(files(&serving.data()), ["hardpoint.db"]);
    let server = serving.start();
    let id = submit(&server, "echo", &json!({"text": "a"}), &json!({}));
    until(&server, &id, "completed");
    let serving = server.killed();
    assert_eq!(files(&serving.data()), ["hardpoint.db", "hardpoint.db-shm", "hardpoint.db-wal"]);
    let server = serving.start();
    assert_eq!(job(&server, &id)["status"], "completed");
    let serving = server.stopped();
    is_sound(&serving.data());
    assert_eq!(files(&serving.data()), ["hardpoint.db"]);
}
