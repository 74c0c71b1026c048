//! Scarce memory: what does not fit is refused or held with a reason, and idle plugins make room, by what they were
//! measured to hold. The figures are those of real workers; `scheduler.memory_mb` makes them scarce.

use crate::audit::audit;
use crate::jobs::{cancel, job, until};
use crate::jobs_told::{submit, told};
use crate::support::{Cli, Environment, PATIENCE, Server, Serving, run_tool, test_plugins};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

/// Plugins that hold what they are told to, under these names, with what each says that it needs.
fn holders(plugins: &[(&str, Option<u64>)]) -> Serving {
    let serving = Serving::empty();
    for (name, needs) in plugins {
        let folder = serving.plugins().join(name);
        fs::create_dir(&folder).unwrap();
        symlink(test_plugins().join("holder/plugin.py"), folder.join("plugin.py")).unwrap();
        let needs = needs.map_or_else(String::new, |mb| format!("[needs]\nmin_system_ram_mb = {mb}\n"));
        let head = format!("name = \"{name}\"\nversion = \"1.0.0\"\nentry = \"plugin:HolderPlugin\"\n");
        fs::write(folder.join("hardpoint.toml"), format!("{head}{needs}")).unwrap();
    }
    serving
}

/// Lets a plugin hold that much from now on; its process.
#[track_caller]
fn hold(server: &Server, plugin: &str, mb: u64) -> u64 {
    server.wait_for(plugin, "INITIALIZED");
    let (status, body) = run_tool(server, plugin, "hold", &json!({"mb": mb}));
    assert_eq!((status, &body["result"]["mb"]), (200, &json!(mb)), "{body}");
    body["result"]["pid"].as_u64().unwrap()
}

/// A plugin works, so that nobody may end it, and holds that much; its job.
fn busy(server: &Server, plugin: &str, mb: u64) -> String {
    let id = submit(server, plugin, "work", &json!({"mb": mb, "seconds": 600}));
    until(server, &id, "running");
    let resident = || {
        let pid = server.health(plugin)["pid"].as_u64().unwrap();
        let process = hardpoint_process::Process(u32::try_from(pid).unwrap());
        process.resident_bytes() >> 20
    };
    wait_until("it holds what it works on", PATIENCE, || resident() > mb);
    id
}

