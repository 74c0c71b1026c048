//! From start to stop: nothing is left after any number of lives, and stopping is orderly.

use crate::support::{TestHost, busy, request};
use hardpoint_model::ExitReason;
use hardpoint_process::{Launcher, MemoryMode, Process};
use hardpoint_supervisor::Hook;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const STOP: Duration = Duration::from_secs(5);

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn zombies() -> usize {
    Process::own().children().into_iter().filter(|child| !child.is_alive()).count()
}

#[tokio::test]
async fn fifty_lives_leave_no_zombie_no_orphan_and_no_descriptor() {
    let host = TestHost::new();
    let life = async |kill: bool| {
        let worker = host.worker("well").await;
        worker.call(request("echo", json!({"text": "x"}))).await.unwrap().unwrap();
        if kill {
            worker.kill().await
        } else {
            worker.stop(STOP).await
        };
    };
    life(false).await;
    let before = descriptors();
    for n in 0..50 {
        life(n % 2 == 0).await;
    }
    assert_eq!(descriptors(), before);
    assert_eq!(zombies(), 0);
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_stop_lets_the_call_in_flight_finish() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let call = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(request("nap", json!({"seconds": 0.5}))).await }
    });
    busy(&worker).await;
    let exit = worker.stop(STOP).await;
    assert_eq!(exit.reason, ExitReason::OwnStop);
    assert_eq!(call.await.unwrap().unwrap().unwrap().result.value, json!(0.5));
}

#[tokio::test]
async fn stops_are_idempotent_and_end_a_stuck_worker_in_time() {
    let host = TestHost::new();
    let worker = host.worker("c_loop").await;
    let stuck = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(request("spin", json!({}))).await }
    });
    busy(&worker).await;
    let asked = Instant::now();
    let grace = Duration::from_millis(800);
    let (one, two) = tokio::join!(worker.stop(grace), worker.stop(grace));
    assert_eq!((&one, &one.reason), (&two, &ExitReason::OwnStop));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(stuck.await.unwrap().is_err(), "its caller hears of the loss");
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_worker() {
    let host = TestHost::new();
    drop(host.worker("well").await);
    host.launcher.all_gone().await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn giving_up_a_start_half_way_ends_what_was_started() {
    let host = TestHost::new();
    let start = host.start(host.spec("hang_at_import"));
    assert!(tokio::time::timeout(Duration::from_millis(300), start).await.is_err(), "it hangs at import");
    host.launcher.all_gone().await;
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_killed_shim_takes_its_whole_tree_along() {
    let host = TestHost::new();
    let worker = host.worker("fork_bomb").await;
    worker.call(request("spread", json!({"count": 10}))).await.unwrap().unwrap();
    let shims = Process::own().children();
    assert_eq!(shims.len(), 1, "one tree, one shim");
    let shim = rustix::process::Pid::from_raw(shims[0].0.cast_signed()).unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    let exit = worker.exited().await;
    assert_eq!(exit.reason, ExitReason::ShimLost);
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn a_worker_killed_from_outside_is_noticed_and_named() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let pid = rustix::process::Pid::from_raw(worker.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let exit = worker.exited().await;
    assert_eq!(exit.reason, ExitReason::Signal { signal: 9, name: "SIGKILL".to_owned() });
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn hooks_run_in_the_worker_and_a_failing_one_is_an_error() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    for hook in [Hook::Prefetch, Hook::Disable, Hook::Enable, Hook::ConfigOptions] {
        worker.hook(hook.clone()).await.unwrap().unwrap_or_else(|e| panic!("{hook:?}: {e}"));
    }
    let new = json!({"colour": "blue"});
    worker.hook(Hook::Reconfigure { old: json!({}), new: new.clone() }).await.unwrap().unwrap();
    let seen = worker.call(request("config", json!({}))).await.unwrap().unwrap();
    assert_eq!(seen.result.value, new);
    worker.stop(STOP).await;
}

#[tokio::test]
async fn a_pipe_that_somebody_outside_holds_is_told_as_a_leak() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let stdout = format!("/proc/{}/fd/1", worker.pid());
    let held = std::fs::File::options().write(true).open(stdout).unwrap();
    let exit = worker.stop(STOP).await;
    assert!(exit.output_leaked, "{exit:?}");
    drop(held);
    let exit = host.worker("well").await.stop(STOP).await;
    assert!(!exit.output_leaked, "{exit:?}");
}

#[tokio::test]
async fn what_a_killed_host_and_its_killed_shim_left_is_swept_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let scratch = data.path().join("scratch");
    let launcher =
        || Launcher::new(env!("CARGO_BIN_EXE_hardpoint").into(), &scratch, MemoryMode::detect()).unwrap();
    let living = launcher();
    let lock = std::fs::read_dir(&scratch).unwrap().next().unwrap().unwrap().path();
    let alive = scratch.join(format!("{}-0", lock.file_stem().unwrap().display()));
    // Its number may belong to somebody else by now: here to this very process.
    let dead = scratch.join(format!("{}-1-0-0", std::process::id()));
    let strange = scratch.join("not-ours");
    std::fs::write(scratch.join(format!("{}-1-0.lock", std::process::id())), "").unwrap();
    for folder in [&dead, &alive, &strange] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("file"), "left behind").unwrap();
    }
    drop(launcher());
    let left = std::fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().path());
    let (left, expected) = (left.collect::<BTreeSet<_>>(), BTreeSet::from([lock, alive, strange]));
    assert_eq!(left, expected);
    drop(living);
}

#[tokio::test]
async fn a_stopped_shim_is_woken_to_end_its_tree() {
    let host = TestHost::new();
    let worker = host.worker("fork_bomb").await;
    worker.call(request("spread", json!({"count": 5}))).await.unwrap().unwrap();
    let shim = Process::own().children()[0].0.cast_signed();
    let shim = rustix::process::Pid::from_raw(shim).unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::STOP).unwrap();
    let asked = Instant::now();
    assert_eq!(worker.kill().await.reason, ExitReason::OwnStop);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    TestHost::assert_nothing_left();
}

#[tokio::test]
async fn giving_up_a_launch_at_any_moment_leaves_no_grandchild() {
    let host = TestHost::new();
    let mut spec = host.spec("well");
    // A program that forks at once, before the host can have heard that it runs.
    spec.program.path = "/bin/sh".into();
    spec.program.args = vec!["-c".to_owned(), "sleep 300 & sleep 300 & wait".to_owned()];
    for ms in 0..40 {
        let start = host.start(spec.clone());
        assert!(tokio::time::timeout(Duration::from_millis(ms), start).await.is_err(), "it never gets ready");
    }
    host.launcher.all_gone().await;
    TestHost::assert_nothing_left();
}
