//! Events as clients follow them: what is kept, who is cut off, and that nothing is missing or comes twice.

use crate::jobs::{cancel, events, submit, until};
use crate::support::{Cli, PATIENCE, Server, Serving, reply};
use hardpoint_testkit::{soon, wait_until};
use serde_json::{Value, json};

/// The lines of a stream of events that ends by itself.
fn lines(server: &Server, path: &str) -> Vec<Value> {
    let request = server.client().get(format!("{}{path}", server.url())).bearer_auth(server.token());
    let reply = reply(request.header("accept", "application/x-ndjson"));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(event: &Value) -> u64 {
    event["number"].as_u64().unwrap_or_else(|| panic!("{event:#} has no number"))
}

#[test]
fn old_events_go_except_those_of_jobs_that_are_alive_and_a_late_reader_is_told_first() {
    let server = Serving::of(&["well"]).config("events: {max_count: 20}").start();
    server.wait_for("well", "INITIALIZED");
    let blocker = submit(&server, "nap", &json!({"seconds": 600}), &json!({}));
    let waits = submit(&server, "echo", &json!({"text": "a"}), &json!({"priority": -1}));
    until(&server, &blocker, "running");
    let text = |n: u32| json!({"text": n.to_string()});
    let over: Vec<String> = (0..30).map(|n| submit(&server, "echo", &text(n), &json!({}))).collect();
    for id in &over {
        cancel(&server, id);
    }
    let last = number(events(&server, None, 0).last().unwrap());
    let mut told = Vec::new();
    let went = soon(PATIENCE, || {
        told = lines(&server, "/v1/events?follow=false");
        told[0]["payload"]["first_kept"] == last - 19
    });
    assert!(went, "{told:#?}");
    let (old, kept) = told[1..].split_at(told.len() - 21);
    assert!(old.iter().all(|event| event["job_id"] == *blocker || event["job_id"] == *waits), "{old:#?}");
    let dropped = json!({"type": "EVENTS_DROPPED",
        "payload": {"first_kept": last - 19, "count": last - 20 - old.len() as u64}});
    assert_eq!(told[0], dropped);
    assert_eq!(kept.iter().map(number).collect::<Vec<_>>(), (last - 19..=last).collect::<Vec<_>>());
    let since = |number: u64| lines(&server, &format!("/v1/events?follow=false&since={number}"));
    assert_eq!(since(last - 20), kept, "nothing of it is missing");
    assert_eq!(since(last - 21)[0]["payload"], json!({"first_kept": last - 19, "count": 1}));
    let whole = lines(&server, &format!("/v1/jobs/{waits}/events?follow=false"));
    assert_eq!(
        whole[0]["payload"],
        json!({"from": null, "to": "pending"}),
        "a job that is alive lacks nothing"
    );
    let both = lines(&server, &format!("/v1/events?follow=false&job={},{waits}", over[0]));
    assert_eq!((&both[0], &both[1]), (&dropped, &whole[0]), "one of the two lacks something");
    let request = server.client().get(format!("{}/v1/events?follow=false&since=99", server.url()));
    let sse = reply(request.header("last-event-id", "0").bearer_auth(server.token()));
    let parts: Vec<&str> = sse.text.lines().take(4).collect();
    assert_eq!((parts[0], parts[2]), ("event: EVENTS_DROPPED", ""), "{parts:?}");
    assert_eq!(serde_json::from_str::<Value>(parts[1].strip_prefix("data: ").unwrap()).unwrap(), dropped);
    assert!(parts[3].starts_with("id: "), "{parts:?}");
    // The next server has the same, and lets the others go once their jobs are over.
    let server = server.killed().start();
    cancel(&server, &blocker);
    until(&server, &waits, "completed");
    wait_until("the first events are gone once their jobs are over", PATIENCE, || {
        number(&lines(&server, "/v1/events?follow=false")[1]) > last - 20
    });
    let mut cli = Cli::new(&["db", "check", "--json"]);
    cli.command.env("HARDPOINT_DATA_DIR", server.data());
    let report = cli.run().json();
    assert_eq!(report["ok"], true, "{report:#}");
    server.stop();
}
