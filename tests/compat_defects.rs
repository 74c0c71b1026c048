//! What went wrong at the host that plugins of the forgesyte contract were written for, and does not here.

use crate::access::new_token;
use crate::compat_jobs::{id, image, until};
use crate::dialects::{class_of, ran};
use crate::jobs::hand_in;
use crate::support::{PATIENCE, Server, Serving, next, reply, run_tool};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use tungstenite::Message;

/// A server with classes of the plain test plugins beside others.
fn serving(plugins: &[&str], classes: &[(&str, &str)]) -> Serving {
    let serving = Serving::of(plugins);
    for (name, entry) in classes {
        class_of(&serving, "forgesyte-plain", name, "forgesyte", entry);
    }
    serving
}

fn started(plugins: &[&str], classes: &[(&str, &str)], ready: &[&str]) -> Server {
    let server = serving(plugins, classes).start();
    for name in ready {
        server.wait_for(name, "INITIALIZED");
    }
    server
}

const RESULTS: (&str, &str) = ("results", "fs_plain.results:Plugin");

fn run_within(server: &Server, plugin: &str, tool: &str, args: &Value, seconds: f64) -> (u16, Value) {
    let body = json!({"args": args, "timeout_seconds": seconds});
    let reply = server.post(&format!("/v1/plugins/{plugin}/tools/{tool}/run"), Some(&body));
    (reply.status, reply.json())
}

