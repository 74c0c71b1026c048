//! A job that is cancelled is gone soon, with its memory and its children, whatever it is doing.

use crate::jobs::{cancel, events, hand_in, job, until};
use crate::support::{PATIENCE, Server, Serving};
use hardpoint_process::{Process, tree_of};
use hardpoint_testkit::{marked_processes, soon, wait_until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(1);
/// What may pass after the grace period until nothing is left.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// How often it is tried on a machine that has other things to do.
const TRIES: usize = 3;
/// Memory that an interpreter may keep for itself.
const KEPT_MB: u64 = 40;

/// A server with one plugin, and a job of it that runs.
fn running(plugin: &str, tool: &str, args: &Value) -> (Server, String) {
    let server = Serving::of(&[plugin]).config("jobs: {cancel_grace_seconds: 1}").start();
    server.wait_for(plugin, "INITIALIZED");
    let id = hand_in(&server, plugin, tool, args, &json!({})).json()["job_id"].as_str().unwrap().to_owned();
    until(&server, &id, "running");
    server.wait_for(plugin, "RUNNING");
    (server, id)
}

/// Resident memory of everything that a host has started, its shims apart, in MiB.
fn resident_mb(host: u32) -> u64 {
    let of_host = marked_processes().into_iter().filter(|one| one.is_of_host(host));
    of_host.map(|one| one.process.resident_bytes()).sum::<u64>() >> 20
}

/// Cancels a job; the phases that it went through, and how long its work went on.
#[track_caller]
fn cancelled(server: &Server, id: &str) -> (Vec<String>, Duration) {
    assert_eq!(cancel(server, id).status, 202);
    until(server, id, "cancelled");
    let told = events(server, Some(id), 0);
    let phases: Vec<(String, Timestamp)> = told
        .iter()
        .filter(|event| event["type"] == "CANCEL_PHASE_CHANGED")
        .map(|event| {
            let at = event["timestamp"].as_str().unwrap().parse().unwrap();
            (event["payload"]["to"].as_str().unwrap().to_owned(), at)
        })
        .collect();
    // From then on the plugin only comes up again.
    let gone = phases.iter().find(|(phase, _)| phase == "RELOADING" || phase == "COMPLETED").unwrap();
    let lasted = gone.1.duration_since(phases[0].1).try_into().unwrap();
    (phases.into_iter().map(|(phase, _)| phase).collect(), lasted)
}

/// It is gone within the grace period and a moment; a worker that lives has nothing left of it. A busy machine only adds
/// time: the shortest of a few tries counts.
#[track_caller]
fn check(plugin: &str, tool: &str, args: &Value, expected: &[&str]) {
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES {
        let (server, id) = running(plugin, tool, args);
        let (phases, lasted) = cancelled(&server, &id);
        assert_eq!(phases, expected, "{plugin}.{tool}");
        let health = server.wait_for(plugin, "INITIALIZED");
        let worker = Process(u32::try_from(health["pid"].as_u64().unwrap()).unwrap());
        wait_until("nothing is below the worker", PATIENCE, || tree_of(worker).is_empty());
        server.stop();
        shortest = shortest.min(lasted);
        if shortest <= GRACE + AFTERWARDS {
            return;
        }
    }
    panic!("{plugin}.{tool} went on for {shortest:?}");
}

#[test]
fn a_sleeping_tool_is_gone_within_the_grace_period() {
    check("well", "sleep", &json!({"seconds": 600}), &["COOPERATIVE", "COMPLETED"]);
}

#[test]
fn a_loop_in_python_is_gone_within_the_grace_period() {
    check("py_loop", "spin", &json!({}), &["COOPERATIVE", "COMPLETED"]);
}

#[test]
fn a_loop_in_c_that_holds_the_interpreter_is_gone_soon_after_the_grace_period() {
    check("c_loop", "spin", &json!({}), &["COOPERATIVE", "FORCE", "RELOADING", "COMPLETED"]);
}

#[test]
fn a_stream_is_gone_within_the_grace_period() {
    check("well", "tick", &json!({"seconds": 80}), &["COOPERATIVE", "COMPLETED"]);
}

#[test]
fn a_tree_of_detached_children_is_gone_within_the_grace_period_and_its_worker_lives() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pids");
    let args = json!({"count": 30, "ending": "hang", "pid_file": pid_file});
    let (server, id) = running("fork_bomb", "spread", &args);
    let mut pids = Vec::new();
    wait_until("all children are there", PATIENCE, || {
        let text = fs::read_to_string(&pid_file).unwrap_or_default();
        pids = text.lines().filter_map(|line| line.parse().ok()).map(Process).collect();
        pids.len() == 30
    });
    assert!(pids.iter().all(|process| process.is_alive()));
    let worker = server.health("fork_bomb")["pid"].clone();
    let (phases, lasted) = cancelled(&server, &id);
    assert_eq!(phases, ["COOPERATIVE", "COMPLETED"]);
    assert!(lasted <= GRACE + PATIENCE, "{lasted:?}");
    wait_until("the children are gone", PATIENCE, || !pids.iter().any(|process| process.is_alive()));
    assert_eq!(server.wait_for("fork_bomb", "INITIALIZED")["pid"], worker);
    server.stop();
}

#[test]
fn what_a_cancelled_job_held_in_memory_is_given_back() {
    for (tool, plugin) in [("allocate", "memory_hog"), ("allocate_in_child", "memory_hog")] {
        let server = Serving::of(&[plugin]).config("jobs: {cancel_grace_seconds: 1}").start();
        server.wait_for(plugin, "INITIALIZED");
        let before = resident_mb(server.pid());
        let args = json!({"mb": 180, "hold_seconds": 600});
        let reply = hand_in(&server, plugin, tool, &args, &json!({}));
        let id = reply.json()["job_id"].as_str().unwrap().to_owned();
        wait_until("it holds its memory", PATIENCE, || resident_mb(server.pid()) >= before + 170);
        let (_, lasted) = cancelled(&server, &id);
        assert!(lasted <= GRACE + PATIENCE, "{tool} went on for {lasted:?}");
        let returned = soon(PATIENCE, || resident_mb(server.pid()) <= before + KEPT_MB);
        assert!(returned, "{tool}: {} MiB, {before} MiB before", resident_mb(server.pid()));
        server.stop();
    }
}

#[test]
fn what_a_tool_returns_after_it_was_cancelled_is_discarded() {
    let (server, id) = running("well", "finish_when_cancelled", &json!({}));
    let (phases, _) = cancelled(&server, &id);
    assert_eq!(phases, ["COOPERATIVE", "COMPLETED"]);
    assert_eq!(server.get(&format!("/v1/jobs/{id}/result")).json()["code"], "no_result");
    assert_eq!(job(&server, &id)["error"], Value::Null);
    server.stop();
}
