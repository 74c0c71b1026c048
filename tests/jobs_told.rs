//! What a running job tells of itself, without being asked: how far it is, and what it uses.

use crate::jobs::{cancel, events, hand_in, until};
use crate::support::{PATIENCE, Server, Serving};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) fn told(server: &Server, id: &str, kind: &str) -> Vec<Value> {
    let all = events(server, Some(id), 0).into_iter();
    all.filter(|event| event["type"] == kind).map(|event| event["payload"].clone()).collect()
}

#[track_caller]
pub(crate) fn submit(server: &Server, plugin: &str, tool: &str, args: &Value) -> String {
    let reply = hand_in(server, plugin, tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_first_and_the_last_word_on_progress_are_told_and_few_between() {
    let server = Server::with(&["well"]);
    let id = submit(&server, "well", "progress", &json!({"n": 5000}));
    until(&server, &id, "completed");
    let said = told(&server, &id, "PROGRESS_CHANGED");
    assert!((2..20).contains(&said.len()), "{said:?}");
    let fractions: Vec<f64> = said.iter().map(|payload| payload["progress"].as_f64().unwrap()).collect();
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert_eq!(said.last().unwrap(), &json!({"progress": 1.0, "status_message": "step 5000 of 5000"}));
    server.stop();
}

#[test]
fn what_a_running_job_uses_is_measured_over_its_whole_tree() {
    let server = Serving::of(&["memory_hog", "py_loop"]).config("jobs: {snapshot_seconds: 0.3}").start();
    let busy = submit(&server, "py_loop", "spin", &json!({}));
    let large = submit(&server, "memory_hog", "allocate_in_child", &json!({"mb": 150, "hold_seconds": 600}));
    let figure = |id: &str, name: &str, above: f64| {
        let told = told(&server, id, "RESOURCE_SNAPSHOT");
        told.iter().any(|payload| payload["snapshot"][name].as_f64().unwrap() > above)
    };
    wait_until("the loop is seen to be busy", PATIENCE, || figure(&busy, "cpu_percent", 20.0));
    wait_until("the child's memory is counted", PATIENCE, || figure(&large, "memory_rss_mb", 150.0));
    let snapshot = told(&server, &large, "RESOURCE_SNAPSHOT").remove(0);
    let pid = &server.health("memory_hog")["pid"];
    assert_eq!(&snapshot["snapshot"]["worker_pid"], pid);
    for id in [&busy, &large] {
        cancel(&server, id);
        until(&server, id, "cancelled");
    }
    server.stop();
}

#[test]
fn what_is_measured_comes_at_the_pace_that_is_set_and_not_at_all_without_one() {
    let server = Serving::of(&["well"]).config("jobs: {snapshot_seconds: 0.2}").start();
    let begun = Instant::now();
    let id = submit(&server, "well", "nap", &json!({"seconds": 600}));
    let snapshots = |server: &Server, id: &str| told(server, id, "RESOURCE_SNAPSHOT").len();
    wait_until("it was measured five times", PATIENCE, || snapshots(&server, &id) >= 5);
    let (count, took) = (snapshots(&server, &id), begun.elapsed());
    assert!(took > Duration::from_millis(200) * u32::try_from(count).unwrap(), "{count} times in {took:?}");
    cancel(&server, &id);
    until(&server, &id, "cancelled");
    let server = server.stopped().config("jobs: {snapshot_seconds: 0}").start();
    let id = submit(&server, "well", "nap", &json!({"seconds": 1}));
    until(&server, &id, "completed");
    assert_eq!(snapshots(&server, &id), 0);
    server.stop();
}
