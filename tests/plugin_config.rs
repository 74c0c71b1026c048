//! The configuration of a plugin, through the real server: judged by its schema, changed while it runs, kept.

use crate::support::{Cli, Reply, Server, Serving, run_tool};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const PLUGIN: &str = "configured";
const PATH: &str = "/v1/plugins/configured/config";

fn change(server: &Server, patch: &Value) -> Reply {
    server.send(Method::PATCH, PATH, Some(patch))
}

#[track_caller]
fn changed(server: &Server, patch: &Value) -> Value {
    let reply = change(server, patch);
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

fn shown(server: &Server) -> Value {
    server.get(PATH).json()
}

/// What the plugin goes by.
#[track_caller]
fn given(server: &Server) -> Value {
    let (status, body) = run_tool(server, PLUGIN, "given", &json!({}));
    assert_eq!(status, 200, "{body:#}");
    body["result"].clone()
}

/// What cannot be changed by a refusal.
#[track_caller]
fn all(server: &Server) -> (Value, Value, Value) {
    (shown(server), given(server), server.health(PLUGIN)["incarnation"].clone())
}

fn edit(server: &Server, file: &str, old: &str, new: &str) {
    let path = server.plugins().join(PLUGIN).join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old}");
    fs::write(path, text.replace(old, new)).unwrap();
}

#[test]
fn a_configuration_is_shown_with_the_origin_of_each_value_and_its_schema() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"server": {"port": 8080}}));
    let config = shown(&server);
    let values = json!({"language": "eng", "dpi": 200, "model": "small", "server": {"host": "localhost", "port": 8080}});
    assert_eq!(config["values"], values);
    let origins = json!({"/dpi": "manifest", "/language": "default", "/model": "default", "/server/host": "default", "/server/port": "persisted"});
    assert_eq!(config["origins"], origins);
    assert_eq!(config["persisted"], json!({"server": {"port": 8080}}));
    assert_eq!(config["schema"]["properties"]["model"]["reload_trigger"], "model");
    let hash = config["schema_hash"].as_str().unwrap();
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    assert_eq!((&config["kept_schema_hash"], &config["drift"]), (&json!(hash), &json!(false)));
    let options = server.get(&format!("{PATH}/options")).json();
    assert_eq!(options["language"]["options"][0]["value"], "deu");
    server.stop();
}

#[test]
fn a_change_is_seen_by_the_next_call_and_by_the_next_host() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let before = server.health(PLUGIN)["pid"].clone();
    changed(&server, &json!({"language": "deu", "dpi": 600}));
    let now = given(&server);
    assert_eq!((&now["language"], &now["dpi"], &now["loads"]), (&json!("deu"), &json!(600), &json!(1)));
    changed(&server, &json!({"model": "large"}));
    let now = given(&server);
    assert_eq!(
        (&now["loaded"], &now["loads"]),
        (&json!("large"), &json!(2)),
        "its trigger released the model"
    );
    assert_eq!(server.health(PLUGIN)["pid"], before, "it is the same worker");
    changed(&server, &json!({"dpi": null}));
    assert_eq!(given(&server)["dpi"], 200, "that of the manifest is back");
    let server = server.killed().start();
    server.wait_for(PLUGIN, "INITIALIZED");
    let now = given(&server);
    assert_eq!(
        (&now["language"], &now["dpi"], &now["loaded"]),
        (&json!("deu"), &json!(200), &json!("large"))
    );
    server.stop();
}

#[test]
fn every_field_that_is_wrong_is_named_and_nothing_changes() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"language": "deu"}));
    let before = all(&server);
    let wrong = json!({"languag": "eng", "language": "english", "dpi": 7, "model": "huge",
        "server": {"port": "http", "prot": 1}, "more": 1});
    let reply = change(&server, &wrong);
    assert_eq!((reply.status, &reply.json()["code"]), (422, &json!("config_invalid")), "{}", reply.text);
    let problem = reply.json();
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    let expected = ["/dpi", "/languag", "/language", "/model", "/more", "/server/port", "/server/prot"];
    assert_eq!(pointers, expected, "{problem:#}");
    for (body, status) in [(json!([]), 422), (json!("text"), 422)] {
        assert_eq!(change(&server, &body).status, status);
    }
    assert_eq!(all(&server), before);
    // Unknown keys alone may be left out; wrong values never.
    let lenient = |patch: &Value| server.send(Method::PATCH, &format!("{PATH}?strict=false"), Some(patch));
    assert_eq!(lenient(&wrong).status, 422);
    assert_eq!(all(&server), before);
    let reply = lenient(&json!({"more": 1, "dpi": 100}));
    assert_eq!((reply.status, &reply.json()["ignored"]), (200, &json!(["/more"])), "{}", reply.text);
    assert_eq!(shown(&server)["persisted"], json!({"language": "deu", "dpi": 100}));
    server.stop();
}

