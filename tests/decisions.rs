//! What somebody decided about a plugin is on disk before it is answered: a server that is killed the next moment has a
//! successor that knows it.

use crate::jobs::hand_in;
use crate::support::{PATIENCE, Server, Serving, run_tool};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};

/// Asks something of `well`; the plugin afterwards.
#[track_caller]
fn verb(server: &Server, verb: &str) -> Value {
    let reply = server.post(&format!("/v1/plugins/well/{verb}"), None);
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// `well` lies there, and no worker was started for it, while another plugin came up.
#[track_caller]
fn is_not_started(server: &Server, enabled: bool) {
    server.wait_for("py_loop", "INITIALIZED");
    let health = server.health("well");
    assert_eq!((&health["state"], &health["enabled"]), (&json!("LOADED"), &json!(enabled)), "{health:#}");
    assert_eq!((&health["pid"], &health["incarnation"]), (&Value::Null, &json!(1)), "{health:#}");
}

#[test]
fn a_plugin_that_is_disabled_stays_so_after_its_server_was_killed_until_it_is_enabled() {
    let server = Server::with(&["well", "py_loop"]);
    server.wait_for("well", "INITIALIZED");
    verb(&server, "disable");
    let server = server.killed().start();
    is_not_started(&server, false);
    let refused = hand_in(&server, "well", "echo", &json!({"text": "a"}), &json!({}));
    assert_eq!(refused.json()["code"], "plugin_disabled", "{}", refused.text);
    verb(&server, "enable");
    let server = server.killed().start();
    assert_eq!(server.wait_for("well", "INITIALIZED")["enabled"], true);
    server.stop();
}

#[test]
fn a_plugin_that_is_unloaded_stays_so_after_its_server_was_killed_until_it_is_loaded() {
    let mut server = Server::with(&["well", "py_loop"]);
    server.wait_for("well", "INITIALIZED");
    for start in ["load", "restart"] {
        verb(&server, "unload");
        let other = server.killed().start();
        is_not_started(&other, true);
        let (status, body) = run_tool(&other, "well", "echo", &json!({"text": "a"}));
        assert_eq!((status, &body["error_type"]), (503, &json!("PluginUnavailable")), "{body:#}");
        verb(&other, start);
        server = other.killed().start();
        server.wait_for("well", "INITIALIZED");
        assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "a"})).0, 200);
    }
    server.stop();
}

#[test]
fn what_is_answered_before_it_is_done_is_on_disk_all_the_same() {
    let server = Server::with(&["well", "py_loop"]);
    server.wait_for("well", "INITIALIZED");
    let blocker = hand_in(&server, "well", "nap", &json!({"seconds": 600}), &json!({}));
    assert_eq!(blocker.status, 202, "{}", blocker.text);
    server.wait_for("well", "RUNNING");
    // A call is in flight: it cannot be done yet.
    let reply = server.post("/v1/plugins/well/disable?wait_seconds=0", None);
    assert_eq!(reply.status, 202, "{}", reply.text);
    let server = server.killed().start();
    is_not_started(&server, false);
    server.stop();
}

#[test]
fn the_configuration_decides_until_somebody_does() {
    let config = "plugins: {well: {enabled: false}}";
    let server = Serving::of(&["well", "py_loop"]).config(config).start();
    is_not_started(&server, false);
    // Unloading says nothing about the other.
    verb(&server, "unload");
    let server = server.stopped().config("{}").start();
    assert_eq!(server.health("well")["enabled"], true);
    verb(&server, "load");
    let server = server.stopped().config(config).start();
    is_not_started(&server, false);
    verb(&server, "enable");
    let server = server.stopped().start();
    wait_until("it is started although the configuration says otherwise", PATIENCE, || {
        server.health("well")["state"] == "INITIALIZED"
    });
    server.stop();
}
