//! What was measured to go wrong at the host that plugins of the dialect `cjm` were written for: not here.

use crate::dialects::class_of;
use crate::jobs::{hand_in, job, until};
use crate::support::{Server, Serving, run_tool};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;

fn server_of(entry: &str) -> Server {
    let serving =
        Serving::empty().config("restart: {policy: always, attempts_max: 100, delays_seconds: [0]}");
    class_of(&serving, "cjm-duck", "duck", "cjm", entry);
    serving.start()
}

#[test]
fn a_killed_worker_of_a_foreign_plugin_is_told_by_its_signal_every_time_and_nothing_is_run_twice() {
    let server = server_of("cjm_duck:Mortal");
    let mark = server.here().join("mark");
    let mut told = BTreeSet::new();
    for _ in 0..20 {
        server.wait_for("duck", "INITIALIZED");
        let (status, answer) = run_tool(&server, "duck", "execute", &json!({"kwargs": {"mark": mark}}));
        told.insert((status, answer["error_type"].to_string(), answer["error"].to_string()));
    }
    let told: Vec<_> = told.into_iter().collect();
    let [(502, kind, message)] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!(kind, "\"WorkerCrashed\"");
    assert!(message.contains("SIGKILL") && !message.to_lowercase().contains("memory"), "{message}");
    assert_eq!(std::fs::read_to_string(&mark).unwrap().len(), 20, "each call ran once");
    server.wait_for("duck", "INITIALIZED");
    let reply = hand_in(&server, "duck", "execute", &json!({"kwargs": {"mark": mark}}), &json!({}));
    let id = reply.json()["job_id"].as_str().unwrap().to_owned();
    until(&server, &id, "failed");
    assert_eq!(job(&server, &id)["stages"][0]["attempts"], 1);
    assert_eq!(std::fs::read_to_string(&mark).unwrap().len(), 21, "nobody allowed a second try");
    server.stop();
}

#[test]
fn a_foreign_stream_whose_worker_is_killed_keeps_its_items_and_ends_with_a_typed_error() {
    let server = server_of("cjm_duck:Mortal");
    server.wait_for("duck", "INITIALIZED");
    let request = server
        .client()
        .post(format!("{}/v1/plugins/duck/tools/execute_stream/run", server.url()))
        .bearer_auth(server.token())
        .header("accept", "application/x-ndjson")
        .json(&json!({"args": {"kwargs": {"count": 20}}}));
    let reply = crate::support::reply(request);
    let lines: Vec<Value> = reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let items = lines.iter().filter(|line| line["event"] == "item").count();
    let last = lines.last().unwrap();
    assert_eq!((items, &last["event"], &last["error_type"]), (20, &json!("error"), &json!("WorkerCrashed")));
    server.stop();
}

#[test]
fn loads_at_the_same_time_give_one_worker_and_everybody_hears_of_it() {
    let serving = Serving::empty();
    class_of(&serving, "cjm-duck", "duck", "cjm", "cjm_duck:Duck");
    let server = serving.config("plugins: {duck: {enabled: false}}").start();
    assert_eq!(server.post("/v1/plugins/duck/enable?wait_seconds=0", None).status / 100, 2);
    let replies: Vec<Value> = thread::scope(|scope| {
        let load = || {
            let reply = server.post("/v1/plugins/duck/load", None);
            assert_eq!(reply.status, 200, "{}", reply.text);
            reply.json()
        };
        let loads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    });
    let pids: BTreeSet<String> = replies.iter().map(|plugin| plugin["pid"].to_string()).collect();
    assert_eq!(pids.len(), 1, "{replies:#?}");
    assert!(replies.iter().all(|plugin| plugin["state"] == "INITIALIZED" && plugin["incarnation"] == 1));
    server.stop();
}

#[test]
fn a_foreign_plugin_with_a_config_that_does_not_fit_starts_no_plugin_code_and_leaves_no_process() {
    let serving = Serving::empty();
    class_of(&serving, "cjm-duck", "duck", "cjm", "cjm_duck:Duck");
    let manifest = serving.plugins().join("duck/hardpoint.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}[config]\ntag = 7\nnope = 1\n")).unwrap();
    let server = serving.start();
    let health = server.wait_for("duck", "UNAVAILABLE");
    let reason = health["reason"].as_str().unwrap();
    assert!(reason.contains("tag") && reason.contains("nope"), "{reason}");
    assert!(health["hint"].as_str().unwrap().contains("hardpoint plugin config duck"), "{health:#}");
    assert_eq!(health["pid"], Value::Null);
    server.stop();
}
