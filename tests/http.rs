//! The routes that look at plugins and the host, and those that start and stop plugins.

use crate::support::{PATIENCE, Server, Serving, reply, run_tool};
use hardpoint_testkit::soon;
use serde_json::{Value, json};

#[test]
fn the_list_is_a_flat_array_sorted_by_name_and_agrees_with_each_plugins_own_health() {
    let server = Server::with(&["well", "import_error", "bad_manifest"]);
    server.wait_for("well", "INITIALIZED");
    server.wait_for("import_error", "FAILED");
    let list = server.get("/v1/plugins");
    assert_eq!((list.status, list.header("content-type")), (200, "application/json"));
    let list = list.json();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bad_manifest", "import_error", "well"]);
    for plugin in list.as_array().unwrap() {
        let name = plugin["name"].as_str().unwrap();
        let mut own = server.health(name);
        // The one figure that moves by itself.
        own["uptime_seconds"].clone_from(&plugin["uptime_seconds"]);
        assert_eq!(&own, plugin);
        let broken = plugin["state"] == "FAILED";
        assert_eq!(plugin["reason"].is_string(), broken, "{plugin:#}");
        let detail = server.get(&format!("/v1/plugins/{name}")).json();
        assert_eq!(detail["state"], plugin["state"]);
        assert_eq!(detail["tools"].as_array().unwrap().is_empty(), broken, "{detail:#}");
    }
    server.stop();
}

#[test]
fn a_manifest_is_shown_for_every_plugin_and_says_what_is_wrong_with_it() {
    let server = Server::with(&["well", "bad_manifest"]);
    let good = server.get("/v1/plugins/well/manifest");
    assert_eq!((good.status, &good.json()["manifest_error"]), (200, &Value::Null));
    assert_eq!(good.json()["manifest"]["entry"], "plugin:WellPlugin");
    let bad = server.get("/v1/plugins/bad_manifest/manifest");
    assert_eq!((bad.status, &bad.json()["manifest"]), (200, &Value::Null));
    assert!(bad.json()["manifest_error"].as_str().unwrap().contains("name"), "{}", bad.text);
    server.stop();
}

#[test]
fn tools_are_shown_with_their_schemas_and_how_long_they_may_take() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let tools = server.get("/v1/plugins/well/tools").json();
    let tool =
        |name: &str| tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap().clone();
    let echo = tool("echo");
    assert_eq!(echo["input_schema"]["required"], json!(["text"]));
    assert_eq!((&echo["streaming"], &echo["timeout_seconds"]), (&json!(false), &json!(60.0)));
    assert_eq!(tool("count")["streaming"], true);
    server.stop();
}

#[test]
fn the_last_lines_of_a_log_are_shown_oldest_first() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    assert_eq!(run_tool(&server, "well", "log", &json!({"lines": 5})).0, 200);
    let lines = |count: u32| {
        let lines = server.get(&format!("/v1/plugins/well/logs?lines={count}")).json();
        lines.as_array().unwrap().clone()
    };
    let mut all = Vec::new();
    let came = soon(PATIENCE, || {
        all = lines(1000);
        all.iter().any(|line| line["text"] == "printed 4")
    });
    assert!(came, "{all:#?}");
    let printed: Vec<&Value> =
        all.iter().filter(|line| line["source"] == "stdout").map(|line| &line["text"]).collect();
    assert_eq!(printed, ["printed 0", "printed 1", "printed 2", "printed 3", "printed 4"]);
    assert_eq!(lines(4), all[all.len() - 4..]);
    for query in ["lines=0", "lines=1001", "lines=x", "lines=1&other=2", "lines=1&lines=2"] {
        let reply = server.get(&format!("/v1/plugins/well/logs?{query}"));
        assert_eq!((reply.status, &reply.json()["code"]), (422, &json!("bad_query")), "{query}");
    }
    server.stop();
}

#[test]
fn an_unknown_plugin_is_404_wherever_it_is_looked_at_or_changed() {
    let server = Server::with(&["well"]);
    let looked = ["", "/health", "/manifest", "/tools", "/logs"]
        .map(|what| server.get(&format!("/v1/plugins/x{what}")));
    let verbs = ["restart", "load", "unload", "enable", "disable", "prefetch"];
    let changed = verbs.map(|verb| server.post(&format!("/v1/plugins/x/{verb}"), None));
    for reply in looked.into_iter().chain(changed) {
        let body = reply.json();
        assert_eq!((reply.status, &body["code"]), (404, &json!("unknown_plugin")), "{body:#}");
        assert_eq!(body["detail"], "Plugin 'x' not found");
    }
    server.stop();
}

