//! The hooks of a plugin's life, and everything a call can say and hear, through the real server and the real worker.

use crate::jobs::{cancel, hand_in, story, until};
use crate::support::{PATIENCE, Reply, Server, TestHost, reply, request, run_tool};
use hardpoint_supervisor::Hook;
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const PLUGIN: &str = "hooks";

/// What the plugin has printed about its hooks, the log of its former lives included.
fn printed(server: &Server) -> Vec<String> {
    let lines = server.get(&format!("/v1/plugins/{PLUGIN}/logs?lines=1000")).json();
    let lines = lines.as_array().unwrap().iter().filter_map(|line| line["text"].as_str());
    lines.filter_map(|line| line.strip_prefix("hook: ")).map(str::to_owned).collect()
}

#[track_caller]
fn until_printed(server: &Server, line: &str) {
    wait_until(line, PATIENCE, || printed(server).iter().any(|printed| printed == line));
}

/// The hooks that this incarnation was called for.
fn calls(server: &Server) -> Value {
    let (status, body) = run_tool(server, PLUGIN, "calls", &json!({}));
    assert_eq!(status, 200, "{body:#}");
    body["result"].clone()
}

#[track_caller]
fn verb(server: &Server, verb: &str) {
    let reply = server.post(&format!("/v1/plugins/{PLUGIN}/{verb}"), None);
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[test]
fn every_hook_of_a_life_is_called_once_when_its_time_has_come() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let begun = json!([["initialize", {}], ["validate"]]);
    assert_eq!(calls(&server), begun);
    for one in ["prefetch", "disable", "enable"] {
        verb(&server, one);
    }
    let after = [&["prefetch"], &["on_disable"], &["on_enable"]].map(|hook| json!(hook));
    let expected: Vec<Value> = begun.as_array().unwrap().iter().cloned().chain(after).collect();
    assert_eq!(calls(&server), json!(expected));
    verb(&server, "restart");
    assert_eq!(calls(&server), begun, "a new incarnation begins from the start");
    verb(&server, "unload");
    let cleanups = printed(&server).iter().filter(|line| *line == "cleanup").count();
    assert_eq!(cleanups, 2, "once for each life that was ended in order");
    server.stop();
}

#[tokio::test]
async fn a_configuration_is_handed_over_changed_and_its_choices_told() {
    let host = TestHost::new();
    let mut spec = host.spec(PLUGIN);
    spec.config.persisted = json!({"language": "deu"}).as_object().unwrap().clone();
    let worker = host.start(spec).await.unwrap();
    let (old, new) = (json!({"language": "deu"}), json!({"language": "eng"}));
    let changed =
        worker.hook(Hook::Reconfigure { old: old.clone(), new: new.clone() }).await.unwrap().unwrap();
    assert_eq!(changed.result.value, "changed");
    let options = worker.hook(Hook::ConfigOptions).await.unwrap().unwrap().result.value;
    assert_eq!(options["language"]["options"][0]["value"], "deu");
    let calls = worker.call(request("calls", json!({}))).await.unwrap().unwrap().result.value;
    assert_eq!(calls, json!([["initialize", old], ["validate"], ["reconfigure", old, new]]));
    worker.stop(Duration::from_secs(5)).await;
    TestHost::assert_nothing_left();
}

