//! Errors of plugins: typed, whole and the same on every way, and tried again by their kind.

use crate::jobs::{hand_in, job, story, until};
use crate::support::{Reply, Server, Serving, reply, run_tool};
use jiff::Timestamp;
use serde_json::{Value, json};

const PLUGIN: &str = "typed_errors";

/// A server whose plugin stays up whatever it raises.
fn server(more: &str) -> Server {
    let config = format!("fail_on: crash\n{more}");
    let server = Serving::of(&[PLUGIN]).config(&config).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    server
}

/// The last event of a streamed call.
fn streamed(server: &Server, tool: &str, kind: &str) -> Value {
    let url = format!("{}/v1/plugins/{PLUGIN}/tools/{tool}/run", server.url());
    let request = server.client().post(url).bearer_auth(server.token());
    let request = request.header("accept", "application/x-ndjson").json(&json!({"args": {"kind": kind}}));
    let Reply { status, text, .. } = reply(request);
    assert_eq!(status, 200, "{text}");
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "error", "{text}");
    last
}

fn submit(server: &Server, tool: &str, args: &Value) -> String {
    let reply = hand_in(server, PLUGIN, tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

/// The error that a job ended with, which its stage has, too.
fn of_job(server: &Server, kind: &str) -> Value {
    let id = submit(server, "fail", &json!({"kind": kind}));
    let failed = until(server, &id, "failed");
    assert_eq!(failed["stages"][0]["error"], failed["error"]);
    failed["error"].clone()
}

/// What every way tells, in the words of a job's error.
fn told(answer: &Value, message: &str, plugin: &str) -> Value {
    let same = [
        "category",
        "error_type",
        "retriable",
        "original_exc_repr",
        "retry_after_seconds",
        "fields_invalid",
        "resource_shortfall",
        "plugin_instance_id",
    ];
    let mut told = json!({"message": answer[message], "plugin_name": answer[plugin]});
    for name in same {
        assert!(answer.get(name).is_some(), "{name} is missing: {answer:#}");
        told[name] = answer[name].clone();
    }
    told
}

/// `(kind, category, error_type, message)`
type Row = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn an_error_arrives_typed_and_whole_by_run_stream_and_job() {
    let server = server("jobs: {retries_max: 0}");
    let rows: [Row; 12] = [
        ("input", "user_input", "InputError", "the page is wrong"),
        ("transient", "transient", "TransientError", "the neighbour is busy"),
        ("resource", "resource", "ResourceError", "the model does not fit"),
        ("fatal", "fatal", "FatalError", "the model is broken"),
        ("chosen", "transient", "PluginError", "who knows"),
        ("value", "user_input", "ValueError", "a plain exception"),
        ("connection", "transient", "ConnectionResetError", "gone"),
        ("torch", "resource", "OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB"),
        ("unknown", "fatal", "RuntimeError", "nobody thought of it"),
        ("exit", "fatal", "SystemExit", "3"),
        ("unprintable", "fatal", "Unprintable", "<str() of Unprintable raised RuntimeError>"),
        ("like_the_host", "transient", "PluginUnavailable", "not now"),
    ];
    for (kind, category, error_type, message) in rows {
        let (_, run) = run_tool(&server, PLUGIN, "fail", &json!({"kind": kind}));
        let expected = told(&run, "error", "plugin_id");
        let words = (&expected["category"], &expected["error_type"], &expected["message"]);
        assert_eq!(words, (&json!(category), &json!(error_type), &json!(message)), "{run:#}");
        assert_eq!(expected["retriable"], category != "fatal", "{run:#}");
        assert_eq!(expected["plugin_instance_id"], PLUGIN);
        for tool in ["fail", "stream"] {
            let last = streamed(&server, tool, kind);
            assert_eq!(told(&last, "error", "plugin_id"), expected, "{tool} {kind}");
            assert!(last["traceback"].as_str().unwrap().contains("plugin.py"), "{last:#}");
        }
        let failed = of_job(&server, kind);
        assert_eq!(told(&failed, "message", "plugin_name"), expected, "{kind}");
        for answer in [&run, &failed] {
            assert!(answer["traceback"].as_str().unwrap().contains("raise ERRORS[kind]()"), "{answer:#}");
            let at: Timestamp = answer["occurred_at"].as_str().unwrap().parse().unwrap();
            assert!(at.duration_since(Timestamp::now()).abs().as_secs() < 60, "{at}");
        }
    }
    server.stop();
}

#[test]
fn the_fields_of_an_error_are_those_that_the_plugin_gave() {
    let server = server("");
    let error = |kind: &str| run_tool(&server, PLUGIN, "fail", &json!({"kind": kind})).1;
    let input = error("input");
    assert_eq!(input["fields_invalid"], json!(["page", "a/b"]));
    assert_eq!(input["errors"][1]["pointer"], "/args/a~1b", "{input:#}");
    assert_eq!(error("transient")["retry_after_seconds"], 0.25);
    let gap = json!({"resource": "gpu_vram_mb", "needed": 8000.0, "available": 2048.5});
    assert_eq!(error("resource")["resource_shortfall"], gap);
    let huge = error("huge");
    for (field, bytes_max) in [("error", 16 << 10), ("original_exc_repr", 4 << 10), ("traceback", 64 << 10)] {
        let text = huge[field].as_str().unwrap();
        assert!(text.len() <= bytes_max && text.contains("bytes cut"), "{field}: {} bytes", text.len());
    }
    // Before the plugin is asked, the host names the fields in the same way.
    let (status, wrong) = run_tool(&server, PLUGIN, "fail", &json!({"knd": "input"}));
    assert_eq!(status, 422);
    let mut fields: Vec<&str> =
        wrong["fields_invalid"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["kind", "knd"], "{wrong:#}");
    server.stop();
}

#[test]
fn a_policy_decides_how_much_of_an_exception_is_told_and_the_log_has_all_of_it() {
    for (policy, has_traceback, has_words) in
        [("full", true, true), ("repr_only", false, true), ("none", false, false)]
    {
        let server = server(&format!("traceback_policy: {policy}\njobs: {{retries_max: 0}}"));
        let (status, run) = run_tool(&server, PLUGIN, "fail", &json!({"kind": "value"}));
        assert_eq!((status, &run["code"]), (400, &json!("input_refused")), "{run:#}");
        for (answer, message) in [
            (run, "error"),
            (streamed(&server, "stream", "value"), "error"),
            (of_job(&server, "value"), "message"),
        ] {
            assert_eq!(answer["error_type"], "ValueError", "{policy}: {answer:#}");
            assert_eq!(answer["traceback"].is_string(), has_traceback, "{policy}: {answer:#}");
            let words = "a plain exception";
            assert_eq!(answer[message].as_str().unwrap().contains(words), has_words, "{policy}: {answer:#}");
            assert_eq!(answer.to_string().contains(words), has_words, "{policy}: {answer:#}");
        }
        let logs = server.get(&format!("/v1/plugins/{PLUGIN}/logs?lines=1000")).text;
        assert!(logs.contains("raise ERRORS[kind]()") && logs.contains("a plain exception"), "{logs}");
        server.stop();
    }
}

#[test]
fn what_may_pass_is_tried_again_by_its_kind_and_nothing_else_is() {
    let server = server("jobs: {retries_max: 2}");
    for (kind, tries) in
        [("transient", 3), ("resource", 3), ("torch", 3), ("input", 1), ("fatal", 1), ("exit", 1)]
    {
        let id = submit(&server, "fail", &json!({"kind": kind}));
        let failed = until(&server, &id, "failed");
        assert_eq!(failed["stages"][0]["attempts"], tries, "{kind}: {failed:#}");
        let retries = story(&server, &id).iter().filter(|told| told.starts_with("retry")).count();
        assert_eq!(retries, tries - 1, "{kind}");
    }
    let args = json!({"name": "a", "kind": "transient", "failures": 2});
    let id = submit(&server, "at_last", &args);
    let done = until(&server, &id, "completed");
    assert_eq!((&done["stages"][0]["attempts"], &done["error"]), (&json!(3), &Value::Null), "{done:#}");
    assert_eq!(server.get(&format!("/v1/jobs/{id}/result")).json()["result"], 3);
    // What was short is given back with the worker that held it: the next try is made by another one.
    let pid = server.health(PLUGIN)["pid"].clone();
    let id = submit(&server, "fail", &json!({"kind": "resource"}));
    until(&server, &id, "failed");
    assert_ne!(server.wait_for(PLUGIN, "INITIALIZED")["pid"], pid);
    let pid = server.health(PLUGIN)["pid"].clone();
    let id = submit(&server, "fail", &json!({"kind": "transient"}));
    until(&server, &id, "failed");
    assert_eq!(server.health(PLUGIN)["pid"], pid);
    // Words of the host in the mouth of a plugin are no excuse.
    let id = submit(&server, "fail", &json!({"kind": "like_the_host"}));
    assert_eq!(until(&server, &id, "failed")["stages"][0]["attempts"], 3);
    server.stop();
}

/// When a job began its tries, and when it was put back.
fn times(server: &Server, id: &str) -> (Vec<Timestamp>, Vec<Timestamp>) {
    let url = format!("{}/v1/jobs/{id}/events?follow=false", server.url());
    let request = server.client().get(url).bearer_auth(server.token());
    let text = reply(request.header("accept", "application/x-ndjson")).text;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let events: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str, to: &str| {
        let wanted = events
            .iter()
            .filter(|event| event["type"] == kind && (to.is_empty() || event["payload"]["to"] == to));
        wanted.map(|event| event["timestamp"].as_str().unwrap().parse().unwrap()).collect()
    };
    (of("STATE_TRANSITION", "running"), of("RETRY_STARTED", ""))
}

#[test]
fn a_job_is_tried_again_when_its_plugin_says_and_not_later_than_it_may() {
    let server = server("jobs: {retry_wait_max_seconds: 3}");
    for (kind, least, most) in [("transient", 0.25, 1.0), ("soon", 2.0, 3.0), ("someday", 3.0, 20.0)] {
        let id = submit(&server, "at_last", &json!({"name": kind, "kind": kind, "failures": 1}));
        until(&server, &id, "completed");
        let (began, put_back) = times(&server, &id);
        let waited = began[1].duration_since(put_back[0]).as_secs_f64();
        assert!(waited >= least - 0.001 && waited < most + 5.0, "{kind}: {waited} s");
        assert_eq!(job(&server, &id)["stages"][0]["attempts"], 2);
    }
    server.stop();
}

#[test]
fn an_error_right_after_a_word_on_progress_is_the_error_of_its_job() {
    let server = server("jobs: {retries_max: 0}");
    let ids: Vec<String> = (0..60).map(|_| submit(&server, "half_way", &json!({"kind": "value"}))).collect();
    for id in &ids {
        let failed = until(&server, id, "failed");
        let error = &failed["stages"][0]["error"];
        assert_eq!(
            (&error["error_type"], &error["category"]),
            (&json!("ValueError"), &json!("user_input")),
            "{failed:#}"
        );
    }
    server.stop();
}
