//! The real binary, run as a user or a script runs it.

use super::{assert_nothing_left, shared_data, test_plugins};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// One command line to be.
pub(crate) struct Cli {
    pub(crate) command: Command,
}

/// What it printed and how it ended. Nothing of it was left behind: that has been checked.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cli {
    pub(crate) fn new(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardpoint"));
        command
            .args(args)
            .env("HARDPOINT_PLUGINS_DIR", test_plugins())
            .env("HARDPOINT_DATA_DIR", shared_data());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn plugins(mut self, dir: impl Into<PathBuf>) -> Self {
        self.command.env("HARDPOINT_PLUGINS_DIR", dir.into());
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.command.current_dir(dir.into());
        self
    }

    pub(crate) fn start(mut self) -> Child {
        self.command.spawn().unwrap()
    }

    pub(crate) fn run(self) -> Answer {
        Answer::of(self.start())
    }
}

impl Answer {
    /// Waits for the end, and checks that nothing is left.
    pub(crate) fn of(child: Child) -> Self {
        let host = child.id();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        assert_nothing_left(host);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// stdout as the one JSON document that it is.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e} in {:?}\n{}", self.stdout, self.stderr))
    }
}
