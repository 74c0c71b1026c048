//! The workers that chaos runs: test plugins, with the interpreter of this machine.
//!
//! Owns the way from a plugin's name to a started worker. Must not know when anything is killed.

use anyhow::{Context as _, Result};
use hardpoint_model::plugin_config::{Layers, UnknownKeys};
use hardpoint_process::{Launcher, MemoryMode};
use hardpoint_supervisor::{Bounds, CallRequest, Program, Sdk, Worker, WorkerSpec};
use hardpoint_wire::{Payload, PluginRef};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The variable by which a host that is started again and again need not look for the interpreter.
const PYTHON_VARIABLE: &str = "HARDPOINT_CHAOS_PYTHON";
/// Calls are ended by whoever kills, not by their timeout.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// Memory of one worker; no plugin used here needs a tenth of it.
const MEMORY_BYTES: u64 = 512 << 20;

/// What workers are started with.
pub(crate) struct Load {
    pub(crate) launcher: Launcher,
    sdk: Sdk,
    python: PathBuf,
}

impl Load {
    /// A host below `data`: launcher, unpacked package, interpreter.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let sdk = Sdk::unpack(data)?;
        let launcher = Launcher::new("/proc/self/exe".into(), &data.join("scratch"), MemoryMode::detect())?;
        Ok(Self { launcher, sdk, python: python()?.clone() })
    }

    pub(crate) async fn start(&self, plugin: &str) -> Result<Worker> {
        let started = Worker::start(self.spec(plugin)?, &self.launcher).await;
        started.map_err(|failure| anyhow::anyhow!("{plugin} did not start: {:?}", failure.error))
    }

    fn spec(&self, plugin: &str) -> Result<WorkerSpec> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plugins").join(plugin);
        let file = dir.join("hardpoint.toml");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let manifest = hardpoint_model::Manifest::parse(&text, "hardpoint.toml")
            .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        Ok(WorkerSpec {
            program: Program::python(&self.python, &self.sdk),
            plugin: PluginRef {
                name: plugin.to_owned(),
                version: manifest.version,
                entry: manifest.entry,
                dir: dir.to_string_lossy().into_owned(),
                dialect: manifest.dialect,
                instance: plugin.to_owned(),
                incarnation: 1,
                ..PluginRef::default()
            },
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            config: Layers::default(),
            unknown_keys: UnknownKeys::default(),
            bounds: Bounds { call: CALL_TIMEOUT, memory_bytes: MEMORY_BYTES, ..Bounds::default() },
            output: hardpoint_supervisor::Captured::default(),
        })
    }
}

/// A call with literal arguments.
pub(crate) fn request(tool: &str, args: Value) -> CallRequest {
    CallRequest::new(tool, Payload::literal(args))
}

/// Hands the interpreter on to a host.
pub(crate) fn hand_on(command: &mut Command) -> Result<()> {
    command.env(PYTHON_VARIABLE, python()?);
    Ok(())
}

/// The real interpreter, not a shim of a version manager.
fn python() -> Result<&'static PathBuf> {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = PYTHON.get() {
        return Ok(known);
    }
    if let Some(handed) = std::env::var_os(PYTHON_VARIABLE) {
        return Ok(PYTHON.get_or_init(|| handed.into()));
    }
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let asked = asked.context("`python3` cannot be started")?;
    let path = String::from_utf8(asked.stdout).context("`python3` has no readable path")?;
    Ok(PYTHON.get_or_init(|| path.trim().into()))
}
