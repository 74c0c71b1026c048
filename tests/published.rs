//! Plugins of another host as others have published them, not one line changed, through every door of this one.
//!
//! They come from the package registry and need Python 3.12: where one of the two is missing, these tests say so and end.

use crate::jobs::{cancel, events, hand_in, until};
use crate::pipelines::{accepted, result};
use crate::support::{Cli, PATIENCE, Server, Serving, run_tool};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Pinned: later interfaces need a later core. The same for all of them, so that one environment serves all.
const PACKAGES: &str = "\
cjm-plugin-system==0.0.34 cjm-graph-plugin-sqlite==0.0.9 cjm-graph-plugin-system==0.0.10 cjm-text-plugin-nltk==0.0.7 \
cjm-text-plugin-system==0.0.7 cjm-system-monitor-nvidia==0.0.11 cjm-infra-plugin-system==0.0.7";

const PUBLISHED: [(&str, &str); 3] = [
    ("graph", "cjm_graph_plugin_sqlite.plugin:SQLiteGraphPlugin"),
    ("text", "cjm_text_plugin_nltk.plugin:NLTKPlugin"),
    ("monitor", "cjm_system_monitor_nvidia.plugin:NvidiaMonitorPlugin"),
];

/// A server that has them, beside one that works with its bytes; `None` where they cannot be had.
fn published(more: &[&str]) -> Option<Server> {
    let serving = Serving::of(more);
    for (name, entry) in PUBLISHED {
        write_plugin(&serving.plugins().join(name), name, entry);
    }
    let server = serving.start();
    for (name, _) in PUBLISHED {
        let mut health = Value::Null;
        wait_until(&format!("{name} is up or not"), PATIENCE * 6, || {
            health = server.health(name);
            health["starting"].is_null() && health["state"] != "LOADED"
        });
        if health["state"] == "UNAVAILABLE" {
            println!("skipped: {}", health["reason"]);
            server.stop();
            return None;
        }
        assert_eq!(health["state"], "INITIALIZED", "{health:#}\n{}", server.log());
    }
    Some(server)
}

fn write_plugin(folder: &Path, name: &str, entry: &str) {
    fs::create_dir(folder).unwrap();
    let packages: Vec<&str> = PACKAGES.split_whitespace().collect();
    let manifest = format!(
        "name = '{name}'\nversion = '1'\nentry = '{entry}'\ndialect = 'cjm'\n\
         [python]\nrequires = '>=3.12'\nrequirements = {packages:?}\n\
         [limits]\nstartup_seconds = 120\n[env]\nNLTK_DATA = '/nonexistent'\n"
    );
    fs::write(folder.join("hardpoint.toml"), manifest).unwrap();
}

#[track_caller]
fn ran(server: &Server, plugin: &str, tool: &str, args: &Value) -> Value {
    let (status, answer) = run_tool(server, plugin, tool, args);
    assert_eq!(status, 200, "{answer:#}");
    answer["result"].clone()
}

#[test]
fn published_plugins_run_over_http_by_their_actions_and_their_errors_stay_typed() {
    let Some(server) = published(&[]) else { return };
    let nodes = json!([{"id": "a", "label": "Person", "properties": {}}, {"id": "b", "label": "Person", "properties": {}}]);
    let added = ran(&server, "graph", "execute", &json!({"action": "add_nodes", "nodes": nodes}));
    assert_eq!(added, json!({"created_ids": ["a", "b"], "count": 2}));
    let status = ran(&server, "monitor", "get_system_status", &json!({}));
    assert!(status["memory_total_mb"].as_f64().unwrap() > 0.0, "{status}");
    let (status, answer) = run_tool(&server, "graph", "execute", &json!({"action": "nope"}));
    assert_eq!((status, &answer["error_type"]), (400, &json!("PluginInputError")), "{answer:#}");
    assert_eq!((&answer["category"], &answer["fields_invalid"]), (&json!("user_input"), &json!(["action"])));
    assert_eq!(server.health("graph")["state"], "INITIALIZED");
    // What it keeps outlives its worker and its server.
    let server = server.killed().start();
    server.wait_for("graph", "INITIALIZED");
    let schema = ran(&server, "graph", "execute", &json!({"action": "get_schema"}));
    assert_eq!(
        schema["counts"]["nodes"].as_u64().or(schema["counts"]["Person"].as_u64()),
        Some(2),
        "{schema}"
    );
    server.stop();
}

