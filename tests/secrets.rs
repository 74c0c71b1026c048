//! Secrets reach the plugin that they are for, and nobody else: over the API, in logs, in files, in other processes.

use crate::dialects::class_of;
use crate::support::{Answer, Cli, PATIENCE, Server, Serving, run_tool};
use hardpoint_process::{Process, tree_of};
use hardpoint_testkit::{soon, wait_until};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

const KEY: &str = "/v1/plugins/keeper/secrets/KEEPER_KEY";
const PASSWORD: &str = "/v1/plugins/keeper/secrets/KEEPER_PASSWORD";

fn put(server: &Server, path: &str, value: &str) -> Value {
    let reply = server.send(Method::PUT, path, Some(&json!({"value": value})));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(!reply.text.contains(value));
    reply.json()
}

fn ran(server: &Server, plugin: &str, tool: &str, args: &Value) -> Value {
    let (status, answer) = run_tool(server, plugin, tool, args);
    assert_eq!(status, 200, "{answer}");
    answer["result"].clone()
}

/// The present life of a plugin, once it is ready.
fn life(server: &Server, plugin: &str) -> u64 {
    server.wait_for(plugin, "INITIALIZED")["incarnation"].as_u64().unwrap()
}

fn until_life(server: &Server, plugin: &str, number: u64) {
    wait_until("the plugin was started anew", PATIENCE, || {
        let health = server.health(plugin);
        health["incarnation"] == number && health["state"] == "INITIALIZED"
    });
}

/// `hardpoint secret …` on a data folder.
fn secret(data: &Path, args: &[&str], stdin: &str) -> Answer {
    let mut cli = Cli::new(&[&["secret"], args].concat());
    cli.command.env("HARDPOINT_DATA_DIR", data).stdin(Stdio::piped());
    let mut child = cli.start();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    Answer::of(child)
}

#[test]
fn a_secret_reaches_its_plugin_and_a_change_starts_it_anew_while_its_calls_finish() {
    let server = Server::with(&["keeper"]);
    let first = life(&server, "keeper");
    let names = json!({"names": ["KEEPER_KEY", "KEEPER_PASSWORD", "KEEPER_MODE"]});
    let given = ran(&server, "keeper", "given", &names);
    let expected = json!({"KEEPER_KEY": "from the manifest", "KEEPER_PASSWORD": null, "KEEPER_MODE": "slow"});
    assert_eq!(given, expected);
    assert_eq!(server.health("keeper")["missing_required"], json!(["KEEPER_PASSWORD"]));
    let log = server.get("/v1/plugins/keeper/logs").text;
    assert!(log.contains("`hardpoint secret set keeper KEEPER_PASSWORD` sets it"), "{log}");

    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| run_tool(&server, "keeper", "slow", &json!({"seconds": 1.0})));
        wait_until("it runs", PATIENCE, || server.health("keeper")["calls_in_flight"] == 1);
        assert_eq!(
            put(&server, KEY, "the value"),
            json!({"name": "KEEPER_KEY", "restarting": true, "settled": true})
        );
        slow.join().unwrap()
    });
    assert_eq!((slow.0, &slow.1["result"]), (200, &json!("done")), "a call in flight is not lost");
    until_life(&server, "keeper", first + 1);
    let reply = server.send(Method::PUT, &format!("{PASSWORD}?restart=false"), Some(&json!({"value": "pw"})));
    assert_eq!((reply.status, &reply.json()["restarting"]), (200, &json!(false)));
    let given = ran(&server, "keeper", "given", &names);
    assert_eq!(given, json!({"KEEPER_KEY": "the value", "KEEPER_PASSWORD": null, "KEEPER_MODE": "slow"}));
    assert_eq!(ran(&server, "keeper", "handed_on", &json!({"variable": "KEEPER_KEY"})), "the value");
    put(&server, "/v1/plugins/keeper/secrets/KEEPER_MODE", "fast");
    until_life(&server, "keeper", first + 2);
    let given = ran(&server, "keeper", "given", &names);
    assert_eq!(given, json!({"KEEPER_KEY": "the value", "KEEPER_PASSWORD": "pw", "KEEPER_MODE": "fast"}));
    assert_eq!(server.health("keeper")["missing_required"], json!([]));

    let deleted = server.send(Method::DELETE, KEY, None);
    assert_eq!((deleted.status, &deleted.json()["restarting"]), (200, &json!(true)));
    until_life(&server, "keeper", first + 3);
    assert_eq!(ran(&server, "keeper", "given", &names)["KEEPER_KEY"], "from the manifest");
    assert_eq!(server.send(Method::DELETE, KEY, None).json()["code"], "unknown_secret");
    server.stop();
}

