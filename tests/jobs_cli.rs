//! `hardpoint job` and `hardpoint db`: what people see, what scripts get.

use crate::events::figure;
use crate::support::{Answer, Cli, PATIENCE, Server, Serving};
use hardpoint_testkit::wait_until;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Child;

/// A command that finds the server by its data folder alone.
fn asking(server: &Server, args: &[&str]) -> Cli {
    let mut cli = Cli::new(args).dir(server.here());
    cli.command.env("HARDPOINT_DATA_DIR", server.data()).env("HARDPOINT_PLUGINS_DIR", "/nowhere");
    cli
}

#[track_caller]
fn ask(server: &Server, args: &[&str], code: i32) -> Answer {
    let answer = asking(server, args).run();
    assert_eq!(answer.code, code, "{args:?}: {}{}", answer.stdout, answer.stderr);
    answer
}

/// Hands in a job; its id.
#[track_caller]
fn submit(server: &Server, args: &[&str]) -> String {
    let answer = ask(server, &[&["job", "submit", "well"], args].concat(), 0);
    answer.stdout.trim().to_owned()
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in\n{text}");
    }
}

#[track_caller]
fn until_running(server: &Server, id: &str) {
    wait_until("the job runs", PATIENCE, || {
        server.get(&format!("/v1/jobs/{id}")).json()["status"] == "running"
    });
}

#[test]
fn a_job_is_handed_in_looked_at_and_its_result_shown() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    says(&ask(&server, &["job", "list"], 0).stderr, &["no such job", "job submit"]);
    let id = submit(&server, &["echo", "text=007", "times=2", "--priority", "-3", "--key", "k1"]);
    assert_eq!(submit(&server, &["echo", "text=007", "--key", "k1"]), id);
    says(&ask(&server, &["job", "wait", &id], 0).stdout, &[&id, "well.echo", "completed"]);
    assert_eq!(ask(&server, &["job", "wait", &id, "--json"], 0).json()["status"], "completed");
    assert_eq!(ask(&server, &["job", "result", &id], 0).stdout, "007007\n");
    let result = ask(&server, &["job", "result", &id, "--json"], 0).json();
    assert_eq!((&result["ok"], &result["result"]), (&json!(true), &json!("007007")));
    says(&ask(&server, &["job", "show", &id], 0).stdout, &["well.echo", "007", "-3", "k1", "submitted"]);
    assert_eq!(ask(&server, &["job", "show", &id, "--json"], 0).json()["priority"], -3);
    says(&ask(&server, &["job", "list"], 0).stdout, &["ID", "STATUS", &id, "completed", "well.echo"]);
    says(&ask(&server, &["job", "stats"], 0).stdout, &["PLUGIN", "COMPLETED", "well", "jobs in all"]);
    assert_eq!(ask(&server, &["job", "stats", "--json"], 0).json()["total_completed"], 1);
    for (args, count) in [
        (&["--status", "completed"][..], 1),
        (&["--status", "failed", "--status", "pending"], 0),
        (&["--plugin", "well"], 1),
        (&["--plugin", "nobody"], 0),
    ] {
        let listed = ask(&server, &[&["job", "list", "--json"], args].concat(), 0).json();
        assert_eq!(listed["count"], count, "{args:?}: {listed:#}");
    }
    server.stop();
}

#[test]
fn the_list_goes_on_where_a_page_ended() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let ids: Vec<String> = (0..3).map(|_| submit(&server, &["pid"])).collect();
    let page = ask(&server, &["job", "list", "--limit", "2", "--json"], 0).json();
    assert_eq!((&page["count"], page["jobs"].as_array().unwrap().len()), (&json!(3), 2));
    let told = ask(&server, &["job", "list", "--limit", "2"], 0).stderr;
    let cursor = told.split("--cursor ").nth(1).unwrap().split('`').next().unwrap();
    let rest = ask(&server, &["job", "list", "--json", "--cursor", cursor], 0).json();
    assert_eq!(rest["jobs"][0]["job_id"], ids[0].as_str());
    assert_eq!(rest["next"], Value::Null);
    server.stop();
}

#[test]
fn waiting_at_once_shows_the_result_and_a_failed_job_is_exit_code_one() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let submit = |args: &[&str], code| ask(&server, &[&["job", "submit", "well"], args].concat(), code);
    assert_eq!(submit(&["echo", "text=a", "--wait"], 0).stdout, "a\n");
    let done = submit(&["big", "n_bytes=3", "--wait", "--json"], 0).json();
    assert_eq!(done["result"], json!({"$bytes": "AAEC"}));
    let failed = submit(&["fail", "kind=fatal", "--wait"], 1);
    says(&failed.stderr, &["the model is broken (FatalError)", "hint:", "hardpoint plugin logs well"]);
    ask(&server, &["plugin", "restart", "well"], 0);
    let failed = submit(&["fail", "kind=input", "--wait", "--json"], 1).json();
    assert_eq!((&failed["ok"], &failed["category"]), (&json!(false), &json!("user_input")));
    let listed = ask(&server, &["job", "list", "--status", "failed", "--json"], 0).json();
    let id = listed["jobs"][0]["job_id"].as_str().unwrap();
    ask(&server, &["job", "wait", id], 1);
    ask(&server, &["job", "result", id], 1);
    server.stop();
}