#[test]
fn a_published_plugin_is_called_on_the_command_line() {
    let Some(server) = published(&[]) else { return };
    let stopped = server.stopped();
    let (data, plugins) = (stopped.data(), stopped.plugins());
    let places = ["--data-dir", data.to_str().unwrap(), "--plugins-dir", plugins.to_str().unwrap(), "--json"];
    let call = |args: &[&str]| Cli::new(&[args, &places].concat()).run();
    let said = call(&["call", "text", "execute", "action=split_sentences", "text=Hello there. How are you?"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let spans = said.json()["result"]["spans"].clone();
    assert_eq!((&spans[0]["text"], &spans[1]["text"]), (&json!("Hello there."), &json!("How are you?")));
    let said = call(&["call", "graph", "execute", "action=get_node"]);
    assert_eq!(said.json()["error_type"], "KeyError", "{}", said.stdout);
}

#[test]
fn a_published_plugin_is_configured_while_it_runs_and_its_own_schema_decides() {
    let Some(server) = published(&[]) else { return };
    let path = "/v1/plugins/text/config";
    let shown = server.get(path).json();
    assert_eq!(shown["values"]["language"], "english", "{shown:#}");
    let refused = server.send(Method::PATCH, path, Some(&json!({"language": "klingon", "nope": 1})));
    assert_eq!(refused.status, 422, "{}", refused.text);
    let fields: Vec<&Value> =
        refused.json()["errors"].as_array().unwrap().iter().map(|_| &Value::Null).collect();
    assert_eq!(fields.len(), 2, "{}", refused.text);
    let changed = server.send(Method::PATCH, path, Some(&json!({"language": "german"})));
    assert_eq!(changed.status, 200, "{}", changed.text);
    let args = json!({"action": "split_sentences", "text": "Guten Tag. Wie geht es?"});
    let said = ran(&server, "text", "execute", &args);
    assert_eq!(said["metadata"]["language"], "german", "{said}");
    assert_eq!(server.health("text")["incarnation"], 1, "it was not restarted for that");
    server.stop();
}

#[test]
fn published_plugins_are_stages_of_one_pipeline() {
    let Some(server) = published(&[]) else { return };
    let node = json!({"id": "page", "label": "Page", "properties": {"spans": {"$from": "/stages/0/spans"}}});
    let stages = json!([
        {"plugin": "text", "tool": "execute",
         "args": {"action": "split_sentences", "text": {"$from": "/input/text"}}},
        {"plugin": "graph", "tool": "execute", "args": {"action": "add_nodes", "nodes": [node]}},
        {"plugin": "graph", "tool": "execute", "args": {"action": "get_node", "node_id": "page"}},
    ]);
    let id = accepted(&server, &json!({"pipeline": stages, "input": {"text": "One is first. Two is not."}}));
    until(&server, &id, "completed");
    let node = result(&server, &id)["result"].clone();
    assert_eq!(node["node"]["properties"]["spans"][1]["text"], "Two is not.", "{node}");
    server.stop();
}

#[test]
fn a_published_plugin_streams_and_one_that_uses_the_whole_contract_tells_progress_and_is_cancelled() {
    let Some(server) = published(&["cjm-whole"]) else { return };
    let (status, streamed) = run_tool(
        &server,
        "text",
        "execute_stream",
        &json!({"action": "split_sentences", "text": "One is first. Two is not."}),
    );
    assert_eq!(status, 200, "{streamed:#}");
    let items = streamed["items"].as_array().or(streamed["result"]["items"].as_array());
    assert_eq!(items.unwrap().len(), 1, "{streamed:#}");
    server.wait_for("cjm-whole", "INITIALIZED");
    let job = |tool: &str, args: &Value| {
        let reply = hand_in(&server, "cjm-whole", tool, args, &json!({}));
        assert_eq!(reply.status, 202, "{}", reply.text);
        reply.json()["job_id"].as_str().unwrap().to_owned()
    };
    let worked = job("work", &json!({"steps": 4, "usage": 7}));
    until(&server, &worked, "completed");
    let told = events(&server, Some(&worked), 0);
    let progress = told.iter().rfind(|event| event["type"] == "PROGRESS_CHANGED");
    assert_eq!(progress.unwrap()["payload"]["progress"], 1.0, "{told:?}");
    let polled = job("poll", &json!({"name": "one"}));
    until(&server, &polled, "running");
    cancel(&server, &polled);
    let job = until(&server, &polled, "cancelled");
    assert_eq!(job["status"], "cancelled");
    let health = server.health("cjm-whole");
    assert_eq!((&health["state"], &health["incarnation"]), (&json!("INITIALIZED"), &json!(1)), "{health:#}");
    server.stop();
}