#[test]
fn the_api_takes_secrets_and_tells_names_and_what_is_missing_alone() {
    let server = Server::with(&["keeper"]);
    life(&server, "keeper");
    let list = || server.get("/v1/plugins/keeper/secrets").json();
    let row = |name: &str, secret: bool, required: bool, satisfied: bool, label: &str| {
        json!({"name": name, "secret": secret, "required": required, "satisfied": satisfied, "label": label,
            "description": ""})
    };
    let expected = json!({"scope": "__default__", "names": [], "missing_required": ["KEEPER_PASSWORD"], "worker_env": [
        row("KEEPER_KEY", true, false, true, "Key of the service"),
        row("KEEPER_PASSWORD", true, true, false, ""),
        row("KEEPER_MODE", false, false, true, ""),
    ]});
    assert_eq!(list(), expected);
    put(&server, PASSWORD, "a planted value");
    put(&server, &format!("{KEY}?scope=other"), "another planted value");
    put(&server, "/v1/plugins/not-there-yet/secrets/KEY", "a third planted value");
    assert_eq!(list()["names"], json!(["KEEPER_PASSWORD"]));
    assert_eq!(list()["missing_required"], json!([]));
    let other = server.get("/v1/plugins/keeper/secrets?scope=other").json();
    assert_eq!((&other["scope"], &other["names"]), (&json!("other"), &json!(["KEEPER_KEY"])));
    for (path, body, status, code) in [
        ("/v1/plugins/keeper/secrets/a-b", json!({"value": "planted"}), 422, "secret_invalid"),
        ("/v1/plugins/keeper/secrets/HARDPOINT_FD", json!({"value": "planted"}), 422, "secret_invalid"),
        ("/v1/plugins/Keeper/secrets/KEY", json!({"value": "planted"}), 422, "secret_invalid"),
        (&format!("{KEY}?scope=a%2Fb"), json!({"value": "planted"}), 422, "secret_invalid"),
        ("/v1/plugins/keeper/secrets/KEEPER_MODE", json!({"value": "planted"}), 422, "secret_invalid"),
        (KEY, json!({"value": "planted\u{0}"}), 422, "secret_invalid"),
        (KEY, json!({"value": ""}), 422, "secret_invalid"),
        (KEY, json!({"value": 7_777_777}), 422, "bad_body"),
        (KEY, json!({"value": "planted", "more": 1}), 422, "bad_body"),
        (KEY, json!({"value": "planted".repeat(40_000)}), 413, "body_too_large"),
        (&format!("{KEY}?replace=true"), json!({"value": "planted"}), 422, "bad_query"),
    ] {
        let reply = server.send(Method::PUT, path, Some(&body));
        assert_eq!((reply.status, &reply.json()["code"]), (status, &json!(code)), "{path} {}", reply.text);
        assert!(!reply.text.contains("planted") && !reply.text.contains("7777777"), "{}", reply.text);
    }
    let everything = [
        "/v1/plugins",
        "/v1/plugins/keeper",
        "/v1/plugins/keeper/manifest",
        "/v1/plugins/keeper/logs",
        "/v1/plugins/keeper/config",
        "/v1/plugins/keeper/secrets",
        "/v1/events?follow=false",
        "/metrics",
    ];
    for path in everything {
        assert!(!server.get(path).text.contains("planted value"), "{path}");
    }
    let (data, log) = (server.data(), server.log());
    server.stop_and(|| assert_nowhere_in(&data, "planted value"));
    assert!(!log.contains("planted value"), "{log}");
}

