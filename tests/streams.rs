//! Streams: every item in order, no more in flight than the caller has room for, a typed error at the end.

use crate::support::{TestHost, request};
use hardpoint_supervisor::{CallEvent, Note};
use serde_json::json;
use std::time::Duration;

const STOP: Duration = Duration::from_secs(5);

#[tokio::test]
async fn ten_thousand_items_come_in_order_to_a_slow_caller() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let mut call = worker.begin(request("count", json!({"n": 10_000}))).await.unwrap();
    let mut next = 0;
    let end = loop {
        match call.next().await {
            CallEvent::Item(item) => {
                assert_eq!(item.value, json!(next));
                next += 1;
                if next % 1000 == 0 {
                    // The caller is busy elsewhere; meanwhile nothing may pile up or be lost.
                    assert!(worker.ping(Duration::from_secs(5)).await.is_some());
                }
            }
            CallEvent::Note(_) => {}
            CallEvent::End(end) => break end,
        }
    };
    assert_eq!(next, 10_000);
    assert_eq!(end.unwrap().unwrap().items, 10_000);
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_its_typed_error() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let mut call = worker.begin(request("count", json!({"n": 10, "fail_at": 5}))).await.unwrap();
    let mut items = 0;
    let error = loop {
        match call.next().await {
            CallEvent::Item(_) => items += 1,
            CallEvent::Note(_) => {}
            CallEvent::End(end) => break end.unwrap().unwrap_err(),
        }
    };
    assert_eq!((items, error.error_type.as_str(), error.retriable), (5, "TransientError", true));
    worker.stop(STOP).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_stream_and_keeps_the_worker() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let mut call = worker.begin(request("count", json!({"n": 1_000_000_000}))).await.unwrap();
    assert!(matches!(call.next().await, CallEvent::Item(_)));
    drop(call);
    let answer = worker.call(request("echo", json!({"text": "free again"}))).await.unwrap().unwrap();
    assert_eq!(answer.result.value, json!("free again"));
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn the_last_progress_is_never_lost_and_logs_arrive() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let mut call = worker.begin(request("progress", json!({"n": 500}))).await.unwrap();
    let mut last = None;
    loop {
        let event = call.next().await;
        match event {
            CallEvent::Note(Note::Progress(progress)) => last = Some(progress),
            CallEvent::End(_) => break,
            CallEvent::Note(_) | CallEvent::Item(_) => {}
        }
    }
    let last = last.expect("some progress");
    assert_eq!((last.fraction, last.message.as_str()), (Some(1.0), "step 500 of 500"));
    let mut call = worker.begin(request("log", json!({"lines": 3}))).await.unwrap();
    let mut logged = Vec::new();
    loop {
        let event = call.next().await;
        match event {
            CallEvent::Note(Note::Log(log)) => logged.push(log.message),
            CallEvent::End(_) => break,
            CallEvent::Note(_) | CallEvent::Item(_) => {}
        }
    }
    assert_eq!(logged, ["logged 0", "logged 1", "logged 2"]);
    worker.stop(STOP).await;
    let printed: Vec<String> = worker.output().tail(100).iter().map(|line| line.text.clone()).collect();
    for line in ["printed 0", "printed 1", "printed 2"] {
        assert!(printed.iter().any(|text| text == line), "{printed:?}");
    }
}
