//! The memory limit holds for the whole tree while a call runs, whoever enforces it, and the breach is
//! charged to the right plugin with measured figures.

use crate::support::{TestHost, request};
use hardpoint_model::ExitReason;
use hardpoint_process::MemoryMode;
use serde_json::json;

const LIMIT: u64 = 128 << 20;

async fn check(memory: MemoryMode, tool: &str) {
    let by_kernel = memory != MemoryMode::Sampler;
    let host = TestHost::with(memory);
    let mut spec = host.spec("memory_hog");
    spec.bounds.memory_bytes = LIMIT;
    let worker = host.start(spec).await.unwrap();
    let call = worker.call(request(tool, json!({"mb": 400, "hold_seconds": 60}))).await;
    match call {
        Err(lost) => assert_eq!(lost.to_job_error("memory_hog").error_type, "MemoryLimitExceeded"),
        // The kernel may end a child alone; the worker then still has the time to say so before it goes too.
        Ok(answer) => assert!(by_kernel && tool == "allocate_in_child", "{answer:?}"),
    }
    let exit = worker.exited().await;
    let ExitReason::MemoryLimit { limit_bytes, peak_bytes, .. } = exit.reason else { panic!("{exit}") };
    assert_eq!(limit_bytes, LIMIT);
    assert!(peak_bytes > LIMIT * 8 / 10, "measured only {peak_bytes} bytes");
    // The sampler reacts within 100 ms: the hog takes some hundred megabytes a second here.
    assert!(peak_bytes < 420 << 20, "measured {peak_bytes} bytes");
    TestHost::assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sampler_ends_a_worker_above_its_limit() {
    check(MemoryMode::Sampler, "allocate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sampler_counts_the_whole_tree() {
    check(MemoryMode::Sampler, "allocate_in_child").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_enforcer_of_this_machine_ends_a_worker_above_its_limit() {
    check(MemoryMode::detect(), "allocate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_enforcer_of_this_machine_counts_the_whole_tree() {
    check(MemoryMode::detect(), "allocate_in_child").await;
}

/// Says what this machine cannot show; the kernel's side of version 2 needs a delegated group.
#[test]
fn the_enforcer_of_this_machine_is_known() {
    match MemoryMode::detect() {
        MemoryMode::CgroupV2(path) => println!("cgroup v2 below {}", path.display()),
        MemoryMode::CgroupV1(path) => {
            println!("skipped: cgroup v2 is not delegated here; v1 below {}", path.display());
        }
        MemoryMode::Sampler => println!("skipped: no control group can be made here; the sampler is used"),
    }
}
