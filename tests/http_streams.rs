//! Calls as streams: items, progress and log lines as they come, and what ends them.

use crate::support::{PATIENCE, Server, Serving};
use futures_util::StreamExt as _;
use hardpoint_testkit::soon;
use serde_json::{Value, json};
use std::time::Instant;

const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

fn request(server: &Server, tool: &str, args: &Value, accept: &str) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/plugins/well/tools/{tool}/run", server.url());
    server
        .client()
        .post(url)
        .bearer_auth(server.token())
        .header("accept", accept)
        .json(&json!({"args": args}))
}

/// The whole stream as text, and its media type.
async fn read(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.text().await.unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_bring_items_in_order_and_the_result_last() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (status, kind, text) = read(request(&server, "count", &json!({"n": 2000}), LINES)).await;
    assert_eq!((status, kind.as_str()), (200, LINES));
    let events = lines(&text);
    let items: Vec<u64> =
        of_kind(&events, "item").iter().map(|event| event["item"].as_u64().unwrap()).collect();
    assert_eq!(items, (0..2000).collect::<Vec<u64>>());
    let numbers: Vec<u64> =
        of_kind(&events, "item").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, items);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["ok"], &last["result"]),
        (&json!("result"), &json!(true), &Value::Null)
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_log_lines_come_before_the_result() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (_, _, text) = read(request(&server, "progress", &json!({"n": 3}), LINES)).await;
    let events = lines(&text);
    let progress = of_kind(&events, "progress");
    let last = progress.last().unwrap();
    assert_eq!((&last["fraction"], &last["message"]), (&json!(1.0), &json!("step 3 of 3")), "{text}");
    assert_eq!(events.last().unwrap()["result"], 3);
    let (_, _, text) = read(request(&server, "log", &json!({"lines": 1}), LINES)).await;
    let events = lines(&text);
    let logged = of_kind(&events, "log");
    assert_eq!((&logged[0]["level"], &logged[0]["message"]), (&json!("info"), &json!("logged 0")), "{text}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_have_a_name_a_number_and_the_same_data() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (status, kind, text) = read(request(&server, "count", &json!({"n": 2}), EVENTS)).await;
    assert_eq!((status, kind.as_str()), (200, EVENTS));
    let events: Vec<&str> = text.trim_end().split("\n\n").collect();
    assert_eq!(events.len(), 3, "{text}");
    let parts: Vec<&str> = events[1].lines().collect();
    assert_eq!(parts[..2], ["event: item", "id: 1"], "{text}");
    let data: Value = serde_json::from_str(parts[2].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data, json!({"event": "item", "seq": 1, "item": 1}));
    assert!(events[2].starts_with("event: result\nid: 2\ndata: {"), "{text}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_has_its_status_and_one_that_fails_on_the_way_ends_with_its_error() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (status, kind, text) = read(request(&server, "count", &json!({"n": "x"}), LINES)).await;
    assert_eq!((status, kind.as_str()), (422, "application/problem+json"), "{text}");
    let (status, _, text) = read(request(&server, "count", &json!({"n": 5, "fail_at": 2}), LINES)).await;
    assert_eq!(status, 200);
    let events = lines(&text);
    assert_eq!(events.len(), 3, "{text}");
    let last = &events[2];
    assert_eq!((&last["event"], &last["ok"], &last["status"]), (&json!("error"), &json!(false), &json!(502)));
    assert_eq!((&last["error_type"], &last["code"]), (&json!("TransientError"), &json!("tool_failed")));
    assert_eq!(last["type"], "/problems/tool_failed");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_sent_when_it_is_there_and_not_at_the_end() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let response = request(&server, "count", &json!({"n": 100_000_000}), LINES).send().await.unwrap();
    let mut stream = response.bytes_stream();
    let first = stream.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"event\":\"item\",\"seq\":0,\"item\":0}\n"), "{first:?}");
    assert_eq!(server.health("well")["state"], "RUNNING");
    drop(stream);
    server.wait_for("well", "INITIALIZED");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_tool_and_costs_no_memory() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let before = resident(server.pid());
    let response = request(&server, "count", &json!({"n": 100_000_000}), LINES).send().await.unwrap();
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    // Whoever did not slow the tool down would hold a million items soon.
    let asked = Instant::now();
    let grew = soon(std::time::Duration::from_secs(2), || resident(server.pid()) > before + (64 << 20));
    assert!(!grew, "{} -> {} after {:?}", before, resident(server.pid()), asked.elapsed());
    drop(stream);
    server.wait_for("well", "INITIALIZED");
    server.stop();
}

/// Resident bytes of a process.
pub(crate) fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_cancels_the_call() {
    let server = Server::with(&["well"]);
    let pid = server.wait_for("well", "INITIALIZED")["pid"].clone();
    for accept in ["application/json", LINES, EVENTS] {
        let asked = tokio::spawn(request(&server, "nap", &json!({"seconds": 60}), accept).send());
        server.wait_for("well", "RUNNING");
        asked.abort();
        drop(asked.await);
        let health = server.wait_for("well", "INITIALIZED");
        assert_eq!((&health["pid"], &health["calls_in_flight"]), (&pid, &json!(0)), "{accept}: {health:#}");
        // The worker is free: the nap has ended, not only its caller's wait.
        let asked = Instant::now();
        let (status, _, text) = read(request(&server, "echo", &json!({"text": "a"}), "*/*")).await;
        assert_eq!(status, 200, "{text}");
        assert!(asked.elapsed() < PATIENCE, "{accept}: {:?}", asked.elapsed());
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_flight_is_finished_before_the_server_ends() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let response = request(&server, "nap", &json!({"seconds": 1.5}), LINES).send().await.unwrap();
    server.wait_for("well", "RUNNING");
    let reading = tokio::spawn(response.text());
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    let events = lines(&reading.await.unwrap().unwrap());
    assert_eq!(events.last().unwrap()["event"], "result", "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_says_goodbye_to_its_streams() {
    let server = Serving::of(&["well"]).config("stop: {drain_seconds: 0.5}\n").start();
    server.wait_for("well", "INITIALIZED");
    let response = request(&server, "nap", &json!({"seconds": 60}), LINES).send().await.unwrap();
    server.wait_for("well", "RUNNING");
    let reading = tokio::spawn(response.text());
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    let events = lines(&reading.await.unwrap().unwrap());
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&json!("error"), &json!("host_stopping")), "{last:#}");
}
