//! What the tests share: the command line as a user runs it, servers, workers as the host runs them, and
//! what each of them may leave behind.

mod cli;
mod descriptors;
mod disk;
mod environment;
mod host;
mod server;
mod socket;

pub(crate) use cli::{Answer, Cli};
pub(crate) use descriptors::Closed;
pub(crate) use disk::Disk;
pub(crate) use environment::{Environment, newer_python};
pub(crate) use host::{TestHost, busy, request};
pub(crate) use server::{Reply, Server, Serving, reply, run_tool, try_reply};
pub(crate) use socket::{Said, Socket, connect, next, opened, request_socket, to_the_end};

use hardpoint_testkit::{left_by_host, soon};
use std::path::PathBuf;
use std::time::Duration;

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The misbehaving plugins, and the well-behaved one that they are measured against.
pub(crate) fn test_plugins() -> PathBuf {
    repository().join("tests/plugins")
}

/// Data that all tests of this build share, so that environments are built once.
pub(crate) fn shared_data() -> PathBuf {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("data");
    std::fs::create_dir_all(&data).unwrap();
    data
}

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long after the death of a host the last trace of its workers may be there.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Nothing is left of a host that has ended in order.
#[track_caller]
pub(crate) fn assert_nothing_left(host: u32) {
    let left = left_by_host(host, &shared_data());
    assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
}

/// Nothing is left soon after a host was killed.
#[track_caller]
pub(crate) fn assert_nothing_left_soon(host: u32) {
    soon(AFTERMATH, || left_by_host(host, &shared_data()).is_empty());
    assert_nothing_left(host);
}