#[test]
fn a_job_that_waits_is_reordered_and_cancelled_and_one_that_runs_is_waited_for_in_vain() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let running = submit(&server, &["nap", "seconds=600"]);
    until_running(&server, &running);
    let waiting = submit(&server, &["echo", "text=a"]);
    says(&ask(&server, &["job", "result", &waiting], 2).stderr, &["no result yet", "job wait"]);
    says(&ask(&server, &["job", "reorder", &waiting, "-7"], 0).stdout, &[&waiting, "priority -7"]);
    assert_eq!(ask(&server, &["job", "show", &waiting, "--json"], 0).json()["priority"], -7);
    ask(&server, &["job", "reorder", &running, "1"], 2);
    says(&ask(&server, &["job", "cancel", &waiting], 0).stdout, &[&waiting, "cancelled"]);
    says(&ask(&server, &["job", "wait", &running, "--timeout", "0"], 4).stderr, &["running"]);
    let child = asking(&server, &["job", "wait", &running]).start();
    ask(&server, &["job", "cancel", &running], 0);
    assert_eq!(Answer::of(child).code, 1);
    let result = ask(&server, &["job", "result", &running, "--json"], 1).json();
    assert_eq!(result["ok"], false);
    let nobody = "00000000-0000-7000-8000-000000000000";
    for verb in ["show", "wait", "result", "cancel"] {
        says(&ask(&server, &["job", verb, nobody], 2).stderr, &["error:", "hint:"]);
    }
    ask(&server, &["job", "show", "17"], 2);
    ask(&server, &["job", "submit", "nobody", "x"], 2);
    server.stop();
}

/// A command that goes on; its lines as they come.
fn following(server: &Server, args: &[&str]) -> (Child, impl FnMut() -> Option<String> + use<>) {
    let mut child = asking(server, args).start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, move || lines.next().map(Result::unwrap))
}

#[test]
fn events_are_followed_as_they_happen_and_taken_up_after_a_restart() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let first = submit(&server, &["echo", "text=a"]);
    ask(&server, &["job", "wait", &first], 0);
    let told = ask(&server, &["job", "events", &first], 0).stdout;
    says(&told, &["accepted, pending", "pending -> running", "running -> completed", "well:"]);
    assert_eq!(told.lines().count(), 3, "{told}");
    let (child, mut line) = following(&server, &["job", "events", "--follow", "--json"]);
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap();
    for expected in 1..=3 {
        assert_eq!(number(&line().unwrap()), expected);
    }
    submit(&server, &["nap", "seconds=600"]);
    assert_eq!((number(&line().unwrap()), number(&line().unwrap())), (4, 5));
    // The next one has another address, and is found all the same.
    let server = server.killed().start();
    assert_eq!(number(&line().unwrap()), 6);
    interrupt(&child);
    let told = Answer::of(child);
    assert_eq!(told.code, 0, "{}", told.stderr);
    says(&told.stderr, &["note:", "waiting for it to come back"]);
    let args = ["job", "events", "--follow", "--json", "--since", "5", "--gone-max", "1"];
    let (child, mut line) = following(&server, &args);
    assert_eq!(number(&line().unwrap()), 6);
    let mut last = 6;
    let serving = server.killed();
    let why = std::iter::from_fn(&mut line).find(|line| match serde_json::from_str::<Value>(line) {
        Ok(event) => {
            last = event["number"].as_u64().unwrap();
            false
        }
        Err(_) => true,
    });
    assert_eq!(why.as_deref(), Some("{"), "why it ended is a document, too");
    let rest = Answer::of(child);
    assert_eq!(rest.code, 6);
    let again = format!("hardpoint job events --since {last} --follow");
    let rest: String = std::iter::from_fn(line).collect();
    says(&rest, &["has not come back for 1 s", &again]);
    drop(serving);
}

/// Waits until so many follow what happens.
#[track_caller]
fn watched(server: &Server, by: u64) {
    wait_until("it is watched", PATIENCE, || figure(server, "hardpoint_event_followers") == by);
}

