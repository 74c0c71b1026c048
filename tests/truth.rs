//! What the server says of a plugin is true, also of one that is wedged, and it says so in time.

use crate::support::{Server, Serving, run_tool};
use hardpoint_testkit::soon;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Quick signs of life, so that the tests are.
const QUICK: &str =
    "health: {ping_seconds: 0.1, unresponsive_seconds: 0.3, stuck_seconds: 0.5, kill_idle_seconds: 1.5}\n";
/// How soon a wedged worker is shown as such: two rounds of asking, and the patience of a busy machine.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

#[track_caller]
fn shown(server: &Server, plugin: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let came = soon(SHOWN_WITHIN, || {
        last = server.health(plugin);
        is(&last)
    });
    assert!(came, "{plugin} was not shown as {what}: {last:#}");
    last
}

fn signal(health: &Value, signal: Signal) {
    let pid = i32::try_from(health["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn in_background(
    server: &Arc<Server>,
    plugin: &'static str,
    tool: &'static str,
    args: Value,
) -> thread::JoinHandle<(u16, Value)> {
    let server = Arc::clone(server);
    thread::spawn(move || run_tool(&server, plugin, tool, &args))
}

#[test]
fn a_stopped_worker_is_shown_as_unresponsive_and_then_ended_with_its_plugin_failed() {
    let server = Serving::of(&["well"]).config(QUICK).start();
    signal(&server.wait_for("well", "INITIALIZED"), Signal::STOP);
    let health = shown(&server, "well", "unresponsive", |health| health["liveness"] == "unresponsive");
    assert!(health["unresponsive_since"].is_string(), "{health:#}");
    let health = server.wait_for("well", "FAILED");
    assert!(health["reason"].as_str().unwrap().contains("gave no sign of life for"), "{health:#}");
    shown(&server, "well", "gone", |health| health["pid"].is_null());
    server.stop();
}

#[test]
fn a_worker_that_comes_back_to_life_in_time_is_live_again() {
    let server = Serving::of(&["well"]).config(&QUICK.replace("1.5", "60")).start();
    let health = server.wait_for("well", "INITIALIZED");
    signal(&health, Signal::STOP);
    shown(&server, "well", "unresponsive", |health| health["liveness"] == "unresponsive");
    signal(&health, Signal::CONT);
    let after = shown(&server, "well", "live", |health| health["liveness"] == "live");
    assert_eq!((&after["pid"], &after["unresponsive_since"]), (&health["pid"], &Value::Null));
    server.stop();
}

#[test]
fn a_call_that_holds_the_interpreter_is_shown_while_it_does() {
    let server = Arc::new(Serving::of(&["c_loop"]).config(QUICK).start());
    server.wait_for("c_loop", "INITIALIZED");
    let body = json!({"args": {}, "timeout_seconds": 4});
    let call = {
        let server = Arc::clone(&server);
        thread::spawn(move || server.post("/v1/plugins/c_loop/tools/spin/run", Some(&body)))
    };
    shown(&server, "c_loop", "unresponsive", |health| {
        health["liveness"] == "unresponsive" && health["state"] == "RUNNING"
    });
    let reply = call.join().unwrap();
    assert_eq!((reply.status, &reply.json()["error_type"]), (408, &json!("TimeoutError")));
    let health = server.health("c_loop");
    assert_eq!((&health["state"], &health["exit_reason"]["kind"]), (&json!("FAILED"), &json!("deadline")));
    Arc::into_inner(server).unwrap().stop();
}

#[test]
fn a_deadlocked_call_is_shown_as_stuck_although_the_worker_answers() {
    let server = Arc::new(Serving::of(&["deadlock"]).config(QUICK).start());
    server.wait_for("deadlock", "INITIALIZED");
    let began = jiff::Timestamp::now();
    let call = in_background(&server, "deadlock", "lock", json!({}));
    let health = shown(&server, "deadlock", "stuck", |health| health["liveness"] == "stuck");
    let since: jiff::Timestamp = health["main_thread_stuck_since"].as_str().unwrap().parse().unwrap();
    let after = since.duration_since(began).as_secs_f64();
    assert!((-0.2..3.0).contains(&after), "stuck since {after} s after the call");
    assert_eq!(health["state"], "RUNNING");
    assert_eq!(call.join().unwrap().0, 408);
    assert_eq!(server.health("deadlock")["liveness"], "none");
    Arc::into_inner(server).unwrap().stop();
}

#[test]
fn a_worker_that_closes_its_socket_is_failed_within_seconds() {
    let server = Serving::of(&["half_frame"]).config(QUICK).start();
    server.wait_for("half_frame", "INITIALIZED");
    let began = Instant::now();
    let (status, body) = run_tool(&server, "half_frame", "close_socket", &json!({}));
    assert_eq!((status, &body["error_type"]), (502, &json!("ProtocolViolation")), "{body:#}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(server.health("half_frame")["state"], "FAILED");
    server.stop();
}

#[test]
fn health_never_lags_behind_the_answer_of_the_call_that_broke_the_plugin() {
    let server = Server::with(&["segfault"]);
    server.wait_for("segfault", "INITIALIZED");
    for life in 1..=10 {
        let (status, body) = run_tool(&server, "segfault", "crash", &json!({}));
        assert_eq!(status, 502, "{body:#}");
        let health = server.health("segfault");
        assert_eq!((&health["state"], &health["incarnation"]), (&json!("FAILED"), &json!(life)));
        assert_eq!(health["exit_reason"], body["exit_reason"]);
        let settled = server.post("/v1/plugins/segfault/restart", None);
        assert_eq!((settled.status, &settled.json()["state"]), (200, &json!("INITIALIZED")));
    }
    server.stop();
}

#[test]
fn a_plugin_is_running_during_a_call_and_initialized_after() {
    let server = Arc::new(Server::with(&["well"]));
    server.wait_for("well", "INITIALIZED");
    let call = in_background(&server, "well", "sleep", json!({"seconds": 1.0}));
    let health = server.wait_for("well", "RUNNING");
    assert_eq!(health["calls_in_flight"], 1);
    assert_eq!(call.join().unwrap().0, 200);
    let health = server.health("well");
    assert_eq!((&health["state"], &health["success_count"]), (&json!("INITIALIZED"), &json!(1)));
    assert!(
        health["last_used"].is_string() && health["avg_execution_time_ms"].as_f64() >= Some(1000.0),
        "{health:#}"
    );
    Arc::into_inner(server).unwrap().stop();
}

#[test]
fn every_list_and_every_health_answers_while_every_worker_is_wedged() {
    let server = Serving::of(&["well", "os_exit", "segfault", "py_loop"]).start();
    for plugin in ["well", "os_exit", "segfault", "py_loop"] {
        signal(&server.wait_for(plugin, "INITIALIZED"), Signal::STOP);
    }
    for _ in 0..50 {
        let listed = server.get("/v1/plugins");
        assert_eq!((listed.status, listed.json().as_array().unwrap().len()), (200, 4));
        assert_eq!(server.get("/v1/plugins/nobody/health").status, 404);
        assert_eq!(server.get("/v1/plugins/well/health").status, 200);
    }
    shown(&server, "well", "unresponsive", |health| health["liveness"] == "unresponsive");
    assert_eq!(server.get("/v1/ready").status, 503);
    assert_eq!(server.get("/v1/health").status, 200);
    server.stop();
}

#[test]
fn health_is_read_while_plugins_are_started_and_fail_one_after_the_other() {
    let server = Arc::new(Server::with(&["well", "import_error", "os_exit_at_import"]));
    signal(&server.wait_for("well", "INITIALIZED"), Signal::STOP);
    let going = Arc::new(AtomicBool::new(true));
    let loader = {
        let (server, going) = (Arc::clone(&server), Arc::clone(&going));
        thread::spawn(move || {
            let mut failures = 0;
            while going.load(Ordering::Relaxed) {
                for plugin in ["import_error", "os_exit_at_import"] {
                    let after = server.post(&format!("/v1/plugins/{plugin}/restart"), None).json();
                    assert_eq!(after["state"], "FAILED", "{after:#}");
                    failures += 1;
                }
            }
            failures
        })
    };
    let mut slowest = Duration::ZERO;
    for _ in 0..500 {
        let asked = Instant::now();
        assert_eq!(server.get("/v1/plugins/well/health").status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    going.store(false, Ordering::Relaxed);
    assert!(loader.join().unwrap() >= 2, "nothing was started meanwhile");
    // A start takes longer than this; how quick a read is, is measured by the benchmark `health`.
    assert!(slowest < Duration::from_secs(2), "a read took {slowest:?}");
    Arc::into_inner(server).unwrap().stop();
}

#[test]
fn a_model_that_validate_misses_makes_its_plugin_unavailable() {
    let server = Server::with(&["validate_missing_model"]);
    let health = server.wait_for("validate_missing_model", "UNAVAILABLE");
    assert!(
        health["reason"].as_str().unwrap().contains("the model is not there: weights.onnx"),
        "{health:#}"
    );
    assert!(health["hint"].as_str().unwrap().contains("put the model file"), "{health:#}");
    server.stop();
}