#[test]
fn what_a_plugin_says_of_its_secrets_is_told_to_nobody() {
    let server = Server::with(&["keeper"]);
    life(&server, "keeper");
    put(&server, &format!("{KEY}?restart=false"), "a-planted-'v\"alu\\é");
    server.post("/v1/plugins/keeper/restart", None);
    server.wait_for("keeper", "INITIALIZED");
    let (status, answer) = run_tool(&server, "keeper", "blab", &json!({"variable": "KEEPER_KEY"}));
    assert_eq!((status, &answer["error"]), (400, &json!("raised ***")), "{answer}");
    assert!(!answer.to_string().contains("planted"), "{answer}");
    let job = json!({"plugin_id": "keeper", "tool_name": "blab", "args": {"variable": "KEEPER_KEY"}});
    let id = server.post("/v1/jobs", Some(&job)).json()["job_id"].as_str().unwrap().to_owned();
    server.post(&format!("/v1/jobs/{id}/wait"), Some(&json!({})));
    let (status, answer) = run_tool(&server, "keeper", "blame", &json!({"variable": "KEEPER_KEY"}));
    assert_eq!((status, &answer["fields_invalid"]), (400, &json!(["field ***"])), "{answer}");
    assert!(!answer.to_string().contains("planted"), "{answer}");
    let logs = server.get("/v1/plugins/keeper/logs?lines=100").text;
    for said in ["literally '***' \\\"***\\\"", "printed ***", "logged ***", "raised ***"] {
        assert!(logs.contains(said), "{said}: {logs}");
    }
    for path in ["/v1/events?follow=false", &format!("/v1/jobs/{id}"), &format!("/v1/jobs/{id}/logs")] {
        assert!(!server.get(path).text.contains("planted"), "{path}");
    }
    let data = server.data();
    server.stop_and(|| assert_nowhere_in(&data, "planted"));
}

/// No file of a folder has this in it.
fn assert_nowhere_in(folder: &Path, planted: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            assert_nowhere_in(&entry.path(), planted);
        } else if kind.is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            assert!(!text.contains(planted), "{}", entry.path().display());
        }
    }
}

#[test]
fn a_value_comes_from_a_pipe_and_never_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let said = secret(data.path(), &["list", "keeper"], "");
    assert!(said.code == 0 && said.stdout.contains("KEEPER_PASSWORD  missing"), "{}", said.stdout);
    assert!(said.stderr.contains("`hardpoint secret set keeper KEEPER_PASSWORD` sets what is missing"));
    assert_eq!(secret(data.path(), &["list", "q"], "").stdout, "No secrets stored for 'q'.\n");
    for args in [&["set", "keeper", "KEY", "planted"][..], &["set", "keeper", "KEY=planted"]] {
        let said = secret(data.path(), args, "");
        assert_eq!(said.code, 2);
        assert!(said.stderr.contains("does not belong on the command line"), "{}", said.stderr);
        assert!(!said.stderr.contains("planted"), "{}", said.stderr);
    }
    let said = secret(data.path(), &["set", "keeper", "KEY"], "planted\n");
    assert!(said.code == 2 && said.stderr.contains("--stdin"), "{}", said.stderr);
    let said = secret(data.path(), &["set", "keeper", "KEEPER_PASSWORD", "--stdin"], "planted\n");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "KEEPER_PASSWORD is kept for keeper\n"),
        "{}",
        said.stderr
    );
    let said = secret(data.path(), &["set", "q", "KEY", "--stdin", "--scope", "s"], "planted");
    assert!(said.stderr.contains("there is no plugin `q` yet"), "{}", said.stderr);
    let listed = secret(data.path(), &["list", "keeper", "--json"], "").json();
    assert_eq!((&listed["names"], &listed["missing_required"]), (&json!(["KEEPER_PASSWORD"]), &json!([])));
    let mut call = Cli::new(&["call", "keeper", "given", "names=[\"KEEPER_PASSWORD\"]", "--json"]);
    call.command.env("HARDPOINT_DATA_DIR", data.path());
    assert_eq!(call.run().json()["result"], json!({"KEEPER_PASSWORD": "planted"}));
    assert_eq!(secret(data.path(), &["delete", "keeper", "KEEPER_PASSWORD"], "").code, 0);
    assert_eq!(secret(data.path(), &["delete", "keeper", "KEEPER_PASSWORD"], "").code, 2);
    let plain = data.path().join("plain.json");
    fs::write(&plain, r#"{"__default__": {"q": {"A": "1", "B": "2"}}}"#).unwrap();
    let said = secret(data.path(), &["import", plain.to_str().unwrap()], "");
    assert_eq!((said.code, said.stdout.as_str()), (0, "2 secrets are kept now\n"), "{}", said.stderr);
}

