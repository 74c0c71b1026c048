//! Running tools over HTTP: what comes back, and with which status, whatever the plugin does.

use crate::support::{PATIENCE, Reply, Server, reply, run_tool};
use hardpoint_testkit::soon;
use serde_json::{Value, json};

fn run_path(plugin: &str, tool: &str) -> String {
    format!("/v1/plugins/{plugin}/tools/{tool}/run")
}

/// Posts a body that is not what a client library would send.
fn post(server: &Server, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = server.client().post(format!("{}{path}", server.url())).bearer_auth(server.token());
    reply(request.header("content-type", kind).body(body))
}

#[test]
fn a_result_comes_with_who_made_it_and_how_long_it_took() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (status, body) = run_tool(&server, "well", "echo", &json!({"text": "a", "times": 3}));
    assert_eq!(status, 200, "{body:#}");
    assert_eq!((&body["ok"], &body["result"]), (&json!(true), &json!("aaa")));
    assert_eq!((&body["plugin_id"], &body["tool_name"]), (&json!("well"), &json!("echo")));
    for name in ["error", "error_type", "category"] {
        assert_eq!(body.get(name), Some(&Value::Null), "{name}");
    }
    assert!(body["execution_time_ms"].is_f64() && body["processing_time_ms"].is_u64(), "{body:#}");
    assert!(body.get("items").is_none());
    server.stop();
}

/// One row of the status table: what is called, and status, code, `error_type` and category of the answer.
type Row = (&'static str, &'static str, Value, u16, &'static str, &'static str, &'static str);

#[track_caller]
fn check(server: &Server, row: &Row) -> Value {
    let (plugin, tool, args, status, code, error_type, category) = row;
    let (found, body) = run_tool(server, plugin, tool, args);
    assert_eq!(found, *status, "{plugin}.{tool} {args}: {body:#}");
    let expected = json!([code, error_type, category, false, status]);
    let answer = json!([body["code"], body["error_type"], body["category"], body["ok"], body["status"]]);
    assert_eq!(answer, expected, "{plugin}.{tool} {args}: {body:#}");
    assert_eq!((&body["plugin_id"], &body["tool_name"]), (&json!(plugin), &json!(tool)));
    let (error, detail) = (body["error"].as_str().unwrap(), body["detail"].as_str().unwrap());
    assert!(detail.ends_with(error), "{detail:?} is not about {error:?}");
    // A plugin that takes no calls is told in the words of the contract, beside its name.
    assert!(detail.contains(plugin) || *status == 503, "{detail:?} says not whose it is");
    assert!(body["processing_time_ms"].is_u64(), "{body:#}");
    body
}

#[test]
fn what_a_tool_raises_has_the_status_of_its_kind() {
    let server = Server::with(&["well"]);
    let kinds = [
        ("input", 400, "input_refused", "InputError", "user_input"),
        ("value", 400, "input_refused", "ValueError", "user_input"),
        ("key", 400, "input_refused", "KeyError", "user_input"),
        ("timeout", 408, "tool_timeout", "TimeoutError", "transient"),
        ("transient", 502, "tool_failed", "TransientError", "transient"),
        ("resource", 502, "tool_failed", "ResourceError", "resource"),
        ("memory", 502, "tool_failed", "MemoryError", "resource"),
        ("exit", 502, "tool_failed", "SystemExit", "fatal"),
        ("interrupt", 502, "tool_failed", "KeyboardInterrupt", "fatal"),
        ("generator_exit", 502, "tool_failed", "GeneratorExit", "fatal"),
        ("base", 502, "tool_failed", "BaseException", "fatal"),
        ("fatal", 502, "tool_failed", "FatalError", "fatal"),
    ];
    for (kind, status, code, error_type, category) in kinds {
        if server.health("well")["state"] == "FAILED" {
            assert_eq!(server.post("/v1/plugins/well/restart", None).status, 200);
        }
        server.wait_for("well", "INITIALIZED");
        let body =
            check(&server, &("well", "fail", json!({"kind": kind}), status, code, error_type, category));
        assert!(body["traceback"].as_str().unwrap().contains("plugin.py"), "{body:#}");
    }
    assert_eq!(server.health("well")["error_count"], kinds.len());
    server.stop();
}

#[test]
fn what_ends_a_worker_has_its_status_and_then_the_plugin_is_unavailable_with_the_reason() {
    let server = Server::with(&["os_exit", "segfault", "memory_hog", "well"]);
    let rows: [Row; 2] = [
        ("os_exit", "leave", json!({"code": 7}), 502, "worker_crashed", "WorkerCrashed", "fatal"),
        ("segfault", "crash", json!({}), 502, "worker_crashed", "WorkerCrashed", "fatal"),
    ];
    for plugin in ["os_exit", "segfault", "memory_hog", "well"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    let exits: Vec<Value> = rows.iter().map(|row| check(&server, row)["exit_reason"].clone()).collect();
    assert_eq!(exits[0], json!({"kind": "exit_code", "code": 7}));
    assert_eq!((&exits[1]["kind"], &exits[1]["name"]), (&json!("signal"), &json!("SIGSEGV")));
    let (status, body) = run_tool(&server, "memory_hog", "allocate", &json!({"mb": 600, "hold_seconds": 5}));
    assert_eq!((status, &body["code"]), (502, &json!("memory_limit_exceeded")), "{body:#}");
    assert_eq!(body["category"], "resource");
    for plugin in ["os_exit", "segfault", "memory_hog"] {
        let health = server.health(plugin);
        assert_eq!(health["state"], "FAILED", "{health:#}");
        let (status, body) = run_tool(&server, plugin, "any", &json!({}));
        let expected = format!("Plugin is FAILED: {}", health["reason"].as_str().unwrap());
        assert_eq!((status, &body["error_type"]), (503, &json!("PluginUnavailable")), "{body:#}");
        assert_eq!(body["error"], expected);
        assert!(body["hint"].is_string(), "{body:#}");
    }
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "a"})).0, 200);
    server.stop();
}