/// What one tool brings over MCP: the text as a document, read by a strict parser.
fn over_mcp(server: &Server, plugin: &str, options: &Value) -> Value {
    let params = json!({"name": plugin, "arguments": {"image": "AAEC", "options": options}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let answer = server.post("/v1/mcp", Some(&body)).json();
    let text = answer["result"]["content"][0]["text"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("{answer:#}"))).unwrap()
}

/// What the tools of one frame bring.
fn over_the_stream(server: &Server, plugin: &str, tool: &str) -> Value {
    let mut socket = server.socket(&format!("/v1/stream?plugin={plugin}"));
    let frame = json!({"type": "frame", "data": "AAEC", "tools": [tool]});
    socket.send(Message::text(frame.to_string())).unwrap();
    let _hello = next(&mut socket);
    match next(&mut socket) {
        crate::support::Said::Document(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tool_that_blocks_keeps_neither_health_nor_other_plugins_waiting_and_ends_at_its_limit() {
    let server = started(&["forgesyte-media"], &[RESULTS], &["media", "results"]);
    for how in ["sleep", "spin"] {
        server.wait_for("results", "INITIALIZED");
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| {
                let began = Instant::now();
                let (status, body) = run_within(&server, "results", "sleep", &json!({"how": how}), 1.0);
                (status, body["error_type"].clone(), began.elapsed())
            });
            server.wait_for("results", "RUNNING");
            let mut took: Vec<Duration> = (0..20)
                .map(|_| {
                    let began = Instant::now();
                    assert_eq!(server.get("/v1/health").status, 200);
                    began.elapsed()
                })
                .collect();
            took.sort();
            assert!(took[10] < Duration::from_millis(50), "{took:?}");
            assert_eq!(ran(&server, "media", "say", &json!({"text": "a"})), json!({"text": "a"}));
            let (status, kind, took) = blocked.join().unwrap();
            assert_eq!((status, kind), (408, json!("TimeoutError")), "{how}");
            // The limit, the grace period, and what a busy machine adds.
            assert!(took < Duration::from_secs(3), "{how}: it was answered after {took:?}");
        });
    }
    server.stop();
}

#[test]
fn a_tool_that_ends_its_process_costs_its_own_plugin_alone() {
    let server = started(&["forgesyte-media"], &[RESULTS], &["media", "results"]);
    for (how, kind, detail) in [("exit", "exit_code", json!(7)), ("null", "signal", json!("SIGSEGV"))] {
        let (status, body) = run_tool(&server, "results", "die", &json!({"how": how}));
        assert_eq!((status, &body["error_type"]), (502, &json!("WorkerCrashed")), "{body:#}");
        let reason = &body["exit_reason"];
        let found = if how == "exit" { &reason["code"] } else { &reason["name"] };
        assert_eq!((&reason["kind"], found), (&json!(kind), &detail), "{body:#}");
        let health = server.health("results");
        assert_eq!(health["state"], "FAILED", "{health:#}");
        assert!(health["reason"].is_string());
        let (status, body) = run_tool(&server, "results", "result", &json!({"kind": "list"}));
        assert_eq!((status, &body["error_type"]), (503, &json!("PluginUnavailable")), "{body:#}");
        assert_eq!(run_tool(&server, "media", "say", &json!({"text": "a"})).0, 200);
        assert_eq!(server.post("/v1/plugins/results/reload", None).json()["status"], "reloaded");
        assert_eq!(server.health("results")["reason"], Value::Null, "no reason is left");
    }
    server.stop();
}

#[test]
fn what_a_tool_raises_has_its_status_under_its_exact_name_is_counted_and_the_next_call_works() {
    let server = serving(&[], &[RESULTS]).config("fail_on: crash\n").start();
    server.wait_for("results", "INITIALIZED");
    let kinds = [
        ("ValueError", 400),
        ("Custom", 400),
        ("TimeoutError", 408),
        ("RecursionError", 502),
        ("RuntimeError", 502),
        ("MemoryError", 502),
        ("SystemExit", 502),
        ("KeyboardInterrupt", 502),
        ("GeneratorExit", 502),
    ];
    let pid = server.health("results")["pid"].clone();
    for (kind, expected) in kinds {
        let (status, body) = run_tool(&server, "results", "fail", &json!({"kind": kind}));
        assert_eq!((status, &body["error_type"]), (expected, &json!(kind)), "{body:#}");
        assert!(body["detail"].as_str().unwrap().contains("on purpose"), "{body:#}");
        assert_eq!((&body["ok"], &body["error"]), (&json!(false), &json!("on purpose")));
        assert_eq!(run_tool(&server, "results", "result", &json!({"kind": "list"})).0, 200);
    }
    let health = server.health("results");
    assert_eq!(
        (&health["error_count"], &health["success_count"]),
        (&json!(kinds.len()), &json!(kinds.len()))
    );
    assert_eq!(health["pid"], pid, "it is one and the same worker");
    server.stop();
}

#[test]
fn every_result_is_an_object_of_strict_json_over_every_door() {
    let server = started(&["forgesyte-media"], &[RESULTS], &["media", "results"]);
    let result = |kind: &str| ran(&server, "results", "result", &json!({"kind": kind}));
    assert_eq!(result("list"), json!({"result": [1, 2]}));
    assert_eq!(result("none"), json!({"result": null}));
    assert_eq!(result("nan"), json!({"a": null, "b": [null]}));
    assert_eq!(result("bytes"), json!({"a": "AP8=", "b": "eA==", "c": "eQ=="}));
    // The error that a plugin returns is a result.
    assert_eq!(result("failure_inside")["error"], "invalid_image");
    let (status, body) = run_tool(&server, "results", "result", &json!({"kind": "object"}));
    assert_eq!((status, &body["error_type"]), (502, &json!("ResultNotSerializable")), "{body:#}");
    let boxes = json!({"boxes": [[0, 0, 1, null]]});
    assert_eq!(over_mcp(&server, "media", &json!({"tool": "detect_fine"})), boxes);
    let frame = over_the_stream(&server, "media", "detect_fine");
    assert_eq!(frame["payload"]["result"]["tools"]["detect_fine"], boxes);
    let job = id(&image(&server, "plugin_id=media&tool=detect_fine"));
    until(&server, &job, "completed");
    assert_eq!(server.get(&format!("/v1/jobs/{job}/result?mode=stream")).json()["results"], boxes);
    server.stop();
}

#[test]
fn bytes_reach_a_plugin_as_bytes_and_any_name_of_an_argument_passes() {
    let server = started(&["forgesyte-plain"], &[], &["reporter"]);
    let args = json!({"image_bytes": "AAEC", "mask": "AA==", "frame_base64": "x", "device": null,
        "tool_fn": 1, "self": 2, "args": 3, "progress_callback": "x"});
    let report = ran(&server, "reporter", "report", &args);
    let kinds = json!({"image_bytes": "bytes", "mask": "bytes", "frame": "str", "tool_fn": "int", "self": "int",
        "args": "int"});
    assert_eq!(report["kinds"], kinds);
    let explicit =
        ran(&server, "reporter", "report", &json!({"deep": [{"$bytes": "AAEC"}], "one": {"$bytes": "AA=="}}));
    assert_eq!(explicit["kinds"], json!({"deep": "list", "one": "bytes"}));
    for wrong in [json!({"image_bytes": "!"}), json!({"mask": "AAE"}), json!({"a": {"$bytes": "!"}})] {
        let (status, body) = run_tool(&server, "reporter", "report", &wrong);
        assert_eq!((status, &body["error_type"]), (400, &json!("InvalidArgument")), "{body:#}");
    }
    server.stop();
}

#[test]
fn an_async_plugin_answers_every_caller_on_one_loop() {
    let server = started(&[], &[("async", "fs_plain.odd:Async")], &["async"]);
    let frame = over_the_stream(&server, "async", "next");
    assert_eq!(frame["payload"]["result"]["tools"]["next"]["number"], 0, "{frame:#}");
    assert_eq!(over_mcp(&server, "async", &json!({}))["number"], 1);
    assert_eq!(ran(&server, "async", "next", &json!({}))["number"], 2);
    server.stop();
}

#[test]
fn the_same_call_counts_the_same_over_every_door() {
    let server = started(&["forgesyte-media"], &[], &["media"]);
    let counts = || {
        let health = server.health("media");
        (health["success_count"].as_u64().unwrap(), health["error_count"].as_u64().unwrap())
    };
    for (tool, each) in [("detect_fine", (1, 0)), ("refuse", (0, 1))] {
        let mut before = counts();
        let mut counted = |door: &str| {
            let now = counts();
            assert_eq!((now.0 - before.0, now.1 - before.1), each, "{tool} over {door}");
            before = now;
        };
        run_tool(&server, "media", tool, &json!({"image_bytes": "AAEC"}));
        counted("the run route");
        over_the_stream(&server, "media", tool);
        counted("the stream");
        let params = json!({"name": "media", "arguments": {"image": "AAEC", "options": {"tool": tool}}});
        server.post(
            "/v1/mcp",
            Some(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})),
        );
        counted("MCP");
        let job = id(&image(&server, &format!("plugin_id=media&tool={tool}")));
        until(&server, &job, if tool == "refuse" { "failed" } else { "completed" });
        counted("a job");
    }
    server.stop();
}

