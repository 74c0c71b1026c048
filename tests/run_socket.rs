//! Calls over a WebSocket: the request is the first message, and what ends a call is the last one.

use crate::access::new_token;
use crate::http_streams::resident;
use crate::support::{PATIENCE, Said, Server, Socket, connect, next, opened, to_the_end};
use hardpoint_testkit::{soon, wait_until};
use serde_json::{Value, json};
use std::time::Duration;
use tungstenite::Message;

fn path(tool: &str) -> String {
    format!("/v1/plugins/well/tools/{tool}/run")
}

fn call(server: &Server, tool: &str, args: &Value) -> Socket {
    let mut socket = server.socket(&path(tool));
    socket.send(Message::text(json!({"args": args}).to_string())).unwrap();
    socket
}

fn ready() -> Server {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    server
}

#[test]
fn items_come_in_order_and_the_result_is_the_last_word() {
    let server = ready();
    let (said, code, _) = to_the_end(&mut call(&server, "count", &json!({"n": 2000})));
    let items: Vec<u64> = said.iter().filter_map(|event| event["item"].as_u64()).collect();
    assert_eq!(items, (0..2000).collect::<Vec<_>>());
    let last = said.last().unwrap();
    assert_eq!((&last["event"], &last["ok"], code), (&json!("result"), &json!(true), 1000));
    let (said, _, _) = to_the_end(&mut call(&server, "echo_bytes", &json!({"data": {"$bytes": "AAEC"}})));
    assert_eq!(said.last().unwrap()["result"], json!({"$bytes": "AAEC"}));
    server.stop();
}

#[test]
fn whatever_goes_wrong_is_told_as_a_typed_error_at_the_end() {
    let server = ready();
    let last = |tool: &str, request: &str| {
        let mut socket = server.socket(&path(tool));
        socket.send(Message::text(request)).unwrap();
        let (said, code, _) = to_the_end(&mut socket);
        (said.last().unwrap().clone(), said.len(), code)
    };
    let (failed, count, code) = last("count", r#"{"args": {"n": 5, "fail_at": 2}}"#);
    assert_eq!((&failed["event"], &failed["error_type"]), (&json!("error"), &json!("TransientError")));
    assert_eq!((count, code), (3, 1000));
    for (tool, request, code, status) in [
        ("count", r#"{"args": {"n": "x"}}"#, "arguments_invalid", 422),
        ("nothing", r#"{"args": {}}"#, "tool_not_found", 400),
        ("count", r#"{"args": "#, "bad_json", 422),
        ("count", "[]", "bad_body", 422),
    ] {
        let (refused, count, closed) = last(tool, request);
        assert_eq!((count, closed), (1, 1000), "{refused:#}");
        assert_eq!((&refused["code"], &refused["status"]), (&json!(code), &json!(status)), "{refused:#}");
    }
    server.stop();
}

#[test]
fn a_client_that_goes_away_or_says_more_cancels_the_call() {
    let server = ready();
    let idle = || server.wait_for("well", "INITIALIZED");
    let pid = idle()["pid"].clone();
    let socket = call(&server, "nap", &json!({"seconds": 60}));
    server.wait_for("well", "RUNNING");
    drop(socket);
    assert_eq!(idle()["pid"], pid);
    let mut socket = call(&server, "nap", &json!({"seconds": 60}));
    server.wait_for("well", "RUNNING");
    socket.send(Message::text("more")).unwrap();
    assert!(matches!(next(&mut socket), Said::Closed(1003, _)));
    assert_eq!(idle()["pid"], pid);
    server.stop();
}

#[test]
fn a_slow_client_slows_the_tool_and_costs_no_memory() {
    let server = ready();
    let before = resident(server.pid());
    let mut socket = call(&server, "count", &json!({"n": 100_000_000}));
    assert!(matches!(next(&mut socket), Said::Document(_)));
    let grew = soon(Duration::from_secs(2), || resident(server.pid()) > before + (64 << 20));
    assert!(!grew, "{before} -> {}", resident(server.pid()));
    drop(socket);
    server.wait_for("well", "INITIALIZED");
    server.stop();
}

#[test]
fn a_plain_get_runs_nothing_and_reading_is_not_enough() {
    let server = ready();
    let reply = server.get(&path("echo"));
    assert_eq!((reply.status, &reply.json()["code"]), (405, &json!("method_not_allowed")));
    let bearer = format!("Bearer {}", new_token(&server.data(), "reader", "read"));
    let mut refused = None;
    wait_until("the new token is known", PATIENCE, || {
        let fields = [("authorization", bearer.as_str())];
        refused = opened(&server, connect(&server), &path("echo"), &fields).err();
        refused.as_ref().is_none_or(|(_, problem)| problem["code"] != "token_unknown")
    });
    let (status, problem) = refused.unwrap();
    assert_eq!((status, &problem["code"]), (403, &json!("scope_missing")));
    server.stop();
}