#[test]
fn safety_refuses_what_does_not_fit_and_says_by_how_much() {
    let plugins = [("giant", Some(1_000_000_000)), ("modest", Some(1))];
    let server = holders(&plugins).config("scheduler: {policy: safety}").start();
    server.wait_for("giant", "INITIALIZED");
    server.wait_for("modest", "INITIALIZED");
    let (status, body) = run_tool(&server, "giant", "hold", &json!({"mb": 1}));
    assert_eq!((status, &body["code"]), (503, &json!("resource_shortage")), "{body}");
    let said = body["error"].as_str().unwrap();
    assert!(
        said.starts_with("ResourceScheduler blocked execution of giant: it needs 1000000000 MiB"),
        "{said}"
    );
    assert_eq!((&body["category"], &body["error_type"]), (&json!("resource"), &json!("ResourceError")));
    let shortfall = &body["resource_shortfall"];
    assert_eq!((&shortfall["resource"], &shortfall["needed"]), (&json!("system_ram_mb"), &json!(1e9)));
    assert!(shortfall["available"].as_f64().unwrap() < 1e9);
    assert!(body["hint"].as_str().unwrap().contains("[needs]"), "{body}");
    assert_eq!(run_tool(&server, "modest", "hold", &json!({"mb": 1})).0, 200);
    let id = submit(&server, "giant", "hold", &json!({"mb": 1}));
    let failed = until(&server, &id, "failed");
    assert_eq!(failed["error"]["category"], "resource", "{failed:#}");
    assert_eq!(failed["error"]["resource_shortfall"]["needed"], 1e9);
    assert_eq!(failed["stages"][0]["attempts"], 0, "no code of the plugin ran");
    let id = submit(&server, "modest", "hold", &json!({"mb": 1}));
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn what_a_plugin_of_another_host_says_that_it_needs_counts_as_well() {
    let environment = Environment::new().with_graph();
    let serving = Serving::empty().config("scheduler: {policy: safety, memory_mb: 1000}");
    let add = Cli::new(&["plugin", "add", environment.path().to_str().unwrap()]).plugins(serving.plugins());
    let added = add.run();
    assert_eq!(added.code, 0, "{}{}", added.stdout, added.stderr);
    let server = serving.start();
    server.wait_for("cjm-small-graph", "INITIALIZED");
    let (status, body) = run_tool(&server, "cjm-small-graph", "add", &json!({"node": "a"}));
    assert_eq!(status, 503, "{body}");
    let shortfall = &body["resource_shortfall"];
    assert_eq!(
        (&shortfall["resource"], &shortfall["needed"]),
        (&json!("system_ram_mb"), &json!(2048.0)),
        "{body}"
    );
    server.stop();
}

#[test]
fn without_a_scheduler_that_says_no_every_call_begins() {
    let server = holders(&[("giant", Some(1_000_000_000))]).start();
    hold(&server, "giant", 1);
    let id = submit(&server, "giant", "hold", &json!({"mb": 1}));
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn a_queue_holds_what_does_not_fit_with_the_reason_until_it_does() {
    let yaml = "scheduler: {policy: queue, memory_mb: 500, evict: false}";
    let server = holders(&[("first", None), ("second", Some(300))]).config(yaml).start();
    server.wait_for("second", "INITIALIZED");
    let working = busy(&server, "first", 300);
    let id = submit(&server, "second", "hold", &json!({"mb": 100}));
    wait_until("it is told why the job waits", PATIENCE, || {
        !told(&server, &id, "BLOCK_REASON_CHANGED").is_empty()
    });
    let why = told(&server, &id, "BLOCK_REASON_CHANGED").remove(0);
    let words = why["to"].as_str().unwrap();
    assert!(words.contains("plugin `second`: it needs 300 MiB of memory"), "{why}");
    assert_eq!((&why["from"], &job(&server, &id)["status"]), (&Value::Null, &json!("pending")));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| run_tool(&server, "second", "hold", &json!({"mb": 100})));
        wait_until("the other one is asked to stop", PATIENCE, || cancel(&server, &working).status == 202);
        assert_eq!(call.join().unwrap().0, 200, "a call that waits is answered as well");
    });
    until(&server, &id, "completed");
    let told = told(&server, &id, "BLOCK_REASON_CHANGED");
    assert_eq!(told.last().unwrap()["to"], Value::Null, "and that it waits no more: {told:?}");
    assert!(told.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "no reason twice: {told:?}");
    server.stop();
}

#[test]
fn who_waits_for_memory_is_told_at_once_when_the_server_stops_and_a_job_waits_for_the_next_one() {
    let yaml = "scheduler: {policy: queue, memory_mb: 400}\nstop: {drain_seconds: 1}";
    let server = holders(&[("busy", None), ("large", Some(300))]).config(yaml).start();
    server.wait_for("large", "INITIALIZED");
    let working = busy(&server, "busy", 200);
    let id = submit(&server, "large", "hold", &json!({"mb": 1}));
    wait_until("the job waits", PATIENCE, || !told(&server, &id, "BLOCK_REASON_CHANGED").is_empty());
    std::thread::scope(|scope| {
        let call = scope.spawn(|| run_tool(&server, "large", "hold", &json!({"mb": 1})));
        wait_until("the call waits", PATIENCE, || {
            server.get("/metrics").text.contains("hardpoint_http_connections 2")
        });
        server.signal(rustix::process::Signal::TERM);
        let (status, body) = call.join().unwrap();
        assert_eq!((status, &body["code"]), (503, &json!("host_stopping")), "{body}");
    });
    let (status, next) = server.left();
    assert_eq!(status.code(), Some(0));
    let server = next.config(yaml).start();
    until(&server, &working, "running");
    cancel(&server, &working);
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn who_waits_is_counted_and_told_at_once_when_the_plugin_takes_no_calls_any_more() {
    let yaml = "scheduler: {policy: queue, memory_mb: 400}";
    let server = holders(&[("busy", None), ("large", Some(300))]).config(yaml).start();
    server.wait_for("large", "INITIALIZED");
    let working = busy(&server, "busy", 200);
    for (verb, code) in [("unload", "plugin_unavailable"), ("disable", "plugin_disabled")] {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| run_tool(&server, "large", "hold", &json!({"mb": 1})));
            wait_until("the call waits", PATIENCE, || server.health("large")["calls_in_flight"] == 1);
            server.post(&format!("/v1/plugins/large/{verb}"), None);
            let (status, body) = call.join().unwrap();
            assert_eq!((status, &body["code"]), (503, &json!(code)), "{body}");
        });
        server.post("/v1/plugins/large/load", None);
    }
    assert_eq!(server.health("large")["calls_in_flight"], 0);
    cancel(&server, &working);
    until(&server, &working, "cancelled");
    server.stop();
}

