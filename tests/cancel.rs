//! Cancelling always works, and costs no more than it must.

use crate::support::{TestHost, request};
use hardpoint_model::ExitReason;
use hardpoint_supervisor::{CallEvent, Note};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STOP: Duration = Duration::from_secs(5);

/// Cancels a call once it has begun, and says how it ended and after how long.
async fn cancelled(plugin: &str, tool: &str, args: Value) -> (Result<String, ExitReason>, Duration) {
    let host = TestHost::new();
    let worker = host.worker(plugin).await;
    let mut call = worker.begin(request(tool, args)).await.unwrap();
    // A second call waits behind the first one, so that the first one is running when it waits.
    assert!(worker.ping(Duration::from_millis(300)).await.is_some() || plugin == "c_loop");
    let asked = Instant::now();
    call.cancel().await;
    let end = loop {
        match call.next().await {
            CallEvent::End(end) => break end,
            CallEvent::Note(Note::Progress(_) | Note::Log(_) | Note::Usage(_)) | CallEvent::Item(_) => {}
        }
    };
    let time = asked.elapsed();
    let how = match end {
        Ok(Ok(output)) => panic!("it finished: {output:?}"),
        Ok(Err(error)) => Ok(error.error_type),
        Err(lost) => Err(lost.exit.reason.clone()),
    };
    worker.stop(STOP).await;
    TestHost::assert_nothing_left();
    (how, time)
}

#[tokio::test]
async fn a_tool_that_looks_is_cancelled_and_its_worker_lives() {
    assert_eq!(cancelled("well", "nap", json!({"seconds": 60})).await.0, Ok("Cancelled".to_owned()));
}

#[tokio::test]
async fn a_sleeping_tool_is_interrupted_and_its_worker_lives() {
    assert_eq!(cancelled("well", "sleep", json!({"seconds": 60})).await.0, Ok("Cancelled".to_owned()));
}

#[tokio::test]
async fn a_coroutine_is_cancelled_and_its_worker_lives() {
    assert_eq!(cancelled("well", "async_sleep", json!({"seconds": 60})).await.0, Ok("Cancelled".to_owned()));
}

#[tokio::test]
async fn an_endless_loop_in_python_is_interrupted_and_its_worker_lives() {
    assert_eq!(cancelled("py_loop", "spin", json!({})).await.0, Ok("Cancelled".to_owned()));
}

#[tokio::test]
async fn an_endless_loop_in_c_takes_its_worker_along_within_the_ladder() {
    let (how, took) = cancelled("c_loop", "spin", json!({})).await;
    assert_eq!(how, Err(ExitReason::Cancelled { tool: "spin".to_owned() }));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_tool_that_ignores_sigterm_is_killed_at_the_top_of_the_ladder() {
    let how = cancelled("ignores_sigterm", "hang", json!({})).await.0;
    assert_eq!(how, Err(ExitReason::Cancelled { tool: "hang".to_owned() }));
}
