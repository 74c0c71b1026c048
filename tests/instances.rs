//! Several instances of one plugin, through the real server: nothing that is done with one is seen in another.

use crate::dialects::class_of;
use crate::jobs::{hand_in, job, until};
use crate::support::{Answer, Cli, PATIENCE, Reply, Server, Serving, run_tool, test_plugins};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::thread;

const PLUGIN: &str = "several";

fn create(server: &Server, plugin: &str, body: &Value) -> Reply {
    server.post(&format!("/v1/plugins/{plugin}/instances"), Some(body))
}

#[track_caller]
fn created(server: &Server, body: &Value) -> Value {
    let reply = create(server, PLUGIN, body);
    assert_eq!(reply.status, 201, "{}", reply.text);
    let detail = reply.json();
    assert_eq!(reply.header("location"), format!("/v1/plugins/{}", detail["name"].as_str().unwrap()));
    detail
}

#[track_caller]
fn verb(server: &Server, instance: &str, verb: &str) -> Value {
    let reply = server.post(&format!("/v1/plugins/{instance}/{verb}"), None);
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[track_caller]
fn ran(server: &Server, instance: &str, tool: &str, args: &Value) -> Value {
    let (status, answer) = run_tool(server, instance, tool, args);
    assert_eq!(status, 200, "{answer:#}");
    answer["result"].clone()
}

/// The tag and the level that an instance goes by.
#[track_caller]
fn given(server: &Server, instance: &str) -> (String, i64) {
    let given = ran(server, instance, "given", &json!({}));
    (given["tag"].as_str().unwrap().to_owned(), given["level"].as_i64().unwrap())
}

#[track_caller]
fn changed(server: &Server, instance: &str, patch: &Value) -> Value {
    let reply = server.send(Method::PATCH, &format!("/v1/plugins/{instance}/config"), Some(patch));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

fn ids(server: &Server, path: &str) -> Vec<String> {
    let list = server.get(path).json();
    let list = if list.is_array() { list } else { list["plugins"].clone() };
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// A job of an instance that has come to its end.
#[track_caller]
fn done(server: &Server, instance: &str, tool: &str, args: &Value) -> Value {
    let reply = hand_in(server, instance, tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    let id = reply.json()["job_id"].as_str().unwrap().to_owned();
    until(server, &id, "completed");
    job(server, &id)
}

/// Whether two calls meet in the worker of an instance.
fn meets(server: &Server, instance: &str) -> bool {
    let met: Vec<Value> = thread::scope(|scope| {
        let calls: Vec<_> =
            (0..2).map(|_| scope.spawn(|| ran(server, instance, "meet", &json!({})))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    met == [true, true]
}

fn log(server: &Server, path: &str) -> Vec<Value> {
    server.get(path).json().as_array().unwrap().clone()
}

#[test]
fn further_instances_have_config_logs_counters_and_gates_of_their_own() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    let loud = created(&server, &json!({"instance_id": "Loud_2", "config": {"tag": "loud"}}));
    assert_eq!(
        (&loud["state"], &loud["plugin"], &loud["instance"], &loud["incarnation"]),
        (&json!("INITIALIZED"), &json!(PLUGIN), &json!("Loud_2"), &json!(1)),
    );
    let nameless = created(&server, &json!({}))["name"].as_str().unwrap().to_owned();
    let digits = nameless.strip_prefix("several-").unwrap();
    assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{nameless}");
    let all = ["Loud_2".to_owned(), PLUGIN.to_owned(), nameless.clone()];
    assert_eq!(ids(&server, "/v1/plugins/several/instances"), all);
    assert_eq!(ids(&server, "/v1/plugins/Loud_2/instances"), all, "of whichever it is asked");
    assert_eq!(ids(&server, "/v1/plugins"), all);
    assert_eq!(ids(&server, "/v1/plugins/"), [PLUGIN], "clients of other hosts see each plugin once");

    assert_eq!(given(&server, "Loud_2"), ("loud".to_owned(), 1));
    assert_eq!(changed(&server, PLUGIN, &json!({"level": 3}))["origins"]["/level"], "persisted");
    assert_eq!(
        changed(&server, "Loud_2", &json!({"level": 9}))["instance"],
        json!({"tag": "loud", "level": 9})
    );
    let levels = |of: &str| given(&server, of);
    assert_eq!(levels(PLUGIN), ("plain".to_owned(), 3));
    assert_eq!((levels("Loud_2"), levels(&nameless)), (("loud".to_owned(), 9), ("plain".to_owned(), 1)));
    verb(&server, &nameless, "restart");
    verb(&server, "Loud_2", "restart");
    assert_eq!(levels(&nameless).1, 3, "what is set for the plugin counts from the next start on");
    assert_eq!(levels("Loud_2"), ("loud".to_owned(), 9), "what is set for the instance lies over it");
    let config = server.get("/v1/plugins/Loud_2/config").json();
    assert_eq!(config["origins"], json!({"/level": "instance", "/tag": "instance"}));
    assert_eq!(config["persisted"], json!({"level": 3}));

    let before = server.health(PLUGIN);
    let said = done(&server, "Loud_2", "say", &json!({"text": "only here"}));
    assert_eq!(said["stages"][0]["plugin"], "Loud_2");
    let id = said["job_id"].as_str().unwrap();
    let lines = log(&server, &format!("/v1/jobs/{id}/logs"));
    let printed: Vec<&Value> = lines.iter().filter(|line| line["text"] == "only here").collect();
    assert_eq!(printed.len(), 1, "{lines:#?}");
    assert_eq!((&printed[0]["instance"], &printed[0]["plugin"]), (&json!("Loud_2"), &json!(PLUGIN)));
    let has = |of: &str| {
        let lines = log(&server, &format!("/v1/plugins/{of}/logs?contains=only+here"));
        !lines.is_empty()
    };
    assert!(has("Loud_2") && !has(PLUGIN) && !has(&nameless));
    let count = |of: &str| server.health(of)["success_count"].as_u64().unwrap();
    assert_eq!(
        (server.health(PLUGIN)["success_count"].clone(), count("Loud_2")),
        (before["success_count"].clone(), 4)
    );

    verb(&server, "Loud_2", "disable");
    let refused = hand_in(&server, "Loud_2", "say", &json!({"text": "no"}), &json!({}));
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("plugin_disabled")));
    assert_eq!(run_tool(&server, "Loud_2", "say", &json!({"text": "no"})).0, 503);
    done(&server, PLUGIN, "say", &json!({"text": "yes"}));
    server.stop();
}

#[test]
fn a_stage_of_a_pipeline_runs_on_the_instance_that_it_names_and_the_next_host_knows_the_default_one_alone() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    created(&server, &json!({"instance_id": "Loud_2", "config": {"tag": "loud"}}));
    changed(&server, PLUGIN, &json!({"level": 3}));
    let other =
        json!({"pipeline": {"stages": [{"plugin": "other@Loud_2", "tool": "say", "args": {"text": "a"}}]}});
    let refused = server.post("/v1/jobs", Some(&other));
    assert_eq!(refused.status, 422, "{}", refused.text);
    let stages = json!([{"plugin": "several@Loud_2", "tool": "say", "args": {"text": "a stage"}},
        {"plugin": PLUGIN, "tool": "say", "args": {"text": "another"}}]);
    let run = server.post("/v1/jobs", Some(&json!({"pipeline": {"stages": stages}, "input": {}})));
    assert_eq!(run.status, 202, "{}", run.text);
    let id = run.json()["job_id"].as_str().unwrap().to_owned();
    until(&server, &id, "completed");
    let stages = job(&server, &id)["stages"].clone();
    assert_eq!((&stages[0]["plugin"], &stages[1]["plugin"]), (&json!("Loud_2"), &json!(PLUGIN)));
    let texts = log(&server, &format!("/v1/jobs/{id}/logs"));
    let whose = |text: &str| texts.iter().find(|line| line["text"] == text).unwrap()["instance"].clone();
    assert_eq!((whose("a stage"), whose("another")), (json!("Loud_2"), json!(PLUGIN)));

    let server = server.killed().start();
    server.wait_for(PLUGIN, "INITIALIZED");
    assert_eq!(ids(&server, "/v1/plugins"), [PLUGIN], "the next host knows the default one alone");
    assert_eq!(given(&server, PLUGIN), ("plain".to_owned(), 3));
    server.stop();
}

#[test]
fn a_reload_keeps_limits_config_and_the_switch_of_a_further_instance_and_one_that_fails_keeps_it_failed() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    let wide = created(
        &server,
        &json!({"instance_id": "wide", "config": {"tag": "w"}, "max_concurrent_requests": 2}),
    );
    assert_eq!(wide["max_concurrent_requests"], 2);
    assert!(meets(&server, "wide"));
    assert!(!meets(&server, PLUGIN), "the manifest says one at a time");
    verb(&server, "wide", "disable");
    let again = verb(&server, "wide", "restart");
    assert_eq!(
        (&again["enabled"], &again["state"], &again["incarnation"]),
        (&json!(false), &json!("INITIALIZED"), &json!(2)),
    );
    assert_eq!(run_tool(&server, "wide", "given", &json!({})).0, 503, "it is disabled as before");
    verb(&server, "wide", "enable");
    assert_eq!(run_tool(&server, "wide", "end", &json!({})).0, 502);
    server.wait_for("wide", "FAILED");
    let broken = server.plugins().join(PLUGIN).join("broken");
    fs::write(&broken, "").unwrap();
    let failed = verb(&server, "wide", "restart");
    assert_eq!((&failed["state"], &failed["pid"]), (&json!("FAILED"), &Value::Null), "{failed:#}");
    assert!(failed["reason"].as_str().unwrap().contains("the model is broken"), "{failed:#}");
    assert_eq!(failed["max_concurrent_requests"], 2);
    assert_eq!(ids(&server, "/v1/plugins"), [PLUGIN, "wide"], "it stays");
    assert_eq!(server.health(PLUGIN)["incarnation"], 1);
    fs::remove_file(&broken).unwrap();
    let mended = verb(&server, "wide", "restart");
    assert_eq!((&mended["state"], &mended["max_concurrent_requests"]), (&json!("INITIALIZED"), &json!(2)));
    assert!(meets(&server, "wide"));
    assert_eq!(given(&server, "wide"), ("w".to_owned(), 1));
    server.stop();
}

#[test]
fn unloading_one_instance_leaves_the_others_and_a_bad_or_taken_id_is_refused() {
    let serving = Serving::own(PLUGIN);
    class_of(&serving, "cjm-duck", "duck", "cjm", "cjm_duck:Duck");
    let server = serving.start();
    server.wait_for(PLUGIN, "INITIALIZED");
    server.wait_for("duck", "INITIALIZED");
    let refused = |plugin: &str, body: Value, status: u16, detail: &str| {
        let reply = create(&server, plugin, &body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        assert!(reply.json()["detail"].as_str().unwrap().contains(detail), "{}", reply.text);
    };
    refused(
        PLUGIN,
        json!({"instance_id": "a b"}),
        422,
        "instance_id 'a b' must match pattern [A-Za-z0-9_-]{1,64}",
    );
    refused(PLUGIN, json!({"instance_id": 7}), 422, "instance_id must be str, got int");
    refused(PLUGIN, json!({"instance_id": "duck"}), 409, "`duck` is an instance of plugin `duck`");
    refused(PLUGIN, json!({"config": {"tagg": "x"}}), 422, "tagg");
    refused("nobody", json!({}), 404, "nobody");
    assert_eq!(ids(&server, "/v1/plugins"), ["duck", PLUGIN], "nothing of it is there");
    let first = created(&server, &json!({"instance_id": "first"}));
    created(&server, &json!({"instance_id": "second"}));
    refused("duck", json!({"instance_id": "first"}), 409, "`first` is an instance of plugin `several`");
    let again = create(&server, PLUGIN, &json!({"instance_id": "first", "config": {"tag": "other"}}));
    assert_eq!((again.status, &again.json()["pid"]), (200, &first["pid"]), "it is loaded already");
    assert_eq!(given(&server, "first").0, "plain");
    let said = done(&server, "first", "say", &json!({"text": "last words"}));

    // A plugin that is put beside them disturbs nobody; one that is called like an instance is left out.
    let before = (server.health("first"), server.health("second"));
    for name in ["second", "late"] {
        let folder = server.plugins().join(name);
        fs::create_dir(&folder).unwrap();
        let manifest = fs::read_to_string(test_plugins().join(PLUGIN).join("hardpoint.toml")).unwrap();
        fs::write(folder.join("hardpoint.toml"), manifest.replace("several", name)).unwrap();
        let code = fs::read_to_string(test_plugins().join(PLUGIN).join("plugin.py")).unwrap();
        fs::write(folder.join("plugin.py"), code.replace("\"several\"", &format!("\"{name}\""))).unwrap();
    }
    verb(&server, "late", "load");
    let ids_now = ids(&server, "/v1/plugins");
    assert_eq!(ids_now, ["duck", "first", "late", "second", PLUGIN]);
    for (id, before) in [("first", &before.0), ("second", &before.1)] {
        let now = server.health(id);
        assert_eq!((&now["pid"], &now["incarnation"]), (&before["pid"], &before["incarnation"]), "{now:#}");
        assert_eq!(now["plugin"], PLUGIN);
    }

    let ended = verb(&server, "first", "unload");
    assert_eq!((&ended["state"], &ended["pid"]), (&json!("LOADED"), &Value::Null), "{ended:#}");
    assert_eq!(server.get("/v1/plugins/first/health").status, 404);
    assert_eq!(hand_in(&server, "first", "given", &json!({}), &json!({})).status, 400);
    let pid = first["pid"].as_u64().unwrap();
    wait_until("the worker is gone", PATIENCE, || !fs::exists(format!("/proc/{pid}")).unwrap());
    let lines = log(&server, &format!("/v1/jobs/{}/logs", said["job_id"].as_str().unwrap()));
    assert!(lines.iter().any(|line| line["text"] == "last words"), "its log stays: {lines:#?}");
    assert_eq!(verb(&server, PLUGIN, "unload")["state"], "LOADED");
    assert_eq!(given(&server, "second").0, "plain", "it goes on without the default one");
    let back = created(&server, &json!({"instance_id": "first", "config": {"tag": "back"}}));
    assert_eq!((given(&server, "first").0.as_str(), &back["success_count"]), ("back", &json!(0)));
    server.stop();
}

#[test]
fn a_job_of_an_instance_that_was_unloaded_waits_for_its_return() {
    let server = Serving::own(PLUGIN).start();
    server.wait_for(PLUGIN, "INITIALIZED");
    created(&server, &json!({"instance_id": "brief"}));
    let submitted = |tool: &str, args: Value| {
        let reply = hand_in(&server, "brief", tool, &args, &json!({}));
        assert_eq!(reply.status, 202, "{}", reply.text);
        reply.json()["job_id"].as_str().unwrap().to_owned()
    };
    let running = submitted("meet", json!({}));
    until(&server, &running, "running");
    let waiting = submitted("say", json!({"text": "at last"}));
    verb(&server, "brief", "unload");
    until(&server, &running, "completed");
    wait_until("its job says why it waits", PATIENCE, || {
        let events = server.get(&format!("/v1/events?job={waiting}&follow=false")).text;
        events.contains("there is no plugin `brief` now")
    });
    assert_eq!(job(&server, &waiting)["status"], "pending");
    let back = created(&server, &json!({"instance_id": "brief"}));
    assert!(back["incarnation"].as_u64() > Some(1), "an id that comes back counts on: {back:#}");
    until(&server, &waiting, "completed");
    server.stop();
}

#[test]
fn instances_of_a_foreign_plugin_are_configured_apart() {
    let serving = Serving::empty();
    class_of(&serving, "cjm-duck", "duck", "cjm", "cjm_duck:Duck");
    let server = serving.start();
    server.wait_for("duck", "INITIALIZED");
    let made = create(&server, "duck", &json!({"instance_id": "drake", "config": {"tag": "male"}}));
    assert_eq!((made.status, &made.json()["state"]), (201, &json!("INITIALIZED")), "{}", made.text);
    let config = |of: &str| ran(&server, of, "execute", &json!({}))["calls"][0][1]["tag"].clone();
    assert_eq!((config("duck"), config("drake")), (json!("x"), json!("male")));
    let failed = run_tool(&server, "drake", "nothing", &json!({}));
    assert_eq!(failed.0, 400, "{}", failed.1);
    server.stop();
}

#[test]
fn a_secret_that_is_set_reaches_every_instance_of_its_plugin() {
    let server = Server::with(&["keeper"]);
    server.wait_for("keeper", "INITIALIZED");
    let made = create(&server, "keeper", &json!({"instance_id": "vault"}));
    assert_eq!(made.status, 201, "{}", made.text);
    // By the id of an instance the secrets of its plugin are meant.
    let set =
        server.send(Method::PUT, "/v1/plugins/vault/secrets/API_KEY", Some(&json!({"value": "sesame"})));
    assert_eq!(
        (set.status, &set.json()["restarting"], &set.json()["settled"]),
        (200, &json!(true), &json!(true))
    );
    for instance in ["keeper", "vault"] {
        let given = ran(&server, instance, "given", &json!({"names": ["API_KEY"]}));
        assert_eq!(given["API_KEY"], "sesame", "{instance}");
        assert_eq!(server.health(instance)["incarnation"], 2, "{instance}");
    }
    server.stop();
}

/// A command that finds the server by its data folder alone.
fn ask(server: &Server, args: &[&str]) -> Answer {
    let mut cli = Cli::new(args).dir(server.here());
    cli.command.env("HARDPOINT_DATA_DIR", server.data()).env("HARDPOINT_PLUGINS_DIR", "/nowhere");
    cli.run()
}

#[test]
fn the_command_line_starts_instances_and_loads_several_at_once_with_a_result_for_each() {
    let serving = Serving::of(&["import_error", "well"]);
    let folder = serving.plugins().join(PLUGIN);
    std::os::unix::fs::symlink(test_plugins().join(PLUGIN), folder).unwrap();
    let server = serving.start();
    for name in [PLUGIN, "well"] {
        server.wait_for(name, "INITIALIZED");
    }
    server.wait_for("import_error", "FAILED");
    let load = ["plugin", "load", PLUGIN];
    let made = ask(
        &server,
        &[&load[..], &["--instance", "wide", "--set", "level=4", "--max-concurrent", "2"]].concat(),
    );
    assert!(
        made.code == 0 && made.stdout.contains("wide is loaded: INITIALIZED"),
        "{}{}",
        made.stdout,
        made.stderr
    );
    assert_eq!(given(&server, "wide"), ("plain".to_owned(), 4), "a number, as the schema says");
    let shown = ask(&server, &["plugin", "show", "wide"]).stdout;
    assert!(shown.contains("instance of") && shown.contains("calls at once"), "{shown}");
    let made = ask(&server, &[&load[..], &["--new-instance", "--json"]].concat());
    let id = made.json()["name"].as_str().unwrap().to_owned();
    assert!(id.starts_with("several-"), "{id}");
    for (args, told) in [
        (vec!["--instance", "a b"], "instance_id 'a b' must match pattern"),
        (vec!["--instance", "well"], "`well` is an instance of plugin `well`"),
        (vec!["--set", "level=4"], "--instance"),
        (vec!["well", "--instance", "x"], "several plugins are named"),
    ] {
        let refused = ask(&server, &[&load[..], &args].concat());
        assert!(refused.code == 2 && refused.stderr.contains(told), "{args:?}: {}", refused.stderr);
    }
    let call = ask(&server, &["call", "--server", "wide", "given", "--json"]);
    assert_eq!(call.json()["result"]["level"], 4, "{}", call.stderr);

    let unloaded =
        ask(&server, &["plugin", "unload", "wide", &id, PLUGIN, "nobody", "--at-once", "2", "--json"]);
    assert_eq!(unloaded.code, 2, "{}", unloaded.stderr);
    let results = unloaded.json();
    assert_eq!(results.as_object().unwrap().len(), 4, "{results:#}");
    for name in ["wide", &id, PLUGIN] {
        assert_eq!((&results[name]["state"], &results[name]["pid"]), (&json!("LOADED"), &Value::Null));
    }
    assert_eq!(results["nobody"]["code"], "unknown_plugin");
    assert_eq!(ids(&server, "/v1/plugins"), ["import_error", PLUGIN, "well"]);
    let first = ["plugin", "load", "import_error", PLUGIN, "--at-once", "1", "--fail-fast", "--json"];
    let stopped = ask(&server, &first);
    assert_eq!((stopped.code, &stopped.json()[PLUGIN]), (4, &Value::Null), "{}", stopped.stdout);
    assert_eq!(stopped.json()["import_error"]["state"], "FAILED");
    let both = ask(&server, &["plugin", "load", PLUGIN, "well"]);
    let said = &both.stdout;
    assert!(
        both.code == 0 && said.contains("several is loaded") && said.contains("well is loaded"),
        "{said}"
    );
    server.stop();
}
