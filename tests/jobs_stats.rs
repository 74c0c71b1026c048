//! How many jobs there are and were, as every door tells it.

use crate::jobs::{cancel, occupied, submit};
use crate::support::{PATIENCE, Server};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};

fn stats(server: &Server) -> Value {
    server.get("/v1/jobs/stats").json()
}

/// Pending, running, completed, failed, cancelled.
fn totals(told: &Value) -> [u64; 5] {
    ["pending", "running", "completed", "failed", "cancelled"]
        .map(|status| told[format!("total_{status}")].as_u64().unwrap())
}

#[test]
fn totals_of_jobs_are_told_by_status_and_plugin_and_outlive_the_server() {
    let (server, blocker) = occupied("");
    for (tool, args) in [("echo", json!({"text": "a"})), ("fail", json!({"kind": "input"}))] {
        submit(&server, tool, &args, &json!({}));
    }
    let id = submit(&server, "echo", &json!({"text": "a"}), &json!({}));
    cancel(&server, &id);
    let told = stats(&server);
    assert_eq!(totals(&told), [2, 1, 0, 0, 1], "{told:#}");
    assert_eq!(told["plugins"][0]["plugin_id"], "well");
    assert_eq!(totals(&told["plugins"][0]), [2, 1, 0, 0, 1]);
    let waited = told["oldest_pending_seconds"].as_f64().unwrap();
    assert!(waited > 0.0 && waited < 60.0, "{waited}");
    let metrics = server.get("/metrics").text;
    for line in [
        "hardpoint_jobs{status=\"pending\"} 2",
        "hardpoint_jobs{status=\"running\"} 1",
        "hardpoint_jobs_ended_total{status=\"cancelled\"} 1",
        "hardpoint_store_failing 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    cancel(&server, &blocker);
    wait_until("all of them are over", PATIENCE, || totals(&stats(&server)) == [0, 0, 1, 1, 2]);
    let server = server.killed().start();
    let told = stats(&server);
    assert_eq!((totals(&told), &told["oldest_pending_seconds"]), ([0, 0, 1, 1, 2], &Value::Null));
    server.stop();
}
