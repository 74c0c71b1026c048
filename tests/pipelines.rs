//! Pipelines through the real server: stages in order, what passes between them, and whatever can go wrong on the way.

use crate::jobs::{cancel, events, job, until};
use crate::support::{Reply, Said, Server, Serving, next};
use reqwest::Method;
use serde_json::{Value, json};

/// Hands in a run; the answer, whatever it is.
pub(crate) fn hand_in(server: &Server, body: &Value) -> Reply {
    server.post("/v1/jobs", Some(body))
}

/// Hands in a run that is accepted; its id.
#[track_caller]
pub(crate) fn accepted(server: &Server, body: &Value) -> String {
    let reply = hand_in(server, body);
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

pub(crate) fn stage(tool: &str, config: &Value) -> Value {
    json!({"plugin": "relay", "tool": tool, "config": config})
}

pub(crate) fn result(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/jobs/{id}/result")).json()
}

/// The messages of a run, in their order, without what differs from run to run.
fn messages(server: &Server, id: &str) -> Vec<Value> {
    let told = events(server, Some(id), 0).into_iter().filter(|event| event["type"] == "PIPELINE_MESSAGE");
    told.map(|event| {
        let mut message = event["payload"].clone();
        assert_eq!(message["job_id"], id);
        let fields = message.as_object_mut().unwrap();
        for varying in ["timestamp", "duration_ms", "job_id"] {
            fields.remove(varying);
        }
        message
    })
    .collect()
}

fn started(index: u32, tool: &str) -> Value {
    json!({"type": "pipeline_stage_start", "stage_index": index, "plugin": "relay", "tool": tool})
}

fn ended(index: u32, ok: bool, bytes: &Value) -> Value {
    json!({"type": "pipeline_stage_end", "stage_index": index, "plugin": "relay", "ok": ok, "result_size_bytes": bytes})
}

fn progress(completed: u32, total: u32, percent: u32) -> Value {
    json!({"type": "pipeline_progress", "stages_total": total, "stages_completed": completed, "percent": percent})
}

pub(crate) fn ready(plugins: &[&str]) -> Server {
    let server = Server::with(plugins);
    for plugin in plugins {
        server.wait_for(plugin, "INITIALIZED");
    }
    server
}

/// Three stages; binary data of `size` bytes passes from the first to the third.
fn three(size: usize) -> Value {
    json!({"pipeline": {"pass": "merge", "stages": [
        stage("begin", &json!({"size": size})), stage("shout", &json!({})), stage("weigh", &json!({}))
    ]}, "input": {"text": "hello"}})
}

#[test]
fn stages_run_in_order_and_each_says_once_that_it_began_and_how_it_ended() {
    let server = ready(&["relay"]);
    let id = accepted(&server, &three(300_000));
    let done = until(&server, &id, "completed");
    let stages = done["stages"].as_array().unwrap();
    let bytes: Vec<&Value> = stages.iter().map(|stage| &stage["output_bytes"]).collect();
    assert!(bytes[0].as_u64().unwrap() > 300_000, "{done:#}");
    let binary = json!({"$bytes": "BwcH"});
    let mut came = result(&server, &id);
    let image = came["result"]["image"]["$bytes"].as_str().unwrap();
    assert_eq!((image.len(), &image[..4]), (400_000, "BwcH"));
    came["result"]["image"] = binary.clone();
    let whole = json!({"text": "HELLO", "length": 5, "image": binary, "weight": 300_000});
    assert_eq!(came, json!({"ok": true, "result": whole, "stages_executed": 3}));
    let said = [
        started(0, "begin"),
        ended(0, true, bytes[0]),
        progress(1, 3, 33),
        started(1, "shout"),
        ended(1, true, bytes[1]),
        progress(2, 3, 67),
        started(2, "weigh"),
        ended(2, true, bytes[2]),
        progress(3, 3, 100),
    ];
    assert_eq!(messages(&server, &id), said);
    let story: Vec<Value> = events(&server, Some(&id), 0);
    let advanced = story.iter().filter(|event| event["type"] == "SEQUENCE_ADVANCED");
    let advanced: Vec<(&Value, &Value)> =
        advanced.map(|event| (&event["stage"], &event["payload"]["prior_step_index"])).collect();
    assert_eq!(advanced, [(&json!(1), &json!(0)), (&json!(2), &json!(1))]);
    server.stop();
}

#[test]
fn the_output_of_a_stage_alone_is_passed_on_unless_all_of_it_is_wanted() {
    let server = ready(&["relay"]);
    let stages = json!([stage("begin", &json!({"size": 4})), stage("shout", &json!({}))]);
    let id = accepted(&server, &json!({"pipeline": stages, "input": {"text": "a"}}));
    until(&server, &id, "completed");
    assert_eq!(result(&server, &id)["result"], json!({"text": "A", "length": 1}));
    let last = json!([stage("begin", &json!({"size": 4})), stage("words", &json!({}))]);
    let id = accepted(&server, &json!({"pipeline": last, "input": {"text": "a b"}}));
    until(&server, &id, "completed");
    assert_eq!(result(&server, &id)["result"], json!(["a", "b"]), "the last one may return anything");
    let first = json!([stage("words", &json!({"text": "a"})), stage("shout", &json!({}))]);
    let refused = hand_in(&server, &json!({"pipeline": first}));
    assert_eq!(refused.json()["code"], "pipeline_invalid", "{}", refused.text);
    server.stop();
}

#[test]
fn a_stage_that_fails_ends_the_run_and_what_was_finished_is_there() {
    let server = ready(&["relay", "well"]);
    for (kind, error_type, state) in
        [("input", "ValueError", "INITIALIZED"), ("crash", "WorkerCrashed", "FAILED")]
    {
        let stages = json!([
            stage("begin", &json!({})),
            stage("broken", &json!({"kind": kind})),
            stage("shout", &json!({}))
        ]);
        let id = accepted(&server, &json!({"pipeline": stages, "input": {"text": "a"}}));
        let failed = until(&server, &id, "failed");
        let statuses: Vec<&str> = failed["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["status"].as_str().unwrap())
            .collect();
        assert_eq!(statuses, ["completed", "failed", "cancelled"]);
        let came = result(&server, &id);
        let expected = json!({"text": "a", "image": {"$bytes": ""}});
        assert_eq!(
            (&came["ok"], &came["stage_failed"], &came["partial_result"]),
            (&json!(false), &json!(2), &expected)
        );
        assert_eq!(came["error_type"], error_type);
        let first = server.get(&format!("/v1/jobs/{id}/result?stage=0")).json();
        assert_eq!(first["result"], expected);
        let said = messages(&server, &id);
        assert_eq!(said[3..5], [started(1, "broken"), ended(1, false, &json!(0))]);
        assert_eq!(
            (&said[5]["type"], &said[5]["error_type"]),
            (&json!("pipeline_error"), &json!(error_type))
        );
        assert_eq!(said.len(), 6, "{said:#?}");
        server.wait_for("relay", state);
        assert_eq!(server.health("well")["state"], "INITIALIZED");
    }
    server.stop();
}

#[test]
fn a_run_that_goes_on_after_a_failure_gives_the_next_stage_what_the_failed_one_got() {
    let server = ready(&["relay"]);
    let stages = json!([
        stage("begin", &json!({})),
        stage("broken", &json!({"kind": "input"})),
        stage("shout", &json!({}))
    ]);
    let id = accepted(
        &server,
        &json!({"pipeline": {"fail_fast": false, "stages": stages}, "input": {"text": "a"}}),
    );
    let done = until(&server, &id, "completed");
    assert_eq!(done["stages"][1]["status"], "failed");
    let came = result(&server, &id);
    assert_eq!((&came["ok"], &came["stage_failed"]), (&json!(false), &json!(2)));
    assert_eq!(came["partial_result"], json!({"text": "A", "length": 1}));
    server.stop();
}

#[test]
fn stages_with_arguments_of_their_own_are_a_sequence() {
    let server = ready(&["relay", "well"]);
    let uniform: Vec<Value> = (0..4)
        .map(|n| json!({"plugin": "well", "tool": "echo", "args": {"text": n.to_string(), "times": 2}}))
        .collect();
    let id = accepted(&server, &json!({"pipeline": uniform}));
    until(&server, &id, "completed");
    for n in 0..4 {
        let came = server.get(&format!("/v1/jobs/{id}/result?stage={n}")).json();
        assert_eq!(came["result"], format!("{n}{n}"));
    }
    let stages = json!([
        stage("begin", &json!({"size": 2})),
        {"plugin": "relay", "tool": "shout", "args": {"text": {"$from": "/input/other"}}},
        {"plugin": "well", "tool": "echo", "args": {"text": {"$from": "/stages/0/text"}, "times": {"$from": "/stages/1/length"}}},
    ]);
    let id = accepted(&server, &json!({"pipeline": stages, "input": {"text": "ab", "other": "xyz"}}));
    until(&server, &id, "completed");
    assert_eq!(result(&server, &id)["result"], "ababab");
    server.stop();
}

#[test]
fn a_stage_and_all_stages_together_have_their_time() {
    let server = ready(&["relay"]);
    let nap = |seconds: f64| stage("nap", &json!({"seconds": seconds}));
    let mut slow = nap(600.0);
    slow["timeout_seconds"] = json!(0.5);
    slow["retries"] = json!(0);
    let id = accepted(&server, &json!({"pipeline": [slow]}));
    let failed = until(&server, &id, "failed");
    assert_eq!(failed["error"]["error_type"], "TimeoutError", "{failed:#}");
    let three = json!({"total_timeout_seconds": 1, "stages": [nap(0.1), nap(600.0), nap(0.1)]});
    let id = accepted(&server, &json!({"pipeline": three}));
    let failed = until(&server, &id, "failed");
    assert_eq!(failed["error"]["error_type"], "TimeoutError", "{failed:#}");
    assert_eq!(
        (&result(&server, &id)["stage_failed"], &failed["stages"][1]["attempts"]),
        (&json!(2), &json!(1))
    );
    server.stop();
}

#[test]
fn a_tool_keeps_its_own_time_in_a_pipeline_until_its_stage_says_otherwise() {
    let server = ready(&["relay"]);
    let retries = json!(0);
    let own = json!({"plugin": "relay", "tool": "brief", "config": {"seconds": 0.6}, "retries": retries});
    let mut other = own.clone();
    other["timeout_seconds"] = json!(30);
    for pipeline in
        [json!([own]), json!({"timeout_seconds": 30, "total_timeout_seconds": 60, "stages": [own]})]
    {
        let id = accepted(&server, &json!({"pipeline": pipeline}));
        let failed = until(&server, &id, "failed");
        assert_eq!(failed["error"]["error_type"], "TimeoutError", "{failed:#}");
    }
    let id = accepted(&server, &json!({"pipeline": [other]}));
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn a_run_is_cancelled_in_any_stage() {
    let server = ready(&["relay"]);
    for at in 0..3 {
        let stages: Vec<Value> =
            (0..3).map(|n| stage("nap", &json!({"seconds": if n == at { 600.0 } else { 0.0 }}))).collect();
        let id = accepted(&server, &json!({"pipeline": stages}));
        hardpoint_testkit::wait_until("the stage runs", crate::support::PATIENCE, || {
            job(&server, &id)["stages"][at]["status"] == "running"
        });
        cancel(&server, &id);
        let cancelled = until(&server, &id, "cancelled");
        let statuses: Vec<&Value> =
            cancelled["stages"].as_array().unwrap().iter().map(|stage| &stage["status"]).collect();
        for (n, status) in statuses.into_iter().enumerate() {
            assert_eq!(status, if n < at { "completed" } else { "cancelled" }, "stage {n}");
        }
        let came = result(&server, &id);
        assert_eq!((&came["ok"], &came["stage_failed"]), (&json!(false), &json!(at + 1)));
    }
    server.stop();
}

#[test]
fn a_run_whose_host_dies_in_any_stage_goes_on_with_what_was_finished() {
    let mut server = ready(&["relay"]);
    let folder = tempfile::tempdir().unwrap();
    for at in 1..3 {
        let mut stages = vec![
            stage("begin", &json!({"size": 200_000})),
            stage("keep", &json!({})),
            stage("weigh", &json!({})),
        ];
        let file = folder.path().join(at.to_string());
        stages.insert(at, stage("once_waits", &json!({"file": file})));
        let id = accepted(
            &server,
            &json!({"pipeline": {"pass": "merge", "stages": stages}, "input": {"text": "a"}}),
        );
        hardpoint_testkit::wait_until("the stage runs", crate::support::PATIENCE, || file.exists());
        server = server.killed().start();
        let done = until(&server, &id, "completed");
        assert_eq!(result(&server, &id)["result"]["weight"], 200_000);
        assert_eq!(done["stages"][at]["attempts"], 2, "{done:#}");
        let said = messages(&server, &id);
        let starts = said.iter().filter(|message| message["type"] == "pipeline_stage_start").count();
        let ends = said.iter().filter(|message| message["type"] == "pipeline_stage_end").count();
        assert_eq!((starts, ends), (4, 4), "{said:#?}");
    }
    server.stop();
}

#[test]
fn what_is_left_of_a_failed_run_begins_with_what_was_finished() {
    let server = ready(&["relay"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there");
    let stages = json!([
        stage("begin", &json!({"size": 100_000})),
        stage("once_broken", &json!({"file": file})),
        stage("weigh", &json!({}))
    ]);
    let body = json!({"pipeline": {"pass": "merge", "stages": stages}, "input": {"text": "a"}});
    let id = accepted(&server, &body);
    until(&server, &id, "failed");
    server.post("/v1/plugins/relay/restart", None);
    server.wait_for("relay", "INITIALIZED");
    let again = server.post(&format!("/v1/jobs/{id}/rerun"), None);
    assert_eq!(again.status, 202, "{}", again.text);
    let next = again.json()["job_id"].as_str().unwrap().to_owned();
    let done = until(&server, &next, "completed");
    assert_eq!((&done["resumes"], &done["stages"][0]["attempts"]), (&json!(id), &json!(0)));
    let came = result(&server, &next);
    assert_eq!((&came["result"]["weight"], &came["result"]["mended"]), (&json!(100_000), &json!(true)));
    let said = messages(&server, &next);
    assert_eq!(said[0]["stage_index"], 1, "the first stage did not run again");
    let told = events(&server, Some(&next), 0);
    assert!(told.iter().all(|event| event["stage"] != 0), "nothing happens to a stage that is finished");
    let refused = server.post(&format!("/v1/jobs/{next}/rerun"), None);
    assert_eq!(refused.json()["code"], "job_not_failed");
    server.stop();
}

#[test]
fn the_same_input_gives_the_same_output_and_the_same_order_of_events() {
    let server = ready(&["relay"]);
    let run = || {
        let id = accepted(&server, &three(70_000));
        until(&server, &id, "completed");
        let kinds = events(&server, Some(&id), 0).into_iter();
        let kinds: Vec<Value> = kinds.map(|event| json!([event["type"], event["stage"]])).collect();
        (result(&server, &id), messages(&server, &id), kinds)
    };
    let first = run();
    for _ in 1..100 {
        assert_eq!(run(), first);
    }
    server.stop();
}

#[test]
fn a_saved_pipeline_has_versions_is_run_by_its_name_and_survives_the_host() {
    let server = ready(&["relay"]);
    let stages = json!([stage("begin", &json!({})), stage("shout", &json!({}))]);
    let saved = server.post("/v1/pipelines", Some(&json!({"name": "loud", "stages": stages})));
    assert_eq!(saved.status, 201, "{}", saved.text);
    assert_eq!((saved.header("location"), &saved.json()["version"]), ("/v1/pipelines/loud", &json!(1)));
    let again = server.post("/v1/pipelines", Some(&json!({"name": "loud", "stages": stages})));
    assert_eq!(again.json()["code"], "pipeline_exists");
    let run = json!({"pipeline_id": "loud", "input": {"text": "a"}});
    let id = accepted(&server, &run);
    let done = until(&server, &id, "completed");
    assert_eq!((&done["pipeline_id"], &done["pipeline_version"]), (&json!("loud"), &json!(1)));
    let next = json!({"stages": [stage("shout", &json!({}))]});
    assert_eq!(server.send(Method::PUT, "/v1/pipelines/loud", Some(&next)).json()["version"], 2);
    let server = server.killed().start();
    server.wait_for("relay", "INITIALIZED");
    let shown = server.get("/v1/pipelines/loud").json();
    assert_eq!(
        (&shown["version"], &shown["runs"], &shown["success_rate"]),
        (&json!(2), &json!(1), &json!(1.0))
    );
    assert!(shown["last_used"].is_string() && shown["created_at"].is_string(), "{shown:#}");
    let first = server.get("/v1/pipelines/loud?version=1").json();
    assert_eq!(first["stages"].as_array().unwrap().len(), 2);
    assert!(first["stage_times"][1]["p95_ms"].as_f64().unwrap() > 0.0, "{first:#}");
    let state = server.get(&format!("/v1/jobs/{id}/pipeline")).json();
    assert_eq!(
        (&state["stages_executed"], &state["pipeline"]["stages"].as_array().unwrap().len()),
        (&json!(2), &2)
    );
    assert_eq!(server.get("/v1/pipelines").json()[0]["id"], "loud");
    let nested = hand_in(&server, &json!({"pipeline": [{"plugin": "loud", "tool": "t"}]}));
    assert!(
        nested.json()["detail"].as_str().unwrap().contains("a pipeline cannot call another"),
        "{}",
        nested.text
    );
    assert_eq!(server.send(Method::DELETE, "/v1/pipelines/loud", None).status, 204);
    assert_eq!(server.get("/v1/pipelines/loud").status, 404);
    assert_eq!(hand_in(&server, &run).json()["code"], "pipeline_not_found");
    assert_eq!(result(&server, &id)["ok"], true, "its runs stay");
    server.stop();
}

#[test]
fn a_tool_with_its_configuration_is_a_job_as_before() {
    let server = ready(&["well"]);
    let old =
        json!({"plugin_id": "well", "tool_name": "echo", "args": {"text": "a"}, "config": {"times": 3}});
    let id = accepted(&server, &old);
    until(&server, &id, "completed");
    assert_eq!(result(&server, &id), json!({"job_id": id, "status": "completed", "result": "aaa"}));
    assert_eq!(messages(&server, &id), Vec::<Value>::new());
    let state = server.get(&format!("/v1/jobs/{id}/pipeline")).json();
    assert_eq!((&state["pipeline"], &state["stages_executed"]), (&Value::Null, &json!(1)));
    server.stop();
}

#[test]
fn a_stage_is_tried_again_as_often_as_it_says() {
    let server = Serving::of(&["relay"]).config("jobs: {retry_wait_max_seconds: 0.01}").start();
    server.wait_for("relay", "INITIALIZED");
    let mut flaky = stage("broken", &json!({"kind": "transient"}));
    flaky["retries"] = json!(3);
    let id = accepted(&server, &json!({"pipeline": [flaky]}));
    assert_eq!(until(&server, &id, "failed")["stages"][0]["attempts"], 4);
    assert_eq!(messages(&server, &id).len(), 3, "began once, ended once, failed once");
    server.stop();
}

#[test]
fn a_web_page_is_told_what_runs_say_message_by_message() {
    let server = ready(&["relay"]);
    let id = accepted(&server, &three(10));
    until(&server, &id, "completed");
    let mut socket = server.socket("/v1/realtime?since=0&follow=false");
    let mut heard = Vec::new();
    while let Said::Document(message) = next(&mut socket) {
        heard.push(message);
    }
    let told = events(&server, Some(&id), 0).into_iter().filter(|event| event["type"] == "PIPELINE_MESSAGE");
    let told: Vec<Value> = told.map(|event| event["payload"].clone()).collect();
    assert_eq!((heard.len(), &heard), (9, &told));
    server.stop();
}
