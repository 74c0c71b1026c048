//! No worker outlives its host, and no grandchild outlives its worker, however the host ends.
//! The chaos command does this hundreds of times; here are the moments that matter, one by one.

use crate::support::{Answer, Cli, PATIENCE, assert_nothing_left_soon, shared_data};
use hardpoint_process::{MemoryMode, Process};
use hardpoint_testkit::{left_by_host, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::Child;

/// Starts the host with a call in flight, and waits for `moment` to come.
fn in_flight(args: &[&str], moment: impl Fn() -> bool) -> Child {
    let child = Cli::new(&[&["call"], args].concat()).start();
    wait_until("the moment came", PATIENCE, moment);
    child
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[test]
fn a_killed_host_takes_fifty_detached_descendants_along() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let pid_file = format!("pid_file={}", pids.display());
    let mut host = in_flight(&["fork_bomb", "spread", "ending=hang", &pid_file], || lines(&pids) == 50);
    host.kill().unwrap();
    host.wait().unwrap();
    assert_nothing_left_soon(host.id());
}

#[test]
fn a_killed_host_takes_a_loop_in_c_along() {
    let mut host = in_flight(&["c_loop", "spin"], || true);
    let id = host.id();
    wait_until("the worker runs", PATIENCE, || !left_by_host(id, &shared_data()).is_empty());
    host.kill().unwrap();
    host.wait().unwrap();
    assert_nothing_left_soon(id);
}

#[test]
fn ctrl_c_ends_everything_within_the_grace_time() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let pid_file = format!("pid_file={}", pids.display());
        let host = in_flight(&["fork_bomb", "spread", "ending=hang", &pid_file], || lines(&pids) == 50);
        kill(host.id(), signal);
        let answer = Answer::of(host);
        assert_eq!(answer.code, 130, "{}", answer.stderr);
    }
}

/// Whoever kills host and shim together leaves nobody who could clear up: the next host of the same data does.
#[test]
fn what_outlived_its_host_and_its_shim_is_ended_by_the_next_host() {
    let grouped = !matches!(MemoryMode::detect(), MemoryMode::Sampler);
    if !grouped {
        println!(
            "skipped: no control groups here, and nothing else tells of a process that cleared its environment"
        );
    }
    for bare in ["bare=false", "bare=true"].iter().take(1 + usize::from(grouped)) {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let pid_file = format!("pid_file={}", pids.display());
        let args = ["fork_bomb", "spread", "count=10", "ending=hang", &pid_file, bare];
        let mut host = in_flight(&args, || lines(&pids) == 10);
        let mut left: Vec<Process> =
            fs::read_to_string(&pids).unwrap().lines().map(|line| Process(line.parse().unwrap())).collect();
        let shims = Process(host.id()).children();
        // A host that is stopped notices nothing.
        kill(host.id(), Signal::STOP);
        for shim in shims {
            kill(shim.0, Signal::KILL);
        }
        host.kill().unwrap();
        host.wait().unwrap();
        Cli::new(&["call", "well", "echo", "text=next"]).run();
        assert_nothing_left_soon(host.id());
        left.retain(|process| process.is_alive());
        assert!(left.is_empty(), "{bare}: {left:?}");
    }
}

fn kill(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(process.cast_signed()).unwrap(), signal).unwrap();
}