#[test]
fn the_key_may_lie_in_another_place() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = elsewhere.path().join("key");
    let with_key = |args: &[&str]| {
        let mut cli = Cli::new(&[&["secret"], args].concat());
        cli.command.env("HARDPOINT_DATA_DIR", data.path()).env("HARDPOINT_SECRETS_KEY_FILE", &key);
        cli
    };
    let plain = elsewhere.path().join("plain.json");
    fs::write(&plain, r#"{"__default__": {"q": {"A": "1"}}}"#).unwrap();
    assert_eq!(with_key(&["import", plain.to_str().unwrap()]).run().code, 0);
    assert!(key.exists() && !data.path().join("secrets.key").exists());
    assert_eq!(with_key(&["list", "q", "--json"]).run().json()["names"], json!(["A"]));
    let without = secret(data.path(), &["list", "q"], "");
    assert!(
        without.code == 5 && without.stderr.contains("there is no key for the secrets"),
        "{}",
        without.stderr
    );
    let mut doctor = Cli::new(&["doctor", "--json"]);
    doctor.command.env("HARDPOINT_DATA_DIR", data.path());
    let found = doctor.run().json();
    let found = found["findings"].as_array().unwrap().iter().find(|one| one["name"] == "secrets").unwrap();
    assert!(found["level"] == "problem" && found["remedy"].as_str().unwrap().contains("put the key back"));
}

#[test]
fn a_command_beside_a_server_lets_it_start_the_plugin_anew() {
    let server = Server::with(&["keeper"]);
    let first = life(&server, "keeper");
    let said = secret(&server.data(), &["set", "keeper", "KEEPER_KEY", "--stdin"], "from the pipe");
    assert_eq!(said.stdout, "KEEPER_KEY is kept for keeper; it was started anew\n", "{}", said.stderr);
    let health = server.health("keeper");
    assert_eq!((&health["incarnation"], &health["state"]), (&json!(first + 1), &json!("INITIALIZED")));
    assert_eq!(
        ran(&server, "keeper", "given", &json!({"names": ["KEEPER_KEY"]}))["KEEPER_KEY"],
        "from the pipe"
    );
    let said = secret(&server.data(), &["delete", "keeper", "KEEPER_KEY", "--no-restart"], "");
    assert_eq!((said.code, life(&server, "keeper")), (0, first + 1), "{}", said.stderr);
    let listed = secret(&server.data(), &["list", "keeper", "--json"], "").json();
    assert_eq!(listed["missing_required"], json!(["KEEPER_PASSWORD"]));
    for (args, hint) in [
        (&["delete", "keeper", "NOPE"][..], "`hardpoint secret list keeper`"),
        (&["set", "keeper", "", "--stdin"], "rename the variable"),
        (&["set", "keeper", "LD_PRELOAD", "--stdin"], "it is no secret"),
    ] {
        let said = secret(&server.data(), args, "");
        assert!(said.code == 2 && said.stderr.contains(hint), "{args:?}: {} {}", said.code, said.stderr);
    }
    fs::write(server.data().join("secrets.key"), "garbage").unwrap();
    let said = secret(&server.data(), &["list", "keeper"], "");
    assert!(said.code == 5 && said.stderr.contains("secrets.json"), "{} {}", said.code, said.stderr);
    server.stop();
}

#[test]
fn secrets_that_cannot_be_opened_keep_their_plugin_down_with_a_remedy_and_are_not_overwritten() {
    let serving = Serving::of(&["keeper"]);
    assert_eq!(secret(&serving.data(), &["set", "keeper", "KEEPER_KEY", "--stdin"], "value").code, 0);
    let (file, key) = (serving.data().join("secrets/secrets.json"), serving.data().join("secrets.key"));
    let (sealed, kept) = (fs::read(&file).unwrap(), fs::read(&key).unwrap());
    fs::remove_file(&key).unwrap();
    let server = serving.start();
    let health = server.wait_for("keeper", "UNAVAILABLE");
    assert!(health["reason"].as_str().unwrap().contains("there is no key for the secrets"), "{health:#}");
    assert!(health["hint"].as_str().unwrap().contains("HARDPOINT_SECRETS_KEY_FILE"), "{health:#}");
    let refused = server.send(Method::PUT, KEY, Some(&json!({"value": "new"})));
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("store_unavailable")));
    assert_eq!(fs::read(&file).unwrap(), sealed);
    fs::write(&key, kept).unwrap();
    server.post("/v1/plugins/keeper/restart", None);
    server.wait_for("keeper", "INITIALIZED");
    assert_eq!(ran(&server, "keeper", "given", &json!({"names": ["KEEPER_KEY"]}))["KEEPER_KEY"], "value");
    server.stop();
}