#[test]
fn a_slow_job_of_one_plugin_keeps_no_job_of_another_waiting() {
    let server = started(&["forgesyte-media", "well"], &[], &["media", "well"]);
    let until_there = server.here().join("go");
    let args = json!({"image_bytes": "AAEC", "options": {"until": until_there}});
    let slow =
        hand_in(&server, "media", "hold", &args, &json!({})).json()["job_id"].as_str().unwrap().to_owned();
    until(&server, &slow, "running");
    until(&server, &id(&image(&server, "plugin_id=well&tool=echo_bytes")), "completed");
    assert_eq!(server.get(&format!("/v1/jobs/{slow}")).json()["status"], "running");
    fs::write(&until_there, "").unwrap();
    until(&server, &slow, "completed");
    server.stop();
}

#[test]
fn a_plugin_without_a_manifest_completes_its_jobs() {
    let serving = Serving::empty();
    let folder = serving.plugins().join("bare");
    fs::create_dir(&folder).unwrap();
    let manifest = "name = 'bare'\nversion = '1.0.0'\nentry = 'bare:Plugin'\ndialect = 'forgesyte'\n";
    fs::write(folder.join("hardpoint.toml"), manifest).unwrap();
    let code = "class Plugin:\n    name = 'bare'\n\n    def analyze(self, image_bytes, options=None):\n        return len(image_bytes)\n";
    fs::write(folder.join("bare.py"), code).unwrap();
    let server = serving.start();
    server.wait_for("bare", "INITIALIZED");
    let manifest = server.get("/v1/plugins/bare/manifest").json();
    assert_eq!((&manifest["synthesised"], &manifest["tools"][0]["id"]), (&json!(true), &json!("analyze")));
    let job = id(&image(&server, "plugin_id=bare&tool=analyze"));
    until(&server, &job, "completed");
    let brought = server.get(&format!("/v1/jobs/{job}/result?mode=stream")).json();
    assert_eq!(brought["results"], json!({"result": 16}));
    server.stop();
}

