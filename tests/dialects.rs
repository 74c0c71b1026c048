//! Plugins that were written for other hosts, through the real binary: every door, and pipelines with all of them.

use crate::jobs::until;
use crate::pipelines::{accepted, result};
use crate::support::{Cli, Server};
use serde_json::{Value, json};

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
