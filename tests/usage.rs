//! What calls use is measured while they run and remembered under the configuration that they were made with.

use crate::jobs::{hand_in, until};
use crate::support::{Cli, PATIENCE, Server, Serving, run_tool, to_the_end};
use hardpoint_testkit::{soon, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

fn records(server: &Server, plugin: &str) -> Vec<Value> {
    let reply = server.get(&format!("/v1/plugins/{plugin}/usage"));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["records"].as_array().unwrap().clone()
}

/// The record of the configuration that was used last, once it has so many calls.
#[track_caller]
fn after(server: &Server, plugin: &str, calls: u64) -> Value {
    let mut last = Value::Null;
    let came = soon(PATIENCE, || {
        last = records(server, plugin).first().cloned().unwrap_or_default();
        last["sample_count"] == calls
    });
    assert!(came, "{calls} calls were not recorded: {last:#}\n{}", server.log());
    last
}

fn figure(record: &Value, name: &str) -> f64 {
    record[name].as_f64().unwrap_or_else(|| panic!("{name} in {record:#}"))
}

fn used(server: &Server, args: &Value) -> u16 {
    run_tool(server, "measured", "use", args).0
}

fn config_hash(server: &Server) -> Value {
    server.get("/v1/plugins/measured").json()["config_hash"].clone()
}

#[test]
fn what_calls_use_is_recorded_under_the_configuration_of_that_time() {
    let server = Server::with(&["measured"]);
    server.wait_for("measured", "INITIALIZED");
    assert!(records(&server, "measured").is_empty());
    let small = json!({"mb": 0, "cpu_seconds": 0});
    assert_eq!(used(&server, &small), 200);
    let idle = after(&server, "measured", 1);
    assert_eq!(used(&server, &json!({"mb": 80, "cpu_seconds": 0.5})), 200);
    let record = after(&server, "measured", 2);
    // It had them for a moment only, in the middle of the call.
    let peak = figure(&record, "memory_mb_peak_max") - figure(&idle, "memory_mb_peak_max");
    assert!((60.0..120.0).contains(&peak), "{peak} MiB more: {record:#}");
    let cpu = 2.0 * figure(&record, "cpu_percent_mean") - figure(&idle, "cpu_percent_mean");
    assert!((20.0..150.0).contains(&cpu), "{cpu} %: {record:#}");
    assert!(figure(&record, "duration_seconds_mean") >= 0.25, "{record:#}");
    assert_eq!(used(&server, &json!({"mb": 0, "cpu_seconds": 0, "fail": true})), 400);
    let record = after(&server, "measured", 3);
    assert!((figure(&record, "success_rate") - 2.0 / 3.0).abs() < 1e-9, "{record:#}");
    assert_eq!(record["api_usage_totals"], json!({"tokens": 21.0, "pages": 3.0}));
    let (instance, plugin, before) = (&record["instance_id"], &record["plugin_name"], &record["config_hash"]);
    assert_eq!((instance, plugin), (&json!("measured"), &json!("measured")));
    assert_eq!(before, &config_hash(&server));
    // Another configuration, another record; the first one stays as it is.
    let change = server.send(Method::PATCH, "/v1/plugins/measured/config", Some(&json!({"quality": 7})));
    assert_eq!(change.status, 200, "{}", change.text);
    let now = config_hash(&server);
    assert_ne!(before, &now);
    assert_eq!(used(&server, &small), 200);
    let record = after(&server, "measured", 1);
    assert_eq!(record["config_hash"], now);
    assert_eq!(records(&server, "measured")[1]["sample_count"], 3);
    // Both outlive the server, and what comes next is added to them.
    let server = server.stopped().start();
    server.wait_for("measured", "INITIALIZED");
    assert_eq!(config_hash(&server), now);
    assert_eq!(used(&server, &small), 200);
    let record = after(&server, "measured", 2);
    assert_eq!(record["api_usage_totals"], json!({"tokens": 14.0, "pages": 2.0}));
    let all = records(&server, "measured");
    assert_eq!((all.len(), &all[1]["sample_count"], &all[1]["config_hash"]), (2, &json!(3), before));
    let metrics = server.get("/metrics").text;
    let peak = metrics.lines().find_map(|line| {
        line.strip_prefix("hardpoint_plugin_memory_peak_bytes{plugin=\"measured\"} ")?.parse::<u64>().ok()
    });
    assert!(peak.is_some_and(|peak| peak > 80 << 20), "{peak:?}");
    let mut cli = Cli::new(&["plugin", "usage", "measured"]).dir(server.here());
    cli.command.env("HARDPOINT_DATA_DIR", server.data());
    let shown = cli.run();
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for part in ["CONFIG", "CALLS", "14 tokens", "67 %"] {
        assert!(shown.stdout.contains(part), "{part} is not in\n{}", shown.stdout);
    }
    assert_eq!(server.get("/v1/plugins/nobody/usage").status, 404);
    server.stop();
}

#[test]
fn streams_tries_of_jobs_and_calls_that_end_their_worker_are_recorded_whoever_makes_them() {
    let server = Server::with(&["measured", "well", "segfault"]);
    for plugin in ["measured", "well", "segfault"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    let token = format!("Bearer {}", server.token());
    let path = "/v1/plugins/measured/tools/stream/run";
    // As one document, as lines, and over a WebSocket.
    assert_eq!(run_tool(&server, "measured", "stream", &json!({"items": 3})).0, 200);
    let request = server.client().post(format!("{}{path}", server.url())).bearer_auth(server.token());
    let request = request.header("accept", "application/x-ndjson").json(&json!({"args": {"items": 4}}));
    assert_eq!(crate::support::reply(request).status, 200);
    let stream = crate::support::connect(&server);
    let mut socket = crate::support::opened(&server, stream, path, &[("authorization", &token)]).unwrap();
    let first = json!({"args": {"items": 5}}).to_string();
    socket.send(tungstenite::Message::Text(first.into())).unwrap();
    to_the_end(&mut socket);
    assert_eq!(after(&server, "measured", 3)["api_usage_totals"], json!({"items": 12.0}));
    // Each try of a job; the second one is of another life of the worker, or of the same.
    let reply = hand_in(&server, "well", "fail", &json!({"kind": "transient"}), &json!({}));
    until(&server, reply.json()["job_id"].as_str().unwrap(), "failed");
    let record = after(&server, "well", 2);
    assert_eq!((&record["success_rate"], &record["api_usage_totals"]), (&json!(0.0), &json!({})));
    assert_eq!(run_tool(&server, "segfault", "crash", &json!({})).0, 502);
    let record = after(&server, "segfault", 1);
    assert_eq!(record["success_rate"], 0.0);
    assert!(figure(&record, "memory_mb_peak_max") > 1.0, "what was there before it is known: {record:#}");
    // What never came to the plugin is none of its calls.
    assert_eq!(run_tool(&server, "measured", "nothing", &json!({})).0, 400);
    assert_eq!(run_tool(&server, "measured", "in_a_child", &json!({"mb": 90})).0, 200);
    let record = after(&server, "measured", 4);
    assert!(figure(&record, "memory_mb_peak_max") > 90.0, "the child counts: {record:#}\n{}", server.log());
    // Another instance of the plugin has records of its own.
    let wanted = json!({"instance_id": "measured-2", "config": {"quality": 3}});
    assert_eq!(server.post("/v1/plugins/measured/instances", Some(&wanted)).status / 100, 2);
    server.wait_for("measured-2", "INITIALIZED");
    assert_eq!(run_tool(&server, "measured-2", "stream", &json!({"items": 2})).0, 200);
    let other = after(&server, "measured-2", 1);
    assert_eq!((&other["instance_id"], &other["plugin_name"]), (&json!("measured-2"), &json!("measured")));
    assert_ne!(other["config_hash"], record["config_hash"]);
    server.stop();
}

#[test]
fn nothing_is_recorded_where_that_is_switched_off() {
    let server = Serving::of(&["measured"]).config("usage: {record: false}").start();
    server.wait_for("measured", "INITIALIZED");
    assert_eq!(used(&server, &json!({"mb": 0, "cpu_seconds": 0})), 200);
    wait_until("the call is counted", PATIENCE, || server.health("measured")["success_count"] == 1);
    assert!(records(&server, "measured").is_empty());
    server.stop();
}
