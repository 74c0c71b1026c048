//! Plugins as clients of other hosts look at them, and reload them.

use crate::dialects::class_of;
use crate::support::{Server, Serving, run_tool};
use serde_json::{Value, json};
use std::fs;

/// A plugin of a server's own, whose source can be edited: its one tool says which text it has.
fn edited(serving: &Serving, text: &str) {
    let folder = serving.plugins().join("edited");
    let _ = fs::create_dir(&folder);
    let manifest = "name = 'edited'\nversion = '1.0.0'\nentry = 'edited:Plugin'\ndialect = 'forgesyte'\n";
    fs::write(folder.join("hardpoint.toml"), manifest).unwrap();
    let code = format!(
        "class Plugin:\n    name = 'edited'\n    tools = {{'say': {{}}}}\n    calls = 0\n\n    def run_tool(self, tool, args):\n        \
         self.calls += 1\n        return {{'text': {text:?}, 'calls': self.calls}}\n"
    );
    fs::write(folder.join("edited.py"), code).unwrap();
}

fn said(server: &Server) -> Value {
    let (status, body) = run_tool(server, "edited", "say", &json!({}));
    assert_eq!(status, 200, "{body:#}");
    body["result"].clone()
}

#[test]
fn after_a_reload_edited_code_is_live_and_the_instance_is_new() {
    let serving = Serving::of(&["import_error"]);
    edited(&serving, "one");
    let server = serving.start();
    server.wait_for("edited", "INITIALIZED");
    assert_eq!(
        (said(&server), said(&server)["calls"].clone()),
        (json!({"text": "one", "calls": 1}), json!(2))
    );
    let edit = |text: &str| {
        let path = server.plugins().join("edited/edited.py");
        let code = fs::read_to_string(&path).unwrap();
        fs::write(path, code.replace("'text': \"one\"", &format!("'text': {text}"))).unwrap();
    };
    edit("\"two and more\"");
    let answer = server.post("/v1/plugins/edited/reload", None);
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "reloaded", "plugin": "edited"})));
    assert_eq!(said(&server), json!({"text": "two and more", "calls": 1}));
    server.wait_for("import_error", "FAILED");
    let failed = server.post("/v1/plugins/import_error/reload", None);
    assert_eq!((failed.status, &failed.json()["status"]), (200, &json!("failed")), "{}", failed.text);
    assert_eq!(failed.json()["reason"], server.health("import_error")["reason"]);
    let unknown = server.post("/v1/plugins/nobody/reload", None);
    assert_eq!((unknown.status, &unknown.json()["detail"]), (404, &json!("Plugin 'nobody' not found")));
    let all = server.post("/v1/plugins/reload-all", None).json();
    assert_eq!((&all["success"], &all["reloaded"]), (&json!(false), &json!(["edited"])), "{all:#}");
    assert_eq!((&all["failed"], &all["total"]), (&json!(["import_error"]), &json!(2)), "{all:#}");
    assert_eq!(all["errors"]["import_error"], server.health("import_error")["reason"]);
    assert_eq!(said(&server)["calls"], 1);
    server.stop();
}

#[test]
fn plugins_are_listed_counted_and_their_health_has_every_field_of_other_hosts() {
    let serving = Serving::of(&["well", "import_error", "needs_other_platform"]);
    class_of(&serving, "forgesyte-plain", "told", "forgesyte", "fs_plain.odd:Told");
    let server = serving.start();
    for (plugin, state) in [
        ("well", "INITIALIZED"),
        ("told", "INITIALIZED"),
        ("import_error", "FAILED"),
        ("needs_other_platform", "UNAVAILABLE"),
    ] {
        server.wait_for(plugin, state);
    }
    let listed = server.get("/v1/plugins/");
    let all = listed.json();
    let counts = ["total", "available", "failed", "unavailable"].map(|name| all[name].as_u64().unwrap());
    assert_eq!((listed.status, counts), (200, [4, 2, 1, 1]));
    let names: Vec<&str> =
        all["plugins"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["import_error", "needs_other_platform", "told", "well"]);
    for plugin in all["plugins"].as_array().unwrap() {
        for name in ["name", "state", "description", "version"] {
            assert!(plugin[name].is_string(), "{name}: {plugin:#}");
        }
        for name in ["success_count", "error_count"] {
            assert!(plugin[name].is_u64(), "{name}: {plugin:#}");
        }
        for name in ["uptime_seconds", "last_used", "last_execution_time_ms", "avg_execution_time_ms"] {
            assert!(plugin.get(name).is_some(), "{name}: {plugin:#}");
        }
        let broken = plugin["state"] == "FAILED" || plugin["state"] == "UNAVAILABLE";
        assert_eq!(plugin["reason"].is_string(), broken, "{plugin:#}");
    }
    // What a plugin of another host says of itself counts before what our manifest says.
    let told = server.health("told");
    assert_eq!((&told["description"], &told["version"]), (&json!("From the manifest."), &json!("9.9.9")));
    let health = server.get("/v1/health").json();
    let counts = ["plugins_loaded", "plugins_failed", "plugins_unavailable"]
        .map(|name| health[name].as_u64().unwrap());
    assert_eq!((counts, &health["status"]), ([2, 1, 1], &json!("healthy")));
    server.stop();
}

#[test]
fn every_plugin_has_a_manifest_its_own_or_one_made_from_its_tools() {
    let serving = Serving::of(&["forgesyte-plain", "well", "import_error"]);
    edited(&serving, "one");
    let server = serving.start();
    for plugin in ["reporter", "edited", "well"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    server.wait_for("import_error", "FAILED");
    let manifest = |plugin: &str| {
        let reply = server.get(&format!("/v1/plugins/{plugin}/manifest"));
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    };
    // Its own file, with what the plugin of another host has beside it.
    let told = manifest("reporter");
    assert_eq!((&told["id"], &told["name"]), (&json!("plain_label"), &json!("Plain label")), "{told:#}");
    assert_eq!((&told["type"], &told["min_python_version"]), (&json!("ocr"), &json!("3.9")), "{told:#}");
    assert_eq!((&told["tools"][0]["id"], &told["manifest"]["name"]), (&json!("report"), &json!("reporter")));
    assert_eq!(told["tools"][0]["inputs"], json!(["image_bytes"]));
    // One that has none.
    let told = manifest("edited");
    assert_eq!(
        (&told["id"], &told["type"], &told["synthesised"]),
        (&json!("edited"), &json!("custom"), &json!(true))
    );
    assert_eq!((&told["tools"][0]["id"], &told["manifest_error"]), (&json!("say"), &Value::Null), "{told:#}");
    let native = manifest("well");
    assert_eq!((&native["manifest"]["name"], &native["manifest_error"]), (&json!("well"), &Value::Null));
    let echo = native["tools"].as_array().unwrap().iter().find(|tool| tool["id"] == "echo").unwrap();
    assert_eq!(echo["inputs"], json!({"text": "string", "times": "integer?"}));
    assert_eq!(
        (&manifest("import_error")["id"], &manifest("import_error")["tools"]),
        (&json!("import_error"), &json!([]))
    );
    assert_eq!(server.get("/v1/plugins/nobody/manifest").status, 404);
    server.stop();
}
