//! Calls: matched by id, bounded in time, checked before they are sent, with binary values as they are.

use crate::support::{TestHost, busy, request};
use hardpoint_model::ExitReason;
use hardpoint_supervisor::{CallRequest, Timeout, WorkerState};
use hardpoint_wire::{Blob, Payload};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STOP: Duration = Duration::from_secs(5);

fn with_blob(tool: &str, name: &str, bytes: Vec<u8>) -> CallRequest {
    let blob = Payload::blob(Blob::new(bytes.into()).unwrap());
    CallRequest::new(tool, Payload::object([(name.to_owned(), blob)]))
}

#[tokio::test]
async fn a_hundred_calls_in_flight_each_get_their_own_answer() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let calls = (0..100).map(|n| {
        let worker = worker.clone();
        tokio::spawn(async move { (n, worker.call(request("echo", json!({"text": n.to_string()}))).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (n, answer) = call.await.unwrap();
        assert_eq!(answer.unwrap().unwrap().result.value, json!(n.to_string()));
    }
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn wrong_arguments_are_refused_all_at_once_and_cost_the_worker_nothing() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let check = async |tool: &str, args: Value, error_type: &str, words: &[&str]| {
        let error = worker.call(request(tool, args)).await.unwrap().unwrap_err();
        assert_eq!(error.error_type, error_type, "{error}");
        for word in words {
            assert!(error.message.contains(word), "`{word}` is not in: {}", error.message);
        }
    };
    check("sing", json!({}), "ToolNotFound", &["`well`", "`sing`", "`echo`"]).await;
    check("echo", json!({}), "InputError", &["`text` is required"]).await;
    check(
        "echo",
        json!({"text": 1, "times": "x", "tims": 2}),
        "InputError",
        &["`text`", "`times`", "`tims`"],
    )
    .await;
    check("echo_bytes", json!({"data": "text"}), "InputError", &["`data`"]).await;
    assert_eq!(worker.state(), WorkerState::Ready);
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn bytes_of_every_size_come_back_as_they_went() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    for size in [0, 1, 65_535, 65_536, 65_537, 10_000_000, 100_000_000] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
        let answer = worker.call(with_blob("echo_bytes", "data", bytes.clone())).await.unwrap().unwrap();
        let back = answer.result.as_blob().expect("a blob").to_bytes().unwrap();
        assert!(back == bytes, "{size} bytes came back changed");
        let seen = worker.call(with_blob("view_bytes", "data", bytes)).await.unwrap().unwrap();
        assert_eq!(seen.result.value, json!(size));
    }
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_large_result_goes_to_the_next_worker_without_a_copy() {
    let host = TestHost::new();
    let (one, two) = tokio::join!(host.worker("well"), host.worker("well"));
    let big = one.call(request("big", json!({"n_bytes": 5_000_000}))).await.unwrap().unwrap().result;
    let blob = big.as_blob().unwrap().clone();
    assert!(matches!(blob, Blob::Shared(_)), "a large result is a memory file");
    one.stop(STOP).await;
    let args = Payload::object([("data".to_owned(), Payload::blob(blob))]);
    let seen = two.call(CallRequest::new("view_bytes", args)).await.unwrap().unwrap();
    assert_eq!(seen.result.value, json!(5_000_000), "it outlives the worker that made it");
    two.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn values_that_look_like_markers_are_passed_literally() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    for value in
        [json!({"$blob": 0}), json!({"$value": {"$blob": 1}}), json!([{"$blob": "x"}]), json!({"": null})]
    {
        let answer =
            worker.call(request("echo_value", json!({"value": value.clone()}))).await.unwrap().unwrap();
        assert_eq!(answer.result.into_document::<()>(&mut |_| Err(())), Ok(value));
    }
    worker.stop(STOP).await;
}

#[tokio::test]
async fn a_sleeping_tool_is_interrupted_at_its_deadline_and_the_worker_lives_on() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    for (tool, seconds) in [("sleep", 60), ("nap", 60), ("async_sleep", 60)] {
        let mut call = request(tool, json!({"seconds": seconds}));
        call.timeout = Timeout::Exactly(Duration::from_millis(200));
        let asked = Instant::now();
        let error = worker.call(call).await.unwrap().unwrap_err();
        assert_eq!(error.error_type, "TimeoutError", "{tool}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{tool} answered after {:?}", asked.elapsed());
        let alive = worker.call(request("echo", json!({"text": "here"}))).await.unwrap().unwrap();
        assert_eq!(alive.result.value, json!("here"), "after {tool}");
    }
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn timeouts_come_from_the_request_then_the_tool_then_the_plugin() {
    let host = TestHost::new();
    let mut spec = host.spec("well");
    spec.bounds.call = Duration::from_millis(150);
    spec.bounds.tools.insert("nap".to_owned(), Duration::from_millis(250));
    let worker = host.start(spec).await.unwrap();
    let check = async |tool: &str, timeout: Option<u64>, expected: &str| {
        let mut call = request(tool, json!({"seconds": 30}));
        call.timeout = timeout.map(Duration::from_millis).into();
        let error = worker.call(call).await.unwrap().unwrap_err();
        assert!(error.message.contains(expected), "{}", error.message);
    };
    check("sleep", None, "timeout of 0.15 s").await;
    check("nap", None, "timeout of 0.25 s").await;
    check("nap", Some(50), "timeout of 0.05 s").await;
    worker.stop(STOP).await;
}

#[tokio::test]
async fn a_call_that_waits_behind_another_times_out_alone() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let first = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(request("nap", json!({"seconds": 1.5}))).await }
    });
    let mut waiting = request("echo", json!({"text": "x"}));
    waiting.timeout = Timeout::Exactly(Duration::from_millis(100));
    busy(&worker).await;
    let error = worker.call(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.error_type, "TimeoutError");
    assert_eq!(
        first.await.unwrap().unwrap().unwrap().result.value,
        json!(1.5),
        "the running call was left alone"
    );
    worker.stop(STOP).await;
}