#[test]
fn a_plugin_is_unloaded_loaded_disabled_enabled_and_restarted_over_http() {
    let server = Server::with(&["well"]);
    let first = server.wait_for("well", "INITIALIZED");
    let verb = |verb: &str| {
        let reply = server.post(&format!("/v1/plugins/well/{verb}"), None);
        (reply.status, reply.json())
    };
    let (status, body) = verb("unload");
    assert_eq!((status, &body["state"], &body["pid"]), (200, &json!("LOADED"), &Value::Null), "{body:#}");
    let (status, body) = run_tool(&server, "well", "echo", &json!({"text": "a"}));
    assert_eq!((status, &body["error_type"]), (503, &json!("PluginUnavailable")), "{body:#}");
    let (status, body) = verb("prefetch");
    assert_eq!((status, &body["code"]), (409, &json!("state_conflict")), "{body:#}");
    let (status, body) = verb("load");
    assert_eq!((status, &body["state"]), (200, &json!("INITIALIZED")), "{body:#}");
    assert_ne!(body["pid"], first["pid"]);
    let (status, body) = verb("disable");
    assert_eq!((status, &body["enabled"]), (200, &json!(false)), "{body:#}");
    let (status, body) = run_tool(&server, "well", "echo", &json!({"text": "a"}));
    assert_eq!((status, &body["code"]), (503, &json!("plugin_disabled")), "{body:#}");
    let (status, body) = verb("enable");
    assert_eq!((status, &body["enabled"]), (200, &json!(true)), "{body:#}");
    let (status, body) = verb("restart");
    assert_eq!((status, &body["state"]), (200, &json!("INITIALIZED")), "{body:#}");
    assert!(body["incarnation"].as_u64() > first["incarnation"].as_u64(), "{body:#}");
    let (status, body) = verb("prefetch");
    assert_eq!(status, 200, "{body:#}");
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "a"})).0, 200);
    server.stop();
}

#[test]
fn a_verb_that_is_not_waited_for_is_accepted_and_goes_on() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let reply = server.post("/v1/plugins/well/restart?wait_seconds=0", None);
    assert_eq!(reply.status, 202, "{}", reply.text);
    server.wait_for("well", "INITIALIZED");
    for query in ["wait_seconds=-1", "wait_seconds=3601", "wait_seconds=nan", "wait=1"] {
        let reply = server.post(&format!("/v1/plugins/well/restart?{query}"), None);
        assert_eq!((reply.status, &reply.json()["code"]), (422, &json!("bad_query")), "{query}");
    }
    server.stop();
}

#[test]
fn the_host_is_healthy_whatever_its_plugins_are_and_ready_only_when_they_all_are() {
    let server =
        Serving::of(&["well", "import_error"]).config("plugins: {import_error: {enabled: true}}\n").start();
    server.wait_for("well", "INITIALIZED");
    server.wait_for("import_error", "FAILED");
    let health = server.get("/v1/health");
    let body = health.json();
    assert_eq!(
        (health.status, &body["status"], &body["plugins_failed"]),
        (200, &json!("healthy"), &json!(1))
    );
    assert_eq!((&body["plugins_total"], &body["plugins_loaded"]), (&json!(2), &json!(1)));
    let ready = server.get("/v1/ready");
    let reasons = ready.json()["reasons"].clone();
    assert_eq!((ready.status, reasons.as_array().unwrap().len()), (503, 1), "{reasons:#}");
    assert!(reasons[0].as_str().unwrap().starts_with("plugin `import_error` is FAILED: "), "{reasons:#}");
    assert_eq!(server.post("/v1/plugins/import_error/disable", None).status, 200);
    let ready = server.get("/v1/ready");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &json!(true)), "{}", ready.text);
    server.stop();
}

#[test]
fn figures_count_calls_requests_and_states() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    assert_eq!(run_tool(&server, "well", "echo", &json!({"text": "a"})).0, 200);
    assert_eq!(run_tool(&server, "well", "fail", &json!({"kind": "value"})).0, 400);
    let metrics = server.get("/metrics");
    assert_eq!(
        (metrics.status, metrics.header("content-type")),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        "hardpoint_up 1",
        "hardpoint_plugin_state{plugin=\"well\",state=\"INITIALIZED\"} 1",
        "hardpoint_plugin_state{plugin=\"well\",state=\"FAILED\"} 0",
        "hardpoint_plugin_calls_total{plugin=\"well\",outcome=\"ok\"} 1",
        "hardpoint_plugin_calls_total{plugin=\"well\",outcome=\"failed\"} 1",
        "hardpoint_plugin_live{plugin=\"well\"} 1",
        "hardpoint_http_requests_total{route=\"/v1/plugins/{name}/tools/{tool}/run\",status=\"400\"} 1",
    ] {
        assert!(metrics.text.lines().any(|found| found == line), "{line} is not in\n{}", metrics.text);
    }
    server.stop();
}

#[test]
fn the_description_and_the_page_are_open_to_everybody_and_need_nothing_from_elsewhere() {
    let server = Serving::empty().start();
    let client = server.client();
    let get = |path: &str| reply(client.get(format!("{}{path}", server.url())));
    let description = get("/openapi.json");
    assert_eq!((description.status, &description.json()["openapi"]), (200, &json!("3.1.0")));
    let page = get("/docs");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    let loaded = page.text.split('"').filter(|text| text.starts_with("/docs/") || text.contains("://"));
    let loaded: Vec<&str> = loaded.collect();
    assert_eq!(loaded, ["/docs/swagger.css", "/docs/swagger.js", "/docs/page.js"]);
    for path in loaded {
        let asset = get(path);
        assert_eq!((asset.status, asset.header("x-content-type-options")), (200, "nosniff"), "{path}");
        let packed = reply(client.get(format!("{}{path}", server.url())).header("accept-encoding", "gzip"));
        assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
    }
    server.stop();
}
