//! The Python client against the real server.

use crate::support::{PATIENCE, Server, repository};
use hardpoint_testkit::wait_until;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

#[test]
fn a_python_program_calls_streams_and_cancels_and_is_told_of_failures_as_typed_exceptions() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let mut command = Command::new("python3");
    command.arg(repository().join("tests/clients/calls.py")).env("PYTHONPATH", repository().join("python"));
    command.env("HARDPOINT_SERVER", server.url()).env("HARDPOINT_TOKEN", server.token());
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let calls_in_flight = |count: u64| {
        let what = format!("{count} calls are in flight");
        wait_until(&what, PATIENCE, || server.health("well")["calls_in_flight"] == json!(count));
    };
    assert_eq!(said.next().as_deref(), Some("cancelled"));
    assert_eq!(said.next().as_deref(), Some("left alone"));
    // The stream that was closed runs no more; the one that was left alone does, until its client is closed.
    calls_in_flight(1);
    program.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(said.next().as_deref(), Some("closed"));
    assert_eq!(said.next().as_deref(), Some("waiting"));
    calls_in_flight(1);
    drop(server.killed());
    let lost = said.next().unwrap_or_default();
    assert!(lost.starts_with("lost: the host went away in the middle of a call"), "{lost}");
    assert!(program.wait().unwrap().success());
}