#[test]
fn a_megabyte_that_a_tool_prints_is_in_its_log_and_not_in_its_result() {
    let server = started(&[], &[RESULTS], &["results"]);
    let said = ran(&server, "results", "say", &json!({"size": 500_000}));
    assert_eq!(said, json!({"said": 500_000, "stdin": ""}));
    let log = || server.get("/v1/plugins/results/logs?lines=1000").json();
    wait_until("both streams are in the log", PATIENCE, || {
        let lines = log();
        let has = |source: &str, letter: &str| {
            let mut lines = lines.as_array().unwrap().iter();
            lines.any(|line| line["source"] == source && line["text"].as_str().unwrap().starts_with(letter))
        };
        has("stdout", "ooo") && has("stderr", "eee") && has("plugin", "in words")
    });
    server.stop();
}

#[test]
fn every_route_of_other_hosts_needs_a_token_and_its_scope() {
    let server = started(&["forgesyte-media"], &[], &["media"]);
    let reader = new_token(&server.data(), "reader", "read");
    let ask = |method: Method, path: &str, key: Option<&str>| {
        let request = server.client().request(method, format!("{}{path}", server.url()));
        reply(match key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        })
    };
    wait_until("the token is known", PATIENCE, || {
        ask(Method::GET, "/v1/health", Some(&reader)).status == 200
    });
    let job = "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11";
    let more_than_reading = [
        (Method::POST, "/v1/plugins/media/tools/detect/run".to_owned()),
        (Method::POST, "/v1/plugins/media/reload".to_owned()),
        (Method::POST, "/v1/plugins/reload-all".to_owned()),
        (Method::POST, "/v1/image/submit?plugin_id=media&tool=detect".to_owned()),
        (Method::POST, "/v1/video/submit?plugin_id=media&tool=track".to_owned()),
        (Method::POST, "/v1/video/upload?plugin_id=media".to_owned()),
        (Method::POST, "/v1/video/job".to_owned()),
        (Method::DELETE, format!("/v1/jobs/{job}")),
        (Method::POST, "/v1/mcp".to_owned()),
        (Method::GET, "/v1/stream?plugin=media".to_owned()),
    ];
    let reading = [
        "/v1/plugins/".to_owned(),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{job}"),
        format!("/v1/ws/jobs/{job}"),
    ];
    let reading = reading.map(|path| (Method::GET, path));
    for (method, path) in more_than_reading.iter().chain(&reading) {
        assert_eq!(ask(method.clone(), path, None).status, 401, "{method} {path}");
        assert_eq!(ask(method.clone(), path, Some("x")).status, 401, "{method} {path}");
    }
    for (method, path) in more_than_reading {
        assert_eq!(ask(method.clone(), &path, Some(&reader)).status, 403, "{method} {path}");
    }
    for (method, path) in reading {
        assert!(![401, 403].contains(&ask(method, &path, Some(&reader)).status), "{path}");
    }
    server.stop();
}