#[test]
fn a_change_that_the_plugin_refuses_leaves_the_configuration_before() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"language": "deu"}));
    let before = all(&server);
    let reply = change(&server, &json!({"language": "xxx"}));
    assert_eq!((reply.status, &reply.json()["code"]), (502, &json!("hook_failed")), "{}", reply.text);
    assert!(reply.text.contains("there is no such language"), "{}", reply.text);
    assert_eq!(all(&server), before);
    let reply = change(&server, &json!({"language": "yyy"}));
    assert_eq!(
        (reply.status, &reply.json()["errors"][0]["pointer"]),
        (422, &json!("/language")),
        "{}",
        reply.text
    );
    assert_eq!(all(&server), before);
    let server = server.killed().start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(given(&server)["language"], "deu");
    server.stop();
}

#[test]
fn a_hundred_changes_under_load_fail_no_call_and_each_is_seen_at_once() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let (over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (status, body) = run_tool(&server, PLUGIN, "nap", &json!({"seconds": 0.002}));
                    assert_eq!(status, 200, "{body:#}");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..100 {
            let dpi = 100 + number;
            let reply = change(
                &server,
                &json!({"dpi": dpi, "model": if number % 2 == 0 { "large" } else { "small" }}),
            );
            let seen = given(&server);
            if reply.status != 200 || seen["dpi"] != dpi {
                over.store(true, Ordering::Relaxed);
                panic!("change {number}: {} {}, seen {seen}", reply.status, reply.text);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(calls.into_inner() > 100);
    assert_eq!(given(&server)["loads"], 101);
    assert_eq!(server.health(PLUGIN)["error_count"], 0);
    server.stop();
}

#[test]
fn changes_at_once_are_made_one_after_the_other_and_none_is_lost() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    thread::scope(|scope| {
        for patch in [
            json!({"language": "zzz"}),
            json!({"dpi": 99}),
            json!({"model": "large"}),
            json!({"server": {"port": 1}}),
        ] {
            let server = &server;
            scope.spawn(move || changed(server, &patch));
        }
    });
    let expected = json!({"language": "zzz", "dpi": 99, "model": "large", "server": {"port": 1}});
    assert_eq!(shown(&server)["persisted"], expected);
    let now = given(&server);
    assert_eq!((&now["language"], &now["dpi"], &now["loaded"]), (&json!("zzz"), &json!(99), &json!("large")));
    server.stop();
}

#[test]
fn a_plugin_that_is_down_is_configured_for_its_next_life() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(server.post("/v1/plugins/configured/unload", None).status, 200);
    changed(&server, &json!({"language": "deu"}));
    assert_eq!(server.post("/v1/plugins/configured/load", None).status, 200);
    assert_eq!(given(&server)["language"], "deu");
    // A host that has not seen it yet cannot judge, and says so.
    assert_eq!(server.post("/v1/plugins/configured/unload", None).status, 200);
    let server = server.stopped().start();
    let reply = change(&server, &json!({"language": "eng"}));
    assert_eq!((reply.status, &reply.json()["code"]), (409, &json!("state_conflict")), "{}", reply.text);
    assert_eq!(
        (&shown(&server)["schema_known"], &shown(&server)["persisted"]["language"]),
        (&json!(false), &json!("deu"))
    );
    server.stop();
}

#[test]
fn a_plugin_without_a_schema_takes_everything_as_it_is() {
    let server = Server::with(&["hooks"]);
    server.wait_for("hooks", "INITIALIZED");
    // Keys that mean something between host and worker mean nothing here.
    let patch =
        json!({"a": {"$blob": 1}, "b": {"$value": {"$blob": 2}}, "c": {"$bytes": "AA=="}, "d": [null]});
    let reply = server.send(Method::PATCH, "/v1/plugins/hooks/config", Some(&patch));
    assert_eq!((reply.status, &reply.json()["values"]), (200, &patch), "{}", reply.text);
    let calls = |server: &Server| run_tool(server, "hooks", "calls", &json!({})).1["result"].clone();
    assert_eq!(calls(&server)[2], json!(["reconfigure", {}, patch]));
    assert_eq!(server.post("/v1/plugins/hooks/restart", None).status, 200);
    assert_eq!(calls(&server)[0], json!(["initialize", patch]));
    server.stop();
}

#[test]
fn another_schema_is_flagged_as_drift_until_a_change_accepts_it() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"dpi": 1000}));
    // Python tells two sources of the same second apart by their length alone.
    edit(&server, "plugin.py", "\"maximum\": 1200", "\"maximum\": 12000");
    let restart =
        |server: &Server| server.post("/v1/plugins/configured/restart", None).json()["state"].clone();
    assert_eq!(restart(&server), "INITIALIZED");
    let config = shown(&server);
    assert_eq!(config["drift"], true, "{config:#}");
    assert_ne!(config["schema_hash"], config["kept_schema_hash"]);
    let log = server.get("/v1/plugins/configured/logs").text;
    assert!(log.contains("is not the one that the configuration was set for"), "{log}");
    // It is still there for the next host, unless nobody wants to know.
    let server = server.stopped().config("drift_detection: false").start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(shown(&server)["drift"], false);
    let server = server.stopped().config("{}").start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(shown(&server)["drift"], true);
    changed(&server, &json!({}));
    assert_eq!(shown(&server)["drift"], false);
    assert_eq!(restart(&server), "INITIALIZED");
    assert_eq!(shown(&server)["drift"], false);
    server.stop();
}

