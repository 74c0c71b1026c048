//! What was accepted is never lost: jobs through the real server, which is killed and started again.

use crate::support::{PATIENCE, Reply, Server, Serving};
use hardpoint_testkit::{soon, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Hands in a job; the answer, whatever it is.
pub(crate) fn hand_in(server: &Server, plugin: &str, tool: &str, args: &Value, more: &Value) -> Reply {
    let mut body = json!({"plugin_id": plugin, "tool_name": tool, "args": args});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    server.post("/v1/jobs", Some(&body))
}

/// Hands in a job that is accepted; its id.
#[track_caller]
pub(crate) fn submit(server: &Server, tool: &str, args: &Value, more: &Value) -> String {
    let reply = hand_in(server, "well", tool, args, more);
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

pub(crate) fn job(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/jobs/{id}")).json()
}

/// Waits until a job has this status; the job as it is then.
#[track_caller]
pub(crate) fn until(server: &Server, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    let came = soon(PATIENCE, || {
        last = job(server, id);
        last["status"] == status
    });
    assert!(came, "it did not become {status}: {last:#}\n{}", server.log());
    last
}

/// A server whose only plugin runs a job that does not end by itself; that job's id.
pub(crate) fn occupied(yaml: &str) -> (Server, String) {
    let server = Serving::of(&["well"]).config(yaml).start();
    let id = submit(&server, "nap", &json!({"seconds": 600}), &json!({}));
    until(&server, &id, "running");
    (server, id)
}

pub(crate) fn cancel(server: &Server, id: &str) -> Reply {
    server.post(&format!("/v1/jobs/{id}/cancel"), None)
}

/// All events that a server has, of one job or of all, from a number on.
pub(crate) fn events(server: &Server, job: Option<&str>, since: u64) -> Vec<Value> {
    let job = job.map_or_else(String::new, |job| format!("&job={job}"));
    let request = server.client().get(format!("{}/v1/events?since={since}&follow=false{job}", server.url()));
    let request = request.bearer_auth(server.token()).header("accept", "application/x-ndjson");
    let reply = crate::support::reply(request);
    assert_eq!(reply.status, 200, "{}", reply.text);
    let lines = reply.text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the events of a job say, in their order: statuses, phases and retries.
pub(crate) fn story(server: &Server, job: &str) -> Vec<String> {
    let told = events(server, Some(job), 0).into_iter().filter_map(|event| {
        let payload = &event["payload"];
        Some(match event["type"].as_str().unwrap() {
            "STATE_TRANSITION" => payload["to"].as_str().unwrap().to_owned(),
            "CANCEL_PHASE_CHANGED" => payload["to"].as_str().unwrap().to_owned(),
            "RETRY_STARTED" => format!("retry {}", payload["attempt"]),
            _ => return None,
        })
    });
    told.collect()
}

#[test]
fn a_job_is_accepted_runs_completes_and_its_result_is_there() {
    let server = Server::with(&["well"]);
    let reply = hand_in(&server, "well", "echo", &json!({"text": "a", "times": 3}), &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    let id = reply.json()["job_id"].as_str().unwrap().to_owned();
    let done = until(&server, &id, "completed");
    assert_eq!(done["job_id"], id.as_str());
    let stage = &done["stages"][0];
    assert_eq!((&stage["status"], &stage["attempts"]), (&json!("completed"), &json!(1)), "{done:#}");
    assert_eq!((&done["error"], &done["cancel_phase"]), (&Value::Null, &Value::Null));
    for time in ["submitted_at", "started_at", "completed_at"] {
        assert!(done[time].is_string(), "{time}: {done:#}");
    }
    let result = server.get(&format!("/v1/jobs/{id}/result"));
    assert_eq!((result.status, &result.json()["result"]), (200, &json!("aaa")), "{}", result.text);
    assert_eq!(story(&server, &id), ["pending", "running", "completed"]);
    server.stop();
}

#[test]
fn jobs_that_wait_survive_the_death_of_the_server_and_run_after_the_next_start() {
    let (server, blocker) = occupied("");
    let ids: Vec<String> =
        (0..20).map(|n| submit(&server, "echo", &json!({"text": n.to_string()}), &json!({}))).collect();
    let server = server.killed().start();
    assert_eq!(cancel(&server, &blocker).status / 100, 2);
    for (n, id) in ids.iter().enumerate() {
        let done = until(&server, id, "completed");
        assert_eq!(done["stages"][0]["attempts"], 1);
        let result = server.get(&format!("/v1/jobs/{id}/result")).json();
        assert_eq!(result["result"], json!(n.to_string()));
    }
    server.stop();
}

#[test]
fn a_job_whose_host_died_under_it_is_run_again_and_both_tries_are_counted() {
    let (server, id) = occupied("");
    let server = server.killed().start();
    wait_until("it runs again", PATIENCE, || {
        let job = job(&server, &id);
        job["status"] == "running" && job["stages"][0]["attempts"] == 2
    });
    assert_eq!(story(&server, &id), ["pending", "running", "pending", "running"]);
    cancel(&server, &id);
    until(&server, &id, "cancelled");
    server.stop();
}

#[test]
fn a_job_that_must_not_happen_twice_fails_when_its_host_died_under_it() {
    let (server, id) = occupied("jobs: {on_host_loss: fail}");
    let server = server.killed().start();
    let job = until(&server, &id, "failed");
    assert_eq!((&job["stages"][0]["attempts"], &job["error"]["error_type"]), (&json!(1), &json!("HostLost")));
    assert_eq!(story(&server, &id), ["pending", "running", "failed"]);
    server.stop();
}

#[test]
fn a_job_that_kills_its_host_again_and_again_is_given_up() {
    let (mut server, id) = occupied("jobs: {attempts_max: 2}");
    server = server.killed().start();
    wait_until("it runs again", PATIENCE, || {
        let job = job(&server, &id);
        job["status"] == "running" && job["stages"][0]["attempts"] == 2
    });
    server = server.killed().start();
    assert_eq!(until(&server, &id, "failed")["stages"][0]["attempts"], 2);
    server.stop();
}

#[test]
fn a_server_that_is_stopped_lets_the_running_job_end_and_keeps_those_that_wait() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let running = submit(&server, "nap", &json!({"seconds": 3}), &json!({}));
    let waiting = submit(&server, "echo", &json!({"text": "later"}), &json!({}));
    until(&server, &running, "running");
    let serving = server.stopped();
    let server = serving.start();
    let ended = job(&server, &running);
    assert_eq!((&ended["status"], &ended["stages"][0]["attempts"]), (&json!("completed"), &json!(1)));
    assert_eq!(until(&server, &waiting, "completed")["stages"][0]["attempts"], 1);
    server.stop();
}

#[test]
fn the_same_idempotency_key_is_accepted_once_also_by_the_next_server() {
    let server = Server::with(&["well"]);
    let key = json!({"idempotency_key": "order-17"});
    let ask = |server: &Server| submit(server, "echo", &json!({"text": "a"}), &key);
    let first = ask(&server);
    assert_eq!(ask(&server), first);
    until(&server, &first, "completed");
    let server = server.killed().start();
    assert_eq!(ask(&server), first);
    let other = submit(&server, "echo", &json!({"text": "a"}), &json!({"idempotency_key": "order-18"}));
    assert_ne!(other, first);
    assert_eq!(server.get("/v1/jobs").json()["count"], 2);
    server.stop();
}

#[test]
fn a_job_that_waits_is_cancelled_at_once_and_never_runs() {
    let (server, blocker) = occupied("");
    let id = submit(&server, "echo", &json!({"text": "a"}), &json!({}));
    assert_eq!(cancel(&server, &id).status / 100, 2);
    let cancelled = job(&server, &id);
    assert_eq!((&cancelled["status"], &cancelled["stages"][0]["attempts"]), (&json!("cancelled"), &json!(0)));
    assert_eq!(story(&server, &id), ["pending", "cancelled"]);
    assert_eq!(cancel(&server, &id).json()["code"], "job_over");
    cancel(&server, &blocker);
    until(&server, &blocker, "cancelled");
    server.stop();
}

/// Cancels a job of this kind while it runs: its phases, and the incarnation of its plugin before and after.
fn cancel_running(plugin: &str, tool: &str, args: &Value) -> (Vec<String>, u64, u64) {
    let server = Server::with(&[plugin]);
    let before = server.wait_for(plugin, "INITIALIZED")["incarnation"].as_u64().unwrap();
    let id = hand_in(&server, plugin, tool, args, &json!({})).json()["job_id"].as_str().unwrap().to_owned();
    until(&server, &id, "running");
    server.wait_for(plugin, "RUNNING");
    assert_eq!(cancel(&server, &id).status / 100, 2);
    let job = until(&server, &id, "cancelled");
    assert_eq!(job["cancel_phase"], "COMPLETED", "{job:#}");
    let after = server.wait_for(plugin, "INITIALIZED")["incarnation"].as_u64().unwrap();
    let story = story(&server, &id);
    let (first, last) = (story.iter().take(2), story.last().unwrap());
    assert_eq!(first.chain([last]).collect::<Vec<_>>(), ["pending", "running", "cancelled"]);
    server.stop();
    let phases = story[2..story.len() - 1].to_vec();
    (phases, before, after)
}

#[test]
fn a_job_that_looks_up_or_sleeps_is_cancelled_and_its_worker_lives() {
    for (plugin, tool, args) in [
        ("well", "nap", json!({"seconds": 600})),
        ("well", "sleep", json!({"seconds": 600})),
        ("py_loop", "spin", json!({})),
    ] {
        let (phases, before, after) = cancel_running(plugin, tool, &args);
        assert_eq!(phases, ["COOPERATIVE", "COMPLETED"], "{plugin}.{tool}");
        assert_eq!(before, after, "{plugin}.{tool}");
    }
}

#[test]
fn a_job_that_hears_nothing_is_forced_and_its_plugin_comes_back() {
    let (phases, before, after) = cancel_running("c_loop", "spin", &json!({}));
    assert_eq!(phases, ["COOPERATIVE", "FORCE", "RELOADING", "COMPLETED"]);
    assert_eq!(after, before + 1);
}

#[test]
fn a_job_of_higher_priority_runs_first_and_one_that_is_reordered_takes_its_new_place() {
    let (server, blocker) = occupied("");
    let with = |priority: i32| submit(&server, "echo", &json!({"text": "a"}), &json!({"priority": priority}));
    let (low, first, second, high, late) = (with(-5), with(0), with(0), with(5), with(0));
    let reordered = server.post(&format!("/v1/jobs/{late}/reorder"), Some(&json!({"priority": 9})));
    assert_eq!(reordered.status, 200, "{}", reordered.text);
    assert_eq!(job(&server, &late)["priority"], 9);
    let running = server.post(&format!("/v1/jobs/{blocker}/reorder"), Some(&json!({"priority": 9})));
    assert_eq!(running.json()["code"], "job_not_pending", "{}", running.text);
    // The order is on disk, too.
    let server = server.killed().start();
    cancel(&server, &blocker);
    until(&server, &low, "completed");
    let started = |id: &String| {
        let told = events(&server, Some(id), 0);
        told.iter().find(|event| event["payload"]["to"] == "running").unwrap()["number"].as_u64().unwrap()
    };
    let mut by_start = vec![low.clone(), first.clone(), second.clone(), high.clone(), late.clone()];
    by_start.sort_by_key(started);
    assert_eq!(by_start, [late, high, first, second, low]);
    server.stop();
}

#[test]
fn jobs_of_several_plugins_run_side_by_side_and_not_more_than_the_host_is_told() {
    let server = Serving::of(&["well", "relay", "hooks"]).config("jobs: {running_max: 2}").start();
    let nap = |plugin: &str, tool: &str, args: Value| {
        let reply = hand_in(&server, plugin, tool, &args, &json!({}));
        reply.json()["job_id"].as_str().unwrap().to_owned()
    };
    let first = nap("well", "nap", json!({"seconds": 600}));
    let second = nap("relay", "nap", json!({"seconds": 600}));
    for id in [&first, &second] {
        until(&server, id, "running");
    }
    let third = nap("hooks", "watch", json!({}));
    server.wait_for("hooks", "INITIALIZED");
    let running = || server.get("/v1/jobs?status=running").json()["count"].clone();
    assert_eq!((running(), &job(&server, &third)["status"]), (json!(2), &json!("pending")));
    cancel(&server, &first);
    until(&server, &third, "running");
    assert_eq!((running(), &job(&server, &second)["status"]), (json!(2), &json!("running")));
    for id in [&second, &third] {
        cancel(&server, id);
        until(&server, id, "cancelled");
    }
    server.stop();
}

#[test]
fn whoever_waits_for_a_job_is_answered_when_it_is_over_or_the_time_is_up() {
    let (server, blocker) = occupied("");
    let wait = |id: &str, seconds: f64| {
        let begun = Instant::now();
        let reply = server.post(&format!("/v1/jobs/{id}/wait?timeout_seconds={seconds}"), None);
        assert_eq!(reply.status, 200, "{}", reply.text);
        (reply.json()["status"].as_str().unwrap().to_owned(), begun.elapsed())
    };
    let (status, took) = wait(&blocker, 0.3);
    assert_eq!(status, "running");
    assert!(took >= Duration::from_millis(300) && took < PATIENCE, "{took:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&blocker, 600.0));
        cancel(&server, &blocker);
        assert_eq!(waiting.join().unwrap().0, "cancelled");
    });
    assert_eq!(wait(&blocker, 600.0).0, "cancelled", "what is over is not waited for");
    server.stop();
}

#[test]
fn a_job_whose_plugin_is_disabled_later_waits_and_says_why() {
    let (server, blocker) = occupied("");
    let id = submit(&server, "echo", &json!({"text": "a"}), &json!({}));
    assert_eq!(server.post("/v1/plugins/well/disable?wait_seconds=0", None).status / 100, 2);
    cancel(&server, &blocker);
    wait_until("it says why it waits", PATIENCE, || {
        let told = events(&server, Some(&id), 0);
        let last = told.iter().rfind(|event| event["type"] == "BLOCK_REASON_CHANGED");
        last.is_some_and(|event| event["payload"]["to"] == "plugin `well` is disabled")
    });
    assert_eq!(job(&server, &id)["status"], "pending");
    assert_eq!(server.post("/v1/plugins/well/enable", None).status, 200);
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn what_may_pass_is_tried_again_and_wrong_input_is_not() {
    let server = Server::with(&["well"]);
    for (kind, attempts, category, expected) in [
        ("transient", 2, "transient", &["pending", "running", "pending", "retry 1", "running", "failed"][..]),
        ("input", 1, "user_input", &["pending", "running", "failed"]),
    ] {
        let id = submit(&server, "fail", &json!({"kind": kind}), &json!({}));
        let job = until(&server, &id, "failed");
        assert_eq!(job["stages"][0]["attempts"], attempts, "{job:#}");
        assert_eq!(job["error"]["category"], category, "{job:#}");
        assert_eq!(story(&server, &id), expected);
    }
    server.stop();
}

#[test]
fn a_client_that_goes_on_from_the_last_number_sees_every_event_once_across_a_restart() {
    let mut server = Server::with(&["well"]);
    let mut seen: Vec<Value> = Vec::new();
    let mut last = 0;
    for round in 0..3 {
        let ids: Vec<String> =
            (0..5).map(|_| submit(&server, "progress", &json!({"n": 3}), &json!({}))).collect();
        if round == 1 {
            until(&server, &ids[4], "completed");
        }
        // Whatever has happened until now; the rest is read from the next server.
        for event in events(&server, None, last) {
            last = event["number"].as_u64().unwrap();
            seen.push(event);
        }
        server = server.killed().start();
    }
    wait_until("every job is over", PATIENCE, || {
        server.get("/v1/jobs?status=completed").json()["count"] == 15
    });
    seen.extend(events(&server, None, last));
    let numbers: Vec<u64> = seen.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    for (seen, other) in seen.iter().zip(events(&server, None, 0)) {
        assert_eq!(*seen, other, "somebody who was never away sees something else");
    }
    let ended = seen.iter().filter(|event| event["payload"]["to"] == "completed").count();
    assert_eq!(ended, 15);
    server.stop();
}

#[test]
fn without_its_database_a_server_does_not_start_and_says_what_to_do() {
    let refuses = |serving: Serving, words: &[&str]| {
        let mut serving = serving;
        serving.command.stderr(std::process::Stdio::piped());
        let output = serving.command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{told}");
        for word in words.iter().chain(&["hint:"]) {
            assert!(told.contains(word), "`{word}` is not in\n{told}");
        }
    };
    let serving = Serving::empty();
    fs::write(serving.data().join("hardpoint.db"), "this is no database at all, and never was\n".repeat(99))
        .unwrap();
    refuses(serving, &["the database is damaged", "hardpoint db check"]);
    let serving = Serving::empty();
    fs::create_dir(serving.data().join("hardpoint.db")).unwrap();
    refuses(serving, &["cannot be written to", "--data-dir"]);
    let serving = Serving::empty().start().stopped();
    let file = serving.data().join("hardpoint.db");
    let mut bytes = fs::read(&file).unwrap();
    // The version of the schema, as SQLite keeps it in the head of the file.
    bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    for beside in ["hardpoint.db-wal", "hardpoint.db-shm"] {
        let _ = fs::remove_file(serving.data().join(beside));
    }
    refuses(serving, &["a newer version of Hardpoint", "newer version"]);
}

#[test]
fn a_second_signal_ends_a_server_at_once_and_its_job_runs_on_the_next() {
    let (server, id) = occupied("");
    server.signal(Signal::TERM);
    wait_until("it is stopping", PATIENCE, || server.log().contains("stopping"));
    server.signal(Signal::TERM);
    let (status, serving) = server.left();
    assert_eq!(status.code(), Some(143));
    let server = serving.start();
    wait_until("it runs again", PATIENCE, || job(&server, &id)["stages"][0]["attempts"] == 2);
    cancel(&server, &id);
    until(&server, &id, "cancelled");
    server.stop();
}

/// What broke its plugin is told at once, and not only when somebody has mended it; what only waits goes on waiting.
#[test]
fn a_job_that_breaks_its_plugin_ends_with_that_and_those_behind_it_wait_for_its_return() {
    let server = Server::with(&["memory_hog"]);
    server.wait_for("memory_hog", "INITIALIZED");
    let args = json!({"mb": 4000});
    let breaks = hand_in(&server, "memory_hog", "allocate", &args, &json!({})).json()["job_id"].clone();
    let waits =
        hand_in(&server, "memory_hog", "allocate", &json!({"mb": 1}), &json!({})).json()["job_id"].clone();
    let [breaks, waits] = [breaks, waits].map(|id| id.as_str().unwrap().to_owned());
    let over = until(&server, &breaks, "failed");
    assert_eq!(over["error"]["error_type"], "MemoryLimitExceeded", "{over:#}");
    assert_eq!(over["stages"][0]["attempts"], 1);
    let retried = events(&server, Some(&breaks), 0).iter().any(|event| event["type"] == "RETRY_STARTED");
    assert!(!retried, "a retry was told that nobody could make");
    assert_eq!(job(&server, &waits)["status"], "pending");
    server.post("/v1/plugins/memory_hog/restart", None);
    until(&server, &waits, "completed");
    server.stop();
}
