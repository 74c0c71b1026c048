//! Restarts, by hand and by policy, each a new incarnation; and what takes a plugin down.

use crate::support::{Server, Serving, run_tool, test_plugins};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// Short waits between attempts.
const ON_FAILURE: &str = "restart: {policy: on-failure, delays_seconds: [0, 0.1, 0.2], attempts_max: 3}\n";

fn copy_plugin(plugins: &Path, name: &str) {
    fs::create_dir(plugins.join(name)).unwrap();
    for file in ["hardpoint.toml", "plugin.py"] {
        fs::copy(test_plugins().join(name).join(file), plugins.join(name).join(file)).unwrap();
    }
}

fn incarnations(server: &Server, plugin: &str) -> Vec<(u64, Value)> {
    let detail = server.get(&format!("/v1/plugins/{plugin}")).json();
    let lives = detail["history"].as_array().unwrap().iter();
    lives.map(|life| (life["incarnation"].as_u64().unwrap(), life["state"].clone())).collect()
}

#[test]
fn a_failed_plugin_stays_failed_without_a_policy_and_a_restart_by_hand_is_a_new_incarnation() {
    let server = Server::with(&["os_exit"]);
    let first = server.wait_for("os_exit", "INITIALIZED");
    assert_eq!(run_tool(&server, "os_exit", "leave", &json!({})).0, 502);
    let (status, body) = run_tool(&server, "os_exit", "leave", &json!({}));
    assert_eq!((status, &body["error_type"]), (503, &json!("PluginUnavailable")), "{body:#}");
    assert!(body["detail"].as_str().unwrap().starts_with("Plugin is FAILED: "), "{body:#}");
    let restarted = server.post("/v1/plugins/os_exit/restart", None);
    let after = restarted.json();
    assert_eq!(
        (restarted.status, &after["state"], &after["reason"]),
        (200, &json!("INITIALIZED"), &Value::Null)
    );
    assert_eq!((&after["incarnation"], &after["restarts"]), (&json!(2), &json!(1)));
    assert_ne!(after["pid"], first["pid"]);
    assert_eq!(
        (&after["error_count"], incarnations(&server, "os_exit")),
        (&json!(1), vec![(1, json!("FAILED"))])
    );
    server.stop();
}

#[test]
fn a_policy_restarts_a_crashed_plugin_which_then_answers_again() {
    let server = Serving::of(&["segfault"]).config(ON_FAILURE).start();
    server.wait_for("segfault", "INITIALIZED");
    assert_eq!(run_tool(&server, "segfault", "crash", &json!({})).0, 502);
    let health = server.wait_for("segfault", "INITIALIZED");
    assert_eq!((&health["incarnation"], &health["restarts"]), (&json!(2), &json!(1)));
    server.stop();
}

#[test]
fn a_plugin_that_cannot_start_is_tried_as_often_as_allowed_and_keeps_its_history() {
    let server = Serving::of(&["os_exit_at_import"]).config(ON_FAILURE).start();
    let mut health = Value::Null;
    wait_until("it stayed down", Duration::from_secs(30), || {
        health = server.health("os_exit_at_import");
        health["reason"].as_str().is_some_and(|reason| reason.contains("3 restarts in a row did not help"))
    });
    assert_eq!((&health["incarnation"], &health["restart_at"]), (&json!(4), &Value::Null));
    let failed = json!("FAILED");
    let lives = incarnations(&server, "os_exit_at_import");
    assert_eq!(lives, vec![(1, failed.clone()), (2, failed.clone()), (3, failed)]);
    server.stop();
}

#[test]
fn fail_on_crash_keeps_a_plugin_alive_that_raises_a_fatal_exception() {
    let server = Serving::of(&["well"]).config("plugins: {well: {fail_on: crash}}\n").start();
    server.wait_for("well", "INITIALIZED");
    let (status, body) = run_tool(&server, "well", "fail", &json!({"kind": "fatal"}));
    assert_eq!((status, &body["error_type"]), (502, &json!("FatalError")), "{body:#}");
    let health = server.health("well");
    assert_eq!((&health["state"], &health["error_count"]), (&json!("INITIALIZED"), &json!(1)));
    server.stop();
}

#[test]
fn a_fatal_exception_takes_its_plugin_down_and_wrong_input_does_not() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    for kind in ["input", "value", "transient", "timeout"] {
        run_tool(&server, "well", "fail", &json!({"kind": kind}));
        assert_eq!(server.health("well")["state"], "INITIALIZED", "{kind}");
    }
    run_tool(&server, "well", "fail", &json!({"kind": "fatal"}));
    let health = server.health("well");
    assert_eq!((&health["state"], &health["error_count"]), (&json!("FAILED"), &json!(5)));
    assert!(health["reason"].as_str().unwrap().contains("tool `fail` failed: FatalError"), "{health:#}");
    let log = server.get("/v1/plugins/well/logs?lines=200").text;
    assert!(log.contains("Traceback (most recent call last)"), "no traceback in {log}");
    server.stop();
}

