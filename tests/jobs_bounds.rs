//! What is not accepted as a job, and what is not kept of one.

use crate::jobs::{cancel, hand_in, occupied, submit, until};
use crate::support::{PATIENCE, Reply, Server, Serving};
use hardpoint_testkit::wait_until;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_plugin_that_is_disabled_or_unknown_is_refused_at_submission() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    assert_eq!(server.post("/v1/plugins/well/disable", None).status, 200);
    let refused = hand_in(&server, "well", "echo", &json!({"text": "a"}), &json!({}));
    assert_eq!(refused.json()["code"], "plugin_disabled", "{}", refused.text);
    let unknown = hand_in(&server, "nobody", "echo", &json!({}), &json!({}));
    assert_eq!(unknown.json()["code"], "plugin_not_found", "{}", unknown.text);
    assert_eq!(server.get("/v1/jobs").json()["count"], 0);
    server.stop();
}

#[test]
fn what_does_not_fit_the_tool_is_refused_at_submission_as_a_run_would_be() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    for (tool, args, status) in [
        ("echo", json!({"txt": "a", "times": "2"}), 422),
        ("echo_bytes", json!({"data": {"$bytes": "AA=="}, "more": 1}), 422),
        ("echo_bytes", json!({"data": {"$bytes": "!"}}), 400),
        ("nothing", json!({}), 400),
    ] {
        let refused = hand_in(&server, "well", tool, &args, &json!({}));
        let run = server.post(&format!("/v1/plugins/well/tools/{tool}/run"), Some(&json!({"args": args})));
        assert_eq!((refused.status, run.status), (status, status), "{}", refused.text);
        let (refused, run) = (refused.json(), run.json());
        for field in ["type", "title", "status", "detail", "code", "hint"] {
            assert_eq!(refused[field], run[field], "{field} of {tool}");
        }
        if tool != "nothing" {
            assert_eq!(refused["errors"], run["errors"]);
        }
    }
    let wrong = hand_in(&server, "well", "echo", &json!({"txt": "a", "times": "2"}), &json!({})).json();
    let mut places: Vec<&str> =
        wrong["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/args/text", "/args/times", "/args/txt"], "{wrong:#}");
    let bytes = json!({"data": {"$bytes": "AAEC"}});
    let id = submit(&server, "echo_bytes", &bytes, &json!({}));
    until(&server, &id, "completed");
    assert_eq!(server.get(&format!("/v1/jobs/{id}/result")).json()["result"], bytes["data"]);
    assert_eq!(server.get("/v1/jobs").json()["count"], 1);
    // While the plugin is down nobody can say: the job waits, and fails when it runs.
    assert_eq!(server.post("/v1/plugins/well/unload", None).status, 200);
    let id = submit(&server, "echo", &json!({"txt": "a"}), &json!({}));
    assert_eq!(server.post("/v1/plugins/well/load", None).status, 200);
    let failed = until(&server, &id, "failed");
    assert_eq!(failed["error"]["category"], "user_input", "{failed:#}");
    server.stop();
}

#[test]
fn a_queue_that_is_full_says_when_to_come_back_and_takes_jobs_again_when_there_is_room() {
    let (server, blocker) = occupied("jobs: {pending_max: 4}");
    let echo =
        |key: &str| hand_in(&server, "well", "echo", &json!({"text": key}), &json!({"idempotency_key": key}));
    let waiting: Vec<Reply> = ["a", "b", "c"].map(echo).into();
    assert!(waiting.iter().all(|reply| reply.status == 202));
    let refused = echo("d");
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("queue_full")), "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(refused.json()["hint"].as_str().unwrap().contains("try again"), "{}", refused.text);
    let again = echo("b");
    assert_eq!(
        (again.status, &again.json()["job_id"]),
        (202, &waiting[1].json()["job_id"]),
        "{}",
        again.text
    );
    assert_eq!(server.get("/v1/jobs").json()["count"], 4);
    cancel(&server, waiting[0].json()["job_id"].as_str().unwrap());
    assert_eq!(echo("d").status, 202);
    assert_eq!(echo("e").status, 503);
    cancel(&server, &blocker);
    wait_until("there is room for all that wait", PATIENCE, || {
        server.get("/v1/jobs?status=completed").json()["count"] == 3
    });
    assert_eq!(echo("e").status, 202);
    server.stop();
}

#[test]
fn a_result_that_is_too_large_fails_its_job_and_holds_up_no_other() {
    let server = Serving::of(&["well"]).config("fail_on: crash").start();
    let text = |bytes: u32| json!({"text": "0123456789", "times": bytes / 10});
    let large = submit(&server, "echo", &text(25_000_000), &json!({}));
    let fits = submit(&server, "echo", &text(15_000_000), &json!({}));
    let many = submit(&server, "echo_value", &json!({"value": vec![7; 1_000_000]}), &json!({}));
    let binary = submit(&server, "big", &json!({"n_bytes": 30_000_000}), &json!({}));
    let failed = until(&server, &large, "failed");
    let error = &failed["error"];
    assert_eq!(
        (&error["error_type"], &error["category"]),
        (&json!("ResultNotSerializable"), &json!("fatal")),
        "{failed:#}"
    );
    assert!(error["message"].as_str().unwrap().contains("return bytes"), "{failed:#}");
    assert_eq!((&error["plugin_name"], &failed["stages"][0]["attempts"]), (&json!("well"), &json!(1)));
    for id in [&fits, &many, &binary] {
        until(&server, id, "completed");
    }
    let result = |id: &str| server.get(&format!("/v1/jobs/{id}/result")).json()["result"].take();
    assert_eq!(result(&fits).as_str().unwrap().len(), 15_000_000);
    assert_eq!(result(&many).as_array().unwrap().len(), 1_000_000);
    let request = server.client().get(format!("{}/v1/jobs/{binary}/result", server.url()));
    let bytes = request.bearer_auth(server.token()).header("accept", "application/octet-stream");
    assert_eq!(crate::support::reply(bytes).header("content-length"), "30000000");
    let outputs = std::fs::metadata(server.data().join("outputs")).unwrap();
    assert_eq!(outputs.permissions().mode() & 0o777, 0o700, "what jobs bring is nobody else's to read");
    server.stop();
}