#[test]
fn a_cjm_plugin_is_given_its_secrets_and_tells_what_it_lacks() {
    let serving = Serving::empty();
    class_of(&serving, "cjm-duck", "wants-key", "cjm", "cjm_duck:WantsKey");
    let server = serving.start();
    let first = life(&server, "wants-key");
    assert_eq!(server.health("wants-key")["missing_required"], json!(["DUCK_KEY"]));
    let known = server.get("/v1/plugins/wants-key/secrets").json();
    let row = json!({"name": "DUCK_KEY", "secret": true, "required": true, "satisfied": false, "label": "Key",
        "description": ""});
    assert_eq!((&known["worker_env"][0], &known["missing_required"]), (&row, &json!(["DUCK_KEY"])));
    let of = |key: &str| format!("/v1/plugins/wants-key/secrets/{key}");
    assert_eq!(server.send(Method::PUT, &of("DUCK_DEVICE"), Some(&json!({"value": "tpu"}))).status, 422);
    put(&server, &of("DUCK_KEY"), "quack");
    until_life(&server, "wants-key", first + 1);
    let given = ran(&server, "wants-key", "execute", &json!({}));
    assert_eq!(given, json!({"DUCK_KEY": "quack", "DUCK_DEVICE": "cpu"}));
    assert_eq!(server.health("wants-key")["missing_required"], json!([]));
    put(&server, &of("DUCK_DEVICE"), "cuda");
    until_life(&server, "wants-key", first + 2);
    assert_eq!(ran(&server, "wants-key", "execute", &json!({}))["DUCK_DEVICE"], "cuda");
    server.stop();
}

/// A user without rights of its own, as a host should run.
const NOBODY: u32 = 65534;

/// A server that another user could be: workers of a root may read everything, whatever a process says of itself.
fn of_somebody(serving: Serving) -> Serving {
    if rustix::process::geteuid().is_root() { serving.by_user(NOBODY) } else { serving }
}

#[test]
fn a_plugin_that_looks_everywhere_finds_neither_the_hosts_secrets_nor_those_of_others() {
    let serving = Serving::of(&["keeper", "spy"]).env("SOME_TOKEN", "planted-in-the-host");
    let server = of_somebody(serving).start();
    let first = life(&server, "keeper");
    put(&server, KEY, "planted-for-the-keeper");
    until_life(&server, "keeper", first + 1);
    life(&server, "spy");
    assert_eq!(
        ran(&server, "keeper", "given", &json!({"names": ["KEEPER_KEY"]}))["KEEPER_KEY"],
        "planted-for-the-keeper"
    );
    let own = ran(&server, "spy", "environment", &json!({}));
    assert!(!own.to_string().contains("planted"), "{own:#}");
    let keeper = u32::try_from(server.health("keeper")["pid"].as_u64().unwrap()).unwrap();
    let shim = hardpoint_testkit::parent_of(keeper).unwrap();
    let spy = u32::try_from(server.health("spy")["pid"].as_u64().unwrap()).unwrap();
    let below = tree_of(Process(server.pid())).into_iter().map(|(process, _)| process.0);
    let watched: Vec<u32> = below.filter(|pid| *pid != spy).chain([server.pid()]).collect();
    assert!(watched.len() == 4 && watched.contains(&shim) && watched.contains(&keeper), "{watched:?}");
    let saw = ran(&server, "spy", "processes", &json!({"watched": watched}));
    assert_eq!(saw, json!({"found": [], "opened": [], "traced": []}));
    let urls: Vec<String> = ["/v1/plugins/keeper/secrets", KEY, "/v1/plugins", "/v1/events?follow=false"]
        .map(|path| format!("{}{path}", server.url()))
        .into();
    assert_eq!(ran(&server, "spy", "asked", &json!({"urls": urls})), json!([401, 401, 401, 401]));

    // What a worker with secrets leaves behind is still found by the next host, which cannot read its environment.
    let left: u32 = serde_json::from_value(ran(&server, "keeper", "detach", &json!({}))).unwrap();
    let kill = |pid: u32| kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    server.signal(Signal::STOP);
    kill(shim);
    let serving = server.killed_with_survivors();
    assert!(Process(left).is_alive());
    let server = of_somebody(serving).start();
    assert!(soon(PATIENCE, || !Process(left).is_alive()), "{left} lives on");
    server.stop();
}
