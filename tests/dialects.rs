//! Plugins that were written for other hosts, through the real binary: every door, and pipelines with all of them.

use crate::jobs::until;
use crate::pipelines::{accepted, result};
use crate::support::{Cli, Server, Serving, run_tool, test_plugins};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

/// Puts another class of one of the test plugins' folders beside the other plugins of a server.
pub(crate) fn class_of(serving: &Serving, folder: &str, name: &str, dialect: &str, entry: &str) {
    let plugin = serving.plugins().join(name);
    std::fs::create_dir(&plugin).unwrap();
    for file in std::fs::read_dir(test_plugins().join(folder)).unwrap().flatten() {
        if file.file_name() != "hardpoint.toml" {
            symlink(file.path(), plugin.join(file.file_name())).unwrap();
        }
    }
    let manifest = format!("name = '{name}'\nversion = '1.0.0'\nentry = '{entry}'\ndialect = '{dialect}'\n");
    std::fs::write(plugin.join("hardpoint.toml"), manifest).unwrap();
}

/// What a tool of a plugin brings.
pub(crate) fn ran(server: &Server, plugin: &str, tool: &str, args: &Value) -> Value {
    let (status, answer) = run_tool(server, plugin, tool, args);
    assert_eq!(status, 200, "{answer}");
    answer["result"].clone()
}

#[test]
fn a_plugin_of_each_dialect_is_called_on_the_command_line() {
    let said = Cli::new(&["call", "cjm-duck", "execute", "a=1", "--json"]).run();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.json()["result"]["kwargs"], json!({"a": 1}));
    let said = Cli::new(&["call", "reporter", "report", "device=gpu", "--json"]).run();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.json()["result"]["shown"], json!({"device": "gpu"}));
}

#[test]
fn a_pipeline_passes_text_and_bytes_through_a_stage_of_each_dialect() {
    let server = Server::with(&["relay", "forgesyte-plain", "cjm-duck"]);
    for plugin in ["relay", "reporter", "cjm-duck"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    let stages = json!([
        {"plugin": "relay", "tool": "begin", "config": {"size": 100_000}},
        {"plugin": "reporter", "tool": "report",
         "args": {"device": {"$from": "/stages/0/text"}, "image_bytes": {"$from": "/stages/0/image"}}},
        {"plugin": "cjm-duck", "tool": "execute",
         "args": {"report": {"$from": "/stages/1"}, "image": {"$from": "/stages/0/image"}}},
    ]);
    let id = accepted(&server, &json!({"pipeline": stages, "input": {"text": "ab"}}));
    until(&server, &id, "completed");
    let report = result(&server, &id)["result"]["kwargs"]["report"].clone();
    assert_eq!(report["kinds"], json!({"device": "str", "image_bytes": "bytes"}));
    let image: &Value = &result(&server, &id)["result"]["kwargs"]["image"];
    assert!(image.get("$bytes").is_some() || image.as_str().is_some(), "{image:.200}");
    server.stop();
}

#[test]
fn what_only_a_dialect_has_is_kept_when_the_worker_is_gone_and_a_restart_by_hand_is_a_reload() {
    let serving = Serving::empty();
    class_of(&serving, "forgesyte-plain", "recorder", "forgesyte", "fs_plain.hooks:Recorder");
    let server = serving.start();
    server.wait_for("recorder", "INITIALIZED");
    let trace = |server: &Server| ran(server, "recorder", "trace", &json!({}))["trace"].clone();
    assert_eq!(trace(&server), json!(["constructor", "validate", "on_load"]));
    assert_eq!(server.post("/v1/plugins/recorder/restart", None).status, 200);
    assert_eq!(trace(&server), json!(["constructor", "validate", "on_load", "on_reload"]));
    assert_eq!(server.post("/v1/plugins/recorder/unload", None).status, 200);
    let facts = server.get("/v1/plugins/recorder").json()["facts"].clone();
    assert_eq!(facts["manifest"]["name"], "Plain label", "{facts}");
    assert_eq!(server.post("/v1/plugins/recorder/load", None).status, 200);
    assert_eq!(trace(&server), json!(["constructor", "validate", "on_load"]), "a load is no reload");
    server.stop();
}

#[test]
fn a_plugin_is_told_the_folder_in_which_its_data_outlives_its_workers() {
    let serving = Serving::empty();
    class_of(&serving, "cjm-duck", "wants", "cjm", "cjm_duck:Wants");
    let server = serving.start();
    server.wait_for("wants", "INITIALIZED");
    let seen = ran(&server, "wants", "execute", &json!({}))["calls"][0].clone();
    let data = server.data().join("data");
    assert_eq!(seen["CJM_DATA_DIR"], json!(data), "{seen}");
    assert_eq!(seen["PLUGIN_DATA_DIR"], json!(data.join("wants")), "{seen}");
    assert_eq!(seen["DUCK_CACHE"], json!(format!("{}/cache of wants", data.join("wants").display())));
    assert!(data.join("wants").is_dir());
    server.stop();
}