#[test]
fn a_configuration_that_fits_no_more_keeps_the_plugin_down_until_it_is_mended() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"language": "deu", "dpi": 1000}));
    edit(&server, "plugin.py", "\"maximum\": 1200", "\"maximum\": 600");
    let restart = |server: &Server| server.post("/v1/plugins/configured/restart", None).json();
    let down = restart(&server);
    assert_eq!(down["state"], "UNAVAILABLE", "{down:#}");
    assert!(down["reason"].as_str().unwrap().contains("`dpi` must be at most 600"), "{down:#}");
    assert!(down["hint"].as_str().unwrap().contains("hardpoint plugin config configured"), "{down:#}");
    assert_eq!(shown(&server)["mistakes"][0]["pointer"], "/dpi");
    changed(&server, &json!({"dpi": 500}));
    assert_eq!(restart(&server)["state"], "INITIALIZED");
    assert_eq!(given(&server)["dpi"], 500);
    // A key that is gone: refused by name, or left out where that is wanted.
    edit(
        &server,
        "plugin.py",
        "    dpi: int = field(default=300, metadata={\"minimum\": 72, \"maximum\": 600})\n",
        "",
    );
    edit(&server, "hardpoint.toml", "dpi = 200", "");
    let down = restart(&server);
    assert!(down["reason"].as_str().unwrap().contains("unknown field `dpi`"), "{down:#}");
    let server = server.stopped().config("plugins: {configured: {strict_config: false}}").start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(shown(&server)["ignored"], json!(["/dpi"]));
    assert_eq!(given(&server)["language"], "deu");
    server.stop();
}

#[test]
fn the_command_line_shows_sets_and_removes_keys_by_their_types() {
    let server = Server::with(&[PLUGIN]);
    server.wait_for(PLUGIN, "INITIALIZED");
    let run = |args: &[&str]| {
        let mut cli = Cli::new(&["plugin", "config"]);
        cli.command.args(args).env("HARDPOINT_DATA_DIR", server.data());
        let out = cli.command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
    };
    let (code, page, _) = run(&[PLUGIN, "language=deu", "dpi=600", "server.port=8080"]);
    assert_eq!(code, 0, "{page}");
    for part in ["KEY", "Language", "persisted", "server.port", "8080", "small | large", "from 72, to 1200"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(given(&server)["dpi"], 600);
    let (code, text, _) = run(&[PLUGIN, "--unset", "dpi", "--unset", "server.port", "--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &document["values"]["dpi"]), (0, &json!(200)), "{text}");
    let (code, _, told) = run(&[PLUGIN, "dpi=many", "modl=small"]);
    assert_eq!(code, 2, "{told}");
    for part in ["`dpi` must be an integer", "/modl", "did you mean `model`?"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (code, _, told) = run(&[PLUGIN, "language=xxx"]);
    assert!(code == 1 && told.contains("there is no such language"), "{code}: {told}");
    let (code, text, _) = run(&[PLUGIN, "--options"]);
    assert!(code == 0 && text.contains("German"), "{code}: {text}");
    server.stop();
}

#[test]
fn what_was_set_on_a_server_counts_without_one_on_the_same_data_folder() {
    let serving = Serving::of(&[PLUGIN]);
    let server = serving.start();
    server.wait_for(PLUGIN, "INITIALIZED");
    changed(&server, &json!({"language": "deu", "server": {"port": 8080}}));
    let stopped = server.stopped();
    let places = [
        "--data-dir",
        stopped.data().to_str().unwrap(),
        "--plugins-dir",
        stopped.plugins().to_str().unwrap(),
    ]
    .map(str::to_owned);
    let given = |args: &[&str]| {
        let all: Vec<&str> = args.iter().copied().chain(places.iter().map(String::as_str)).collect();
        let said = Cli::new(&all).run();
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.json()["result"].clone()
    };
    let called = given(&["call", PLUGIN, "given", "--json"]);
    assert_eq!((&called["language"], &called["server"]["port"]), (&json!("deu"), &json!(8080)), "{called}");
    let pipeline = stopped.data().join("pipeline.yaml");
    fs::write(&pipeline, "stages:\n  - {plugin: configured, tool: given}\n").unwrap();
    let ran = given(&["run", pipeline.to_str().unwrap(), "--json"]);
    assert_eq!(ran["language"], "deu", "{ran}");
}