#[test]
fn a_queue_does_not_wait_for_ever_nor_for_what_can_never_be() {
    let yaml = "scheduler: {policy: queue, memory_mb: 400, wait_seconds: 0.5}";
    let plugins = [("busy", None), ("large", Some(300)), ("giant", Some(401))];
    let server = holders(&plugins).config(yaml).start();
    server.wait_for("large", "INITIALIZED");
    let working = busy(&server, "busy", 200);
    let id = submit(&server, "large", "hold", &json!({"mb": 1}));
    assert_eq!(run_tool(&server, "large", "hold", &json!({"mb": 1})).0, 503);
    let failed = until(&server, &id, "failed");
    assert_eq!(failed["error"]["error_type"], "ResourceError", "{failed:#}");
    server.wait_for("giant", "INITIALIZED");
    let (status, body) = run_tool(&server, "giant", "hold", &json!({"mb": 1}));
    assert_eq!(status, 503, "{body}");
    assert!(
        body["retry_after_seconds"].is_null() && body["error"].as_str().unwrap().contains("401"),
        "{body}"
    );
    assert_eq!(job(&server, &working)["status"], "running", "nobody touched what runs");
    cancel(&server, &working);
    until(&server, &working, "cancelled");
    server.stop();
}

#[test]
fn idle_plugins_make_room_the_longest_unused_first_and_one_that_runs_never() {
    let yaml = "scheduler: {policy: safety, memory_mb: 800}";
    let plugins = [("p1", None), ("p2", None), ("p3", None), ("busy", None), ("needy", Some(400))];
    let server = holders(&plugins).config(yaml).start();
    server.wait_for("needy", "INITIALIZED");
    let working = busy(&server, "busy", 120);
    let of_busy = server.health("busy")["pid"].clone();
    for plugin in ["p2", "p1", "p3"] {
        hold(&server, plugin, 150);
    }
    let of_p3 = server.health("p3")["pid"].clone();
    hold(&server, "needy", 300);
    for (plugin, pid) in [("p1", Value::Null), ("p2", Value::Null), ("p3", of_p3), ("busy", of_busy)] {
        assert_eq!(server.health(plugin)["pid"], pid, "{plugin}");
    }
    let rests = server.health("p2");
    assert_eq!((&rests["state"], &rests["reason"]), (&json!("LOADED"), &Value::Null), "{rests}");
    assert!(rests["hint"].as_str().unwrap().contains("its next call starts it again"), "{rests}");
    assert_eq!(rests["made_room"], true);
    let audit = audit(&server, &["--strict"]);
    assert_eq!(audit.code, 0, "what its next call brings back is not down: {}{}", audit.stdout, audit.stderr);
    let log = server.get("/v1/plugins/p2/logs").text;
    assert!(log.contains("it is ended to make room for `needy`"), "{log}");
    // Both doors bring it back.
    let (status, body) = run_tool(&server, "p2", "hold", &json!({"mb": 1}));
    assert_eq!(status, 200, "{body}");
    let back = server.health("p2");
    assert_eq!((&back["state"], &back["incarnation"]), (&json!("INITIALIZED"), &json!(2)), "{back}");
    let id = submit(&server, "p1", "hold", &json!({"mb": 1}));
    until(&server, &id, "completed");
    assert_eq!(job(&server, &working)["status"], "running");
    cancel(&server, &working);
    until(&server, &working, "cancelled");
    server.stop();
}

