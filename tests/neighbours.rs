//! While one plugin does its worst, another one keeps answering, on the same host.

use crate::support::{TestHost, request};
use hardpoint_supervisor::{Timeout, Worker};
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest that a neighbour's call may take on a busy machine of two cores.
const ANSWER_MAX: Duration = Duration::from_secs(5);

async fn check(plugin: &str, tool: &str, args: serde_json::Value) {
    let host = TestHost::new();
    let (bad, well) = tokio::join!(host.worker(plugin), host.worker("well"));
    let mut call = request(tool, args);
    call.timeout = Timeout::Exactly(Duration::from_millis(700));
    let trouble = tokio::spawn({
        let bad = bad.clone();
        async move { bad.call(call).await }
    });
    let mut answers = 0;
    while !trouble.is_finished() || answers < 3 {
        let asked = Instant::now();
        let answer = well.call(request("echo", json!({"text": "here"}))).await;
        let answer = answer.expect("the neighbour's worker lives").expect("the neighbour answers");
        assert_eq!(answer.result.value, json!("here"));
        assert!(asked.elapsed() < ANSWER_MAX, "the neighbour took {:?}", asked.elapsed());
        answers += 1;
        tokio::task::yield_now().await;
    }
    let stop = |worker: Worker| async move { worker.stop(Duration::from_secs(2)).await };
    tokio::join!(stop(bad), stop(well));
    TestHost::assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_during_an_endless_loop_in_c() {
    check("c_loop", "spin", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_during_a_segmentation_fault() {
    check("segfault", "crash", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_during_a_fork_bomb() {
    check("fork_bomb", "spread", json!({"ending": "hang"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_during_a_flood_of_output() {
    check("floods_stdout", "flood", json!({"megabytes": 20})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_during_a_flood_of_messages() {
    check("half_frame", "message_flood", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_answers_while_memory_runs_out_next_door() {
    check("memory_hog", "allocate", json!({"mb": 1200, "hold_seconds": 20})).await;
}