#[test]
fn a_deadline_is_408_whether_the_tool_gives_in_or_not() {
    let server = Server::with(&["py_loop", "c_loop", "well"]);
    for plugin in ["py_loop", "c_loop", "well"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    let body = json!({"args": {"seconds": 30}, "timeout_seconds": 0.2});
    for (plugin, tool, body) in [
        ("well", "nap", body),
        ("py_loop", "spin", json!({"args": {}, "timeout_seconds": 0.2})),
        ("py_loop", "swallow", json!({"args": {}, "timeout_seconds": 0.2})),
        ("c_loop", "spin", json!({"args": {}, "timeout_seconds": 0.2})),
    ] {
        let answer = server.post(&run_path(plugin, tool), Some(&body));
        let found = answer.json();
        assert_eq!((answer.status, &found["error_type"]), (408, &json!("TimeoutError")), "{found:#}");
        assert!(found["hint"].as_str().unwrap().contains("timeout_seconds"), "{found:#}");
    }
    assert_eq!(server.health("py_loop")["state"], "FAILED");
    server.stop();
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let server = Server::with(&["well", "import_error", "needs_other_platform"]);
    server.wait_for("well", "INITIALIZED");
    server.wait_for("import_error", "FAILED");
    server.wait_for("needs_other_platform", "UNAVAILABLE");
    let rows: [Row; 5] = [
        ("nobody", "t", json!({}), 400, "plugin_not_found", "PluginNotFound", "user_input"),
        ("well", "nothing", json!({}), 400, "tool_not_found", "ToolNotFound", "user_input"),
        ("import_error", "t", json!({}), 503, "plugin_unavailable", "PluginUnavailable", "transient"),
        ("needs_other_platform", "t", json!({}), 503, "plugin_unavailable", "PluginUnavailable", "transient"),
        ("well", "echo", json!({"text": 1}), 422, "arguments_invalid", "InputError", "user_input"),
    ];
    let bodies: Vec<Value> = rows.iter().map(|row| check(&server, row)).collect();
    let known = r#"["import_error", "needs_other_platform", "well"]"#;
    assert_eq!(bodies[0]["error"], format!("Plugin 'nobody' not found. Available: {known}"));
    let error = bodies[1]["error"].as_str().unwrap();
    assert!(error.starts_with("Tool 'nothing' not found in plugin 'well'. Available: ["), "{error}");
    assert!(bodies[2]["error"].as_str().unwrap().starts_with("Plugin is FAILED: "));
    assert!(bodies[3]["error"].as_str().unwrap().starts_with("Plugin is UNAVAILABLE: "));
    assert_eq!(bodies[4]["errors"][0]["pointer"], "/args/text");
    assert_eq!(server.health("well")["error_count"], 0, "none of these was the plugin's");
    server.stop();
}

#[test]
fn a_starting_plugin_says_when_to_come_back() {
    let server = Server::with(&["hang_at_import"]);
    let starting = soon(PATIENCE, || server.health("hang_at_import")["starting"].is_string());
    assert!(starting);
    let reply = server.post(&run_path("hang_at_import", "t"), Some(&json!({"args": {}})));
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text);
    assert!(reply.json()["error"].as_str().unwrap().starts_with("Plugin is LOADED: "), "{}", reply.text);
    server.stop();
}

#[test]
fn results_that_json_cannot_carry_are_502_and_numbers_that_are_none_become_null() {
    let server = Server::with(&["lying_result"]);
    server.wait_for("lying_result", "INITIALIZED");
    let (status, body) = run_tool(&server, "lying_result", "nan", &json!({}));
    assert_eq!((status, &body["result"]["values"]), (200, &json!([null, null, null, 1.5])), "{body:#}");
    for tool in ["a_set", "huge_int", "surrogate", "deep"] {
        let (status, body) = run_tool(&server, "lying_result", tool, &json!({}));
        if server.health("lying_result")["state"] == "FAILED" {
            server.post("/v1/plugins/lying_result/restart", None);
        }
        assert_eq!((status, &body["error_type"]), (502, &json!("ResultNotSerializable")), "{tool}: {body:#}");
    }
    server.stop();
}