/// The events of a streamed call.
fn events(server: &Server, tool: &str, args: &Value) -> Vec<Value> {
    let url = format!("{}/v1/plugins/{PLUGIN}/tools/{tool}/run", server.url());
    let asked = server.client().post(url).bearer_auth(server.token());
    let asked = asked.header("accept", "application/x-ndjson").json(&json!({"args": args}));
    let Reply { status, text, .. } = reply(asked);
    assert_eq!(status, 200, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_call_tells_its_progress_its_usage_and_its_items() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let told = events(&server, "work", &json!({"n": 4}));
    let of = |kind: &str| -> Vec<&Value> { told.iter().filter(|event| event["event"] == kind).collect() };
    let last = of("progress").pop().unwrap();
    assert_eq!(
        (&last["fraction"], &last["message"]),
        (&json!(1.0), &json!("step 4")),
        "the last is never lost"
    );
    assert_eq!(of("usage")[0]["usage"], json!({"pages": 4.0, "tokens_in": 2.5}));
    assert_eq!(told.last().unwrap()["result"], 4);
    let told = events(&server, "items", &json!({"n": 3}));
    let items: Vec<&Value> =
        told.iter().filter(|event| event["event"] == "item").map(|event| &event["item"]).collect();
    assert_eq!(items, [&json!(0), &json!(1), &json!(2)]);
    // In a job, progress is an event.
    let id = submit(&server, "work", &json!({"n": 4}));
    until(&server, &id, "completed");
    let asked = server.client().get(format!("{}/v1/jobs/{id}/events?follow=false", server.url()));
    let told = reply(asked.bearer_auth(server.token()).header("accept", "application/x-ndjson")).text;
    assert!(told.contains(r#""progress":1.0"#) && told.contains("step 4"), "{told}");
    server.stop();
}

fn submit(server: &Server, tool: &str, args: &Value) -> String {
    let reply = hand_in(server, PLUGIN, tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

/// Cancels a job once its tool has said that it is there; the plugin lives on.
#[track_caller]
fn cancelled(server: &Server, tool: &str, args: &Value, ready: impl Fn(&str) -> bool) {
    let before = server.wait_for(PLUGIN, "INITIALIZED")["incarnation"].clone();
    let id = submit(server, tool, args);
    wait_until("the tool is at it", PATIENCE, || printed(server).iter().any(|line| ready(line)));
    assert_eq!(cancel(server, &id).status, 202);
    until(server, &id, "cancelled");
    let phases = ["pending", "running", "COOPERATIVE", "COMPLETED", "cancelled"];
    assert_eq!(story(server, &id), phases, "nothing had to be forced");
    assert_eq!(server.wait_for(PLUGIN, "INITIALIZED")["incarnation"], before);
}

#[test]
fn a_cancelled_call_notices_by_looking_and_by_callbacks() {
    let server = Server::with(&[PLUGIN]);
    cancelled(&server, "watch", &json!({}), |line| line == "begun");
    until_printed(&server, "check_cancel raised");
    verb(&server, "restart");
    let begun = printed(&server).len();
    cancelled(&server, "called_back", &json!({}), |_| {
        printed(&server)[begun..].contains(&"begun".to_owned())
    });
    for line in ["first callback", "second callback"] {
        until_printed(&server, line);
    }
    assert!(!printed(&server).contains(&"no callback".to_owned()));
    server.stop();
}

#[test]
fn a_child_process_ends_with_the_call_that_waits_for_it() {
    let server = Server::with(&[PLUGIN]);
    let quiet = "trap '' TERM; echo hook: quiet; while :; do sleep 0.1; done";
    for (script, ready) in [("sleep 600", "child "), (quiet, "quiet")] {
        cancelled(&server, "child", &json!({"script": script}), |line| line.starts_with(ready));
        let lines = printed(&server);
        let child = lines.iter().rev().find_map(|line| line.strip_prefix("child ")).unwrap();
        assert!(!Path::new("/proc").join(child).exists(), "process {child} is there: {script}");
        verb(&server, "restart");
    }
    let (status, body) = run_tool(&server, PLUGIN, "child", &json!({"script": "exit 7"}));
    assert_eq!((status, &body["result"]), (200, &json!(7)), "{body:#}");
    server.stop();
}

/// Runs a tool for a caller who hangs up while it runs.
#[track_caller]
fn hang_up(server: &Server, accept: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = format!("{}/v1/plugins/{PLUGIN}/tools/watch/run", server.url());
    let asked = server.client().post(url).bearer_auth(server.token()).header("accept", accept);
    let asked = asked.json(&json!({"args": {}}));
    let call = runtime.spawn(async move { asked.send().await });
    wait_until("the call runs", PATIENCE, || server.health(PLUGIN)["state"] == "RUNNING");
    until_printed(server, "begun");
    call.abort();
}

#[test]
fn a_caller_who_hangs_up_cancels_the_plain_run_and_the_plugin_lives_on() {
    for accept in ["application/json", "application/x-ndjson"] {
        let server = Server::with(&[PLUGIN]);
        let before = server.wait_for(PLUGIN, "INITIALIZED")["incarnation"].clone();
        hang_up(&server, accept);
        until_printed(&server, "check_cancel raised");
        assert_eq!(server.wait_for(PLUGIN, "INITIALIZED")["incarnation"], before, "{accept}");
        assert_eq!(calls(&server), json!([["initialize", {}], ["validate"]]));
        server.stop();
    }
}

#[test]
fn a_plugin_hears_that_it_is_disabled_when_its_last_call_is_over_also_when_nobody_waits_for_that() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let begin = |server: &Server| {
        let reply = hand_in(server, PLUGIN, "watch", &json!({}), &json!({}));
        let id = reply.json()["job_id"].as_str().unwrap().to_owned();
        server.wait_for(PLUGIN, "RUNNING");
        id
    };
    let at_once = |server: &Server, verb: &str| {
        server.post(&format!("/v1/plugins/{PLUGIN}/{verb}?wait_seconds=0"), None).status
    };
    let ended = |server: &Server, id: &str| {
        cancel(server, id);
        until(server, id, "cancelled");
    };
    let switched = |server: &Server| {
        printed(server).into_iter().filter(|line| line.starts_with("on_")).collect::<Vec<_>>()
    };
    // Allowed again before it had to hear that it was not: neither hook.
    let id = begin(&server);
    assert_eq!(at_once(&server, "disable"), 202, "the call goes on");
    assert!(matches!(at_once(&server, "enable"), 200 | 202));
    ended(&server, &id);
    assert_eq!(switched(&server), Vec::<String>::new());
    let id = begin(&server);
    assert_eq!(at_once(&server, "disable"), 202);
    assert_eq!(switched(&server), Vec::<String>::new());
    ended(&server, &id);
    wait_until("it hears that it is disabled", PATIENCE, || switched(&server) == ["on_disable"]);
    verb(&server, "enable");
    verb(&server, "enable");
    assert_eq!(switched(&server), ["on_disable", "on_enable"]);
    server.stop();
}
