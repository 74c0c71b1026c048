//! What the tests share: the command line as a user runs it, workers as the host runs them, and what
//! either may leave behind.

mod cli;
mod host;
mod left;

pub(crate) use cli::{Answer, Cli};
pub(crate) use host::{TestHost, busy, request};
pub(crate) use left::Left;

use std::path::PathBuf;
use std::time::{Duration, Instant};

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

/// Waits for a condition; panics with `what` when it does not come true in time.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