fn interrupt(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn whoever_waits_sees_how_it_goes_and_may_leave_without_ending_the_job() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    // Without a terminal it is a line for what matters; the error has one remedy.
    let failed = ask(&server, &["job", "submit", "well", "fail", "kind=transient", "--wait"], 1);
    let lines: Vec<&str> = failed.stderr.lines().collect();
    assert_eq!(lines[..3], ["well.fail: pending", "well.fail: running", "well.fail: pending"], "{lines:#?}");
    says(&failed.stderr, &["tried again after TransientError", "well.fail: running, try 2", "error:"]);
    assert_eq!(failed.stderr.matches("hint:").count(), 1, "{}", failed.stderr);
    let before = submit(&server, &["nap", "seconds=600"]);
    let child = asking(&server, &["job", "submit", "well", "progress", "n=3", "--wait"]).start();
    watched(&server, 1);
    ask(&server, &["job", "cancel", &before], 0);
    let told = Answer::of(child);
    assert_eq!((told.code, told.stdout.as_str()), (0, "3\n"), "{}", told.stderr);
    says(&told.stderr, &["well.progress: pending", "well.progress: running, ", "step"]);
    // Whoever leaves is told how to end it; nothing else ends it.
    let running = submit(&server, &["nap", "seconds=600"]);
    let mut child = asking(&server, &["job", "wait", &running]).start();
    let mut shown = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(shown.by_ref().any(|line| line == "well.nap: running"));
    interrupt(&child);
    let rest: Vec<String> = shown.collect();
    says(&rest.join("\n"), &["the job goes on", &format!("`hardpoint job cancel {running}` ends it")]);
    assert_eq!(Answer::of(child).code, 130);
    assert_eq!(ask(&server, &["job", "show", &running, "--json"], 0).json()["status"], "running");
    // Whoever waits across a restart of the server sees the end all the same.
    watched(&server, 0);
    let child = asking(&server, &["job", "wait", &running, "--json"]).start();
    watched(&server, 1);
    let server = server.killed().start();
    ask(&server, &["job", "cancel", &running], 0);
    let over = Answer::of(child);
    assert_eq!((over.code, over.stderr.as_str()), (1, ""), "{}", over.stdout);
    assert_eq!(over.json()["status"], "cancelled");
    server.stop();
}

#[test]
fn without_a_server_jobs_say_how_to_start_one() {
    let data = tempfile::tempdir().unwrap();
    let mut cli = Cli::new(&["job", "list"]);
    cli.command.env("HARDPOINT_DATA_DIR", data.path()).env("HARDPOINT_LISTEN", "127.0.0.1:1");
    let answer = cli.run();
    assert_eq!(answer.code, 6, "{}", answer.stderr);
    says(&answer.stderr, &["no server answers", "`hardpoint serve`"]);
}

#[test]
fn the_database_is_checked_and_copied_while_a_server_uses_it_and_afterwards() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    says(&ask(&server, &["db", "check"], 0).stdout, &["is sound: 0 jobs"]);
    let id = submit(&server, &["echo", "text=a", "--wait"]);
    assert_eq!(id, "a");
    let report = ask(&server, &["db", "check", "--json"], 0).json();
    assert_eq!((&report["ok"], &report["jobs"], &report["last_event"]), (&json!(true), &json!(1), &json!(3)));
    says(&ask(&server, &["db", "backup", "copy.db"], 0).stdout, &["copy.db", "KB"]);
    says(&ask(&server, &["db", "backup", "copy.db"], 2).stderr, &["is there already", "hint:"]);
    let copy = server.here().join("copy.db");
    // A server goes on from the copy.
    let other = Serving::empty();
    fs::copy(&copy, other.data().join("hardpoint.db")).unwrap();
    let other = other.start();
    assert_eq!(other.get("/v1/jobs").json()["count"], 1);
    says(&ask(&other, &["db", "check"], 0).stdout, &["1 jobs"]);
    other.stop();
    let serving = server.stopped();
    let offline = |args: &[&str]| {
        let mut cli = Cli::new(args);
        cli.command.env("HARDPOINT_DATA_DIR", serving.data());
        cli.run()
    };
    says(&offline(&["db", "check"]).stdout, &["1 jobs"]);
    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xff);
    fs::write(serving.data().join("hardpoint.db"), bytes).unwrap();
    for beside in ["hardpoint.db-wal", "hardpoint.db-shm"] {
        let _ = fs::remove_file(serving.data().join(beside));
    }
    let damaged = offline(&["db", "check"]);
    assert_eq!(damaged.code, 1, "{}{}", damaged.stdout, damaged.stderr);
    says(&damaged.stderr, &["is not sound", "hint:", "backup"]);
    assert_eq!(offline(&["db", "check", "--json"]).json()["ok"], false);
    let nowhere = Cli::new(&["db", "check", "--data-dir", "/nowhere"]).run();
    assert_eq!(nowhere.code, 2);
    says(&nowhere.stderr, &["there is no database", "--data-dir"]);
}