#[tokio::test]
async fn a_stuck_call_takes_its_worker_along_and_says_so() {
    let host = TestHost::new();
    let worker = host.worker("c_loop").await;
    let mut call = request("spin", json!({}));
    call.timeout = Timeout::Exactly(Duration::from_millis(200));
    let lost = worker.call(call).await.unwrap_err();
    assert!(lost.culprit);
    assert_eq!(lost.exit.reason, ExitReason::Deadline { tool: "spin".to_owned(), timeout_ms: 200 });
    assert_eq!(lost.to_job_error("c_loop").error_type, "TimeoutError");
    let after = worker.call(request("spin", json!({}))).await.unwrap_err();
    assert_eq!(after.exit, lost.exit, "every later call hears of the same end");
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_worker_answers_pings_while_its_tool_runs() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let busy = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(request("sleep", json!({"seconds": 1.0}))).await }
    });
    let mut seen_busy = false;
    while !busy.is_finished() {
        let pong = worker.ping(Duration::from_secs(2)).await.expect("an answer while the tool runs");
        seen_busy |= pong.main_thread_busy_ms.is_some();
        tokio::task::yield_now().await;
    }
    assert!(seen_busy, "the pong says how long the call has run");
    worker.stop(STOP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_goes_on_arriving_is_waited_for_however_long_all_of_it_takes() {
    let host = TestHost::new();
    let mut spec = host.spec("well");
    let script = crate::support::repository().join("tests/clients/slow_worker.py");
    spec.program.args = vec![script.to_str().unwrap().to_owned()];
    let worker = host.start(spec).await.unwrap_or_else(|e| panic!("{e}"));
    let began = Instant::now();
    let output = worker.call(request("slow", json!({}))).await.unwrap().unwrap();
    assert_eq!(output.result.value.as_str().unwrap().len(), 7000);
    assert!(began.elapsed() > hardpoint_supervisor::limits::FRAME_STALL_MAX, "it was not slow enough");
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
}