#[test]
fn bytes_go_in_and_come_out_as_base64_wherever_they_stand() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let small = json!({"$bytes": "AAEC/w=="});
    let (status, body) = run_tool(&server, "well", "echo_bytes", &json!({"data": small}));
    assert_eq!((status, &body["result"]), (200, &small), "{body:#}");
    let nested = json!({"list": [1, small, {"deep": {"$bytes": ""}}], "$blob": 0, "one": {"$blob": 0}});
    let (status, body) = run_tool(&server, "well", "echo_value", &json!({"value": nested}));
    assert_eq!((status, &body["result"]), (200, &nested), "{body:#}");
    let (_, body) = run_tool(&server, "well", "big", &json!({"n_bytes": 300_000}));
    assert_eq!(body["result"]["$bytes"].as_str().unwrap().len(), 400_000);
    for wrong in [json!("!"), json!("AAA"), json!(1), json!(null)] {
        let args = json!({"data": {"$bytes": wrong}});
        let (status, body) = run_tool(&server, "well", "echo_bytes", &args);
        assert_eq!((status, &body["error_type"]), (400, &json!("InvalidArgument")), "{body:#}");
        assert_eq!(body["errors"][0]["pointer"], "/args/data/$bytes");
    }
    server.stop();
}

/// A part of a form: its name and its content.
type Part<'a> = (&'a str, &'a [u8]);

/// A form of these parts.
fn form(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head =
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    body
}

#[test]
fn a_form_carries_each_binary_argument_in_a_part_of_its_own() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let kind = "multipart/form-data; boundary=cut";
    let large = vec![7u8; 300_000];
    let answer = post(&server, &run_path("well", "view_bytes"), kind, form(&[("data", &large)]));
    assert_eq!((answer.status, &answer.json()["result"]), (200, &json!(300_000)), "{}", answer.text);
    let parts: [Part; 2] = [("args", br#"{"text": "a", "times": 2}"#), ("timeout_seconds", b"5.5")];
    let answer = post(&server, &run_path("well", "echo"), kind, form(&parts));
    assert_eq!((answer.status, &answer.json()["result"]), (200, &json!("aa")), "{}", answer.text);
    let wrong: [(&[Part], &str); 5] = [
        (&[("args", b"{")], "bad_json"),
        (&[("args", b"[]")], "bad_body"),
        (&[("args", br#"{"text": "a"}"#), ("text", b"b")], "bad_body"),
        (&[("timeout_seconds", b"soon")], "bad_body"),
        (&[("", b"b")], "bad_form"),
    ];
    for (parts, code) in wrong {
        let answer = post(&server, &run_path("well", "echo"), kind, form(parts));
        assert_eq!((answer.status, &answer.json()["code"]), (422, &json!(code)), "{}", answer.text);
    }
    for body in ["", "--cut\r\n", "no form at all"] {
        let answer = post(&server, &run_path("well", "echo"), kind, body);
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (422, &json!("bad_form")),
            "{body:?} {}",
            answer.text
        );
    }
    server.stop();
}

#[test]
fn a_stream_without_asking_for_one_is_a_list_of_items_up_to_a_bound() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (status, body) = run_tool(&server, "well", "count", &json!({"n": 5}));
    assert_eq!((status, &body["items"]), (200, &json!([0, 1, 2, 3, 4])), "{body:#}");
    let (status, body) = run_tool(&server, "well", "count", &json!({"n": 5, "fail_at": 3}));
    assert_eq!((status, &body["error_type"]), (502, &json!("TransientError")), "{body:#}");
    let (status, body) = run_tool(&server, "well", "count", &json!({"n": 1_000_000}));
    assert_eq!((status, &body["code"]), (406, &json!("stream_too_long")), "{body:#}");
    assert!(body["hint"].as_str().unwrap().contains("application/x-ndjson"), "{body:#}");
    server.wait_for("well", "INITIALIZED");
    server.stop();
}

#[test]
fn too_many_calls_are_refused_and_callers_who_leave_make_room() {
    const CALLS_MAX: u64 = 256;
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = server.client();
    let call = || {
        let request = client.post(format!("{}{}", server.url(), run_path("well", "nap")));
        request.bearer_auth(server.token()).json(&json!({"args": {"seconds": 60}}))
    };
    let inside = runtime.enter();
    let calls: Vec<_> = (0..CALLS_MAX).map(|_| runtime.spawn(call().send())).collect();
    let full = soon(PATIENCE, || server.health("well")["calls_in_flight"] == CALLS_MAX);
    assert!(full, "{:#}", server.health("well"));
    let refused = reply(call());
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{}", refused.text);
    assert_eq!(refused.json()["error_type"], "Busy");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    drop(inside);
    server.wait_for("well", "INITIALIZED");
    let (status, body) = run_tool(&server, "well", "echo", &json!({"text": "a"}));
    assert_eq!(status, 200, "{body:#}");
    server.stop();
}