#[test]
fn a_mended_manifest_counts_at_the_next_restart() {
    let serving = Serving::empty();
    copy_plugin(&serving.plugins(), "import_error");
    let server = serving.start();
    server.wait_for("import_error", "FAILED");
    copy_plugin(&server.plugins(), "well");
    let code = fs::read_to_string(server.plugins().join("well/plugin.py")).unwrap();
    fs::write(server.plugins().join("import_error/mended.py"), code).unwrap();
    let manifest = server.plugins().join("import_error/hardpoint.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let entry = text.lines().find(|line| line.starts_with("entry")).unwrap();
    fs::write(&manifest, text.replace(entry, "entry = \"mended:WellPlugin\"")).unwrap();
    let after = server.post("/v1/plugins/import_error/restart", None).json();
    assert_eq!((&after["state"], &after["incarnation"]), (&json!("INITIALIZED"), &json!(2)), "{after:#}");
    // One that was not there when the server started is found when it is loaded.
    let loaded = server.post("/v1/plugins/well/load", None);
    assert_eq!((loaded.status, &loaded.json()["state"]), (200, &json!("INITIALIZED")));
    server.stop();
}

#[test]
fn an_unloaded_plugin_has_no_worker_and_comes_back_when_it_is_loaded() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let unloaded = server.post("/v1/plugins/well/unload", None).json();
    assert_eq!((&unloaded["state"], &unloaded["pid"]), (&json!("LOADED"), &Value::Null), "{unloaded:#}");
    let (status, body) = run_tool(&server, "well", "echo", &json!({"text": "x"}));
    assert_eq!(status, 503, "{body:#}");
    assert!(body["hint"].as_str().unwrap().contains("hardpoint plugin load well"), "{body:#}");
    let loaded = server.post("/v1/plugins/well/load", None).json();
    assert_eq!((&loaded["state"], &loaded["incarnation"]), (&json!("INITIALIZED"), &json!(2)));
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "x"})).0, 200);
    server.stop();
}

#[test]
fn a_disabled_plugin_refuses_calls_until_it_is_enabled() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    assert_eq!(server.post("/v1/plugins/well/disable", None).json()["enabled"], json!(false));
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "x"})).0, 503);
    assert_eq!(server.post("/v1/plugins/well/enable", None).json()["enabled"], json!(true));
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "x"})).0, 200);
    server.stop();
}

#[test]
fn a_client_that_goes_away_from_a_call_that_will_not_stop_costs_the_plugin_a_worker_and_no_more() {
    let server = Server::with(&["c_loop"]);
    server.wait_for("c_loop", "INITIALIZED");
    let request = server
        .client()
        .post(format!("{}/v1/plugins/c_loop/tools/spin/run", server.url()))
        .bearer_auth(server.token())
        .json(&json!({"args": {}}))
        .timeout(Duration::from_millis(500));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(async { request.send().await }).unwrap_err().is_timeout());
    // The connection is closed with the runtime that holds it.
    drop(runtime);
    wait_until("a new worker was ready", Duration::from_secs(30), || {
        let health = server.health("c_loop");
        health["incarnation"] == 2 && health["state"] == "INITIALIZED"
    });
    assert_eq!(server.health("c_loop")["exit_reason"]["kind"], "cancelled");
    server.stop();
}

#[test]
fn a_plugin_that_runs_goes_on_beside_a_namesake_and_neither_is_started_while_both_are_there() {
    let server = Serving::of(&["well", "py_loop"]).start();
    let pid = server.wait_for("well", "INITIALIZED")["pid"].clone();
    let copy = server.plugins().join("well-backup");
    symlink(server.plugins().join("well"), &copy).unwrap();
    // Whatever makes the host read the folder.
    assert_eq!(server.post("/v1/plugins/nobody/load", None).status, 404);
    let health = server.health("well");
    assert_eq!((&health["state"], &health["pid"]), (&json!("INITIALIZED"), &pid), "{health:#}");
    let log = server.get("/v1/plugins/well/logs?lines=50").text;
    assert!(log.contains("claims its name, too"), "{log}");
    assert_eq!(server.post("/v1/plugins/well/restart", None).status, 200);
    let reason = server.wait_for("well", "FAILED")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("two plugins are called `well`") && reason.contains("well-backup"), "{reason}");
    std::fs::remove_file(copy).unwrap();
    assert_eq!(server.post("/v1/plugins/well/restart", None).status, 200);
    server.wait_for("well", "INITIALIZED");
    server.stop();
}