#[test]
fn nobody_is_ended_when_that_would_not_be_enough() {
    let yaml = "scheduler: {policy: safety, memory_mb: 500}";
    let server = holders(&[("busy", None), ("idle", None), ("needy", Some(400))]).config(yaml).start();
    server.wait_for("needy", "INITIALIZED");
    let working = busy(&server, "busy", 200);
    let pid = hold(&server, "idle", 100);
    assert_eq!(run_tool(&server, "needy", "hold", &json!({"mb": 1})).0, 503);
    assert_eq!(server.health("idle")["pid"], json!(pid));
    cancel(&server, &working);
    until(&server, &working, "cancelled");
    server.stop();
}

#[test]
fn a_job_that_lacked_memory_has_a_second_try_on_a_fresh_worker_once_others_made_room() {
    let server = holders(&[("idle", None), ("busy", None), ("needy", None)]).start();
    server.wait_for("needy", "INITIALIZED");
    hold(&server, "idle", 100);
    let working = busy(&server, "busy", 1);
    let first = server.health("needy")["pid"].clone();
    let once = server.here().join("once");
    let id = submit(&server, "needy", "lack", &json!({"once": once, "mb": 50.0}));
    let ended = until(&server, &id, "completed");
    assert_eq!(ended["stages"][0]["attempts"], 2, "{ended:#}");
    let retry = told(&server, &id, "RETRY_STARTED").remove(0);
    assert_eq!((&retry["attempt"], &retry["exception_category"]), (&json!(1), &json!("resource")), "{retry}");
    let second = server.health("needy")["pid"].clone();
    assert_ne!(first, second);
    let result = server.get(&format!("/v1/jobs/{id}/result")).json();
    assert_eq!(result["result"], second, "the second try ran on the fresh worker");
    assert_eq!(server.health("idle")["pid"], Value::Null, "it made room");
    assert_eq!(job(&server, &working)["status"], "running");
    cancel(&server, &working);
    until(&server, &working, "cancelled");
    server.stop();
}

#[test]
fn a_plugin_with_many_jobs_gives_way_to_another_that_waits_for_its_room() {
    let plugins = [("many", Some(250)), ("few", Some(250))];
    let server = holders(&plugins).config("scheduler: {policy: queue, memory_mb: 400}").start();
    for (plugin, _) in plugins {
        server.wait_for(plugin, "INITIALIZED");
    }
    let work = json!({"mb": 200, "seconds": 0.3});
    let many: Vec<String> = (0..8).map(|_| submit(&server, "many", "work", &work)).collect();
    until(&server, &many[0], "running");
    let few = submit(&server, "few", "work", &work);
    let last = until(&server, &many[7], "completed");
    let few = until(&server, &few, "completed");
    let started = |job: &Value| job["started_at"].as_str().unwrap().to_owned();
    assert!(started(&few) < started(&last), "{few:#}\n{last:#}");
    server.stop();
}

#[test]
fn whatever_is_called_in_any_order_gets_its_turn_under_a_tight_budget() {
    let names = ["a", "b", "c", "d"];
    let plugins = names.map(|name| (name, Some(150)));
    let server = holders(&plugins).config("scheduler: {policy: queue, memory_mb: 400}").start();
    for name in names {
        server.wait_for(name, "INITIALIZED");
    }
    std::thread::scope(|scope| {
        for (at, name) in names.iter().enumerate() {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..6 {
                    // Each thread begins at another plugin, so that they take each other's room.
                    let plugin = names[(at + turn) % names.len()];
                    if turn % 2 == 0 {
                        let (status, body) = run_tool(server, plugin, "hold", &json!({"mb": 120}));
                        assert_eq!(status, 200, "{name}, turn {turn}: {body}");
                    } else {
                        let id = submit(server, plugin, "hold", &json!({"mb": 120}));
                        until(server, &id, "completed");
                    }
                }
            });
        }
    });
    let ended = names.map(|name| server.health(name)["incarnation"].as_u64().unwrap());
    assert!(ended.iter().sum::<u64>() > 4, "nobody had to make room: {ended:?}");
    server.stop();
}
