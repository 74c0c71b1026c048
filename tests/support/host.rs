//! Workers as the host runs them: the supervisor on real processes, without the command line.

use super::{assert_nothing_left_soon, shared_data, test_plugins};
use hardpoint_model::plugin_config::{Layers, UnknownKeys};
use hardpoint_process::{Launcher, MemoryMode};
use hardpoint_supervisor::{
    Bounds, CallRequest, Grace, Program, Sdk, StartFailure, Worker, WorkerSpec, WorkerState,
};
use hardpoint_wire::{Payload, PluginRef};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// A launcher, an unpacked SDK and the machine's Python.
pub(crate) struct TestHost {
    pub(crate) launcher: Launcher,
    sdk: Sdk,
}

/// Rungs short enough for tests; the order is what matters.
pub(crate) const SHORT: Grace = Grace {
    cooperative: Duration::from_millis(200),
    interrupt: Duration::from_millis(200),
    terminate: Duration::from_millis(300),
};

impl TestHost {
    pub(crate) fn new() -> Self {
        Self::with(MemoryMode::detect())
    }

    pub(crate) fn with(memory: MemoryMode) -> Self {
        let data = shared_data();
        let shim = PathBuf::from(env!("CARGO_BIN_EXE_hardpoint"));
        let launcher = Launcher::new(shim, &data.join("scratch"), memory).unwrap();
        Self { launcher, sdk: Sdk::unpack(&data).unwrap() }
    }

    /// A worker of one of the test plugins, with short rungs.
    pub(crate) async fn worker(&self, plugin: &str) -> Worker {
        self.start(self.spec(plugin)).await.unwrap_or_else(|e| panic!("{plugin}: {e}"))
    }

    pub(crate) async fn start(&self, spec: WorkerSpec) -> Result<Worker, StartFailure> {
        Worker::start(spec, &self.launcher).await
    }

    pub(crate) fn spec(&self, plugin: &str) -> WorkerSpec {
        let dir = test_plugins().join(plugin);
        let entry = std::fs::read_to_string(dir.join("hardpoint.toml")).unwrap();
        let entry =
            entry.lines().find_map(|line| line.strip_prefix("entry = ")).unwrap().trim().trim_matches('"');
        WorkerSpec {
            program: Program::python(python(), &self.sdk),
            plugin: PluginRef {
                name: plugin.to_owned(),
                version: "1.0.0".to_owned(),
                entry: entry.to_owned(),
                dir: dir.to_str().unwrap().to_owned(),
                dialect: "native".to_owned(),
                instance: plugin.to_owned(),
                incarnation: 1,
                ..PluginRef::default()
            },
            env: std::collections::BTreeMap::new(),
            secrets: std::collections::BTreeMap::new(),
            config: Layers::default(),
            unknown_keys: UnknownKeys::default(),
            bounds: Bounds { grace: SHORT, ..Bounds::default() },
            output: hardpoint_supervisor::Captured::default(),
        }
    }

    /// After every worker has ended: nothing of this process's trees is left.
    pub(crate) fn assert_nothing_left() {
        assert_nothing_left_soon(std::process::id());
    }
}

/// A request with literal arguments.
pub(crate) fn request(tool: &str, args: Value) -> CallRequest {
    CallRequest::new(tool, payload(args))
}

pub(crate) fn payload(value: Value) -> Payload {
    Payload::literal(value)
}

/// The machine's real interpreter, not a shim of a version manager.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let asked =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim())
    })
}

/// Waits until a worker runs a call.
pub(crate) async fn busy(worker: &Worker) {
    let start = std::time::Instant::now();
    while worker.state() != WorkerState::Busy {
        assert!(start.elapsed() < Duration::from_secs(20), "it never ran the call");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
