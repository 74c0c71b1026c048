//! What deadline and memory watch cost a call: work, not time, so that a busy machine changes nothing.

use crate::support::TestHost;
use hardpoint_process::{LaunchSpec, MemoryMode};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::time::Duration;

/// A tenth of a millisecond; a call pays for one measurement at most.
const PROCESSOR_TIME_MAX: Duration = Duration::from_micros(100);
const BATCHES: u32 = 20;
const BATCH: u32 = 25;

/// The processor time that this thread has used.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

async fn check(memory: MemoryMode) {
    let host = TestHost::with(memory);
    let spec = LaunchSpec {
        title: "hardpoint: guards (shim)".to_owned(),
        program: "/bin/sleep".into(),
        args: vec!["60".to_owned()],
        env: BTreeMap::new(),
        cwd: "/".into(),
        socket: None,
        memory_bytes_max: Some(1 << 30),
    };
    let mut tree = host.launcher.launch(spec).await.unwrap();
    // The best batch: interrupts of the machine are charged to whoever happens to run.
    let best = (0..BATCHES)
        .map(|_| {
            let before = used();
            for _ in 0..BATCH {
                assert!(std::hint::black_box(tree.memory().sample()).current_bytes > 0);
            }
            used().saturating_sub(before) / BATCH
        })
        .min()
        .unwrap();
    tree.end().await;
    assert!(best < PROCESSOR_TIME_MAX, "one measurement uses {best:?} of the processor");
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn the_memory_watch_costs_a_call_less_than_a_tenth_of_a_millisecond_of_work() {
    check(MemoryMode::detect()).await;
}

#[tokio::test]
async fn the_sampler_costs_a_call_less_than_a_tenth_of_a_millisecond_of_work() {
    check(MemoryMode::Sampler).await;
}
