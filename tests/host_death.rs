//! No worker outlives its host, and no grandchild outlives its worker, however the host ends.
//! The chaos command does this hundreds of times; here are the moments that matter, one by one.

use crate::support::{Answer, Cli, PATIENCE, assert_nothing_left_soon, shared_data};
use hardpoint_testkit::{left_by_host, wait_until};
use std::path::Path;
use std::process::Child;

/// Starts the host with a call in flight, and waits for `moment` to come.
fn in_flight(args: &[&str], moment: impl Fn() -> bool) -> Child {
    let child = Cli::new(&[&["call"], args].concat()).start();
    wait_until("the moment came", PATIENCE, moment);
    child
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
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
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let pid_file = format!("pid_file={}", pids.display());
        let host = in_flight(&["fork_bomb", "spread", "ending=hang", &pid_file], || lines(&pids) == 50);
        let pid = rustix::process::Pid::from_child(&host);
        rustix::process::kill_process(pid, signal).unwrap();
        let answer = Answer::of(host);
        assert_eq!(answer.code, 130, "{}", answer.stderr);
    }
}
