//! What every benchmark stands on: an interpreter, the unpacked SDK, a launcher, folders, runtimes.
//!
//! Owns the temporary data folder. Starts workers the way the host does, through the supervisor's API.

use anyhow::{Context as _, Result, bail};
use hardpoint_model::plugin_config::{Layers, UnknownKeys};
use hardpoint_process::{LaunchSpec, Launcher, MemoryMode};
use hardpoint_supervisor::{Bounds, CallOutput, CallRequest, Program, Sdk, Worker, WorkerSpec};
use hardpoint_wire::{Payload, PluginRef};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The smallest plugin there is: what a start costs when the plugin itself costs nothing.
const TRIVIAL: &str = "\
from hardpoint import Plugin, tool

class Trivial(Plugin):
    name = \"trivial\"
    version = \"1.0.0\"

    @tool
    def echo(self, text: str) -> str:
        return text
";

/// The scene of all benchmarks.
pub(crate) struct Stage {
    pub(crate) python: PathBuf,
    pub(crate) launcher: Launcher,
    sdk: Sdk,
    data: TempDir,
}

/// Which plugin a worker loads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plugin {
    /// tests/plugins/well
    Well,
    /// The one above.
    Trivial,
    /// One of benches/plugins/echoes.
    Echo { dialect: &'static str, entry: &'static str },
}

/// The kinds of tokio runtime that a host may live in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    CurrentThread,
    MultiThread,
}

impl Flavour {
    pub(crate) const ALL: [Self; 2] = [Self::CurrentThread, Self::MultiThread];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current_thread",
            Self::MultiThread => "multi_thread, 2 threads",
        }
    }

    /// Runs a task to its end, as a task of the runtime like those of a server.
    pub(crate) fn run<T, F>(self, task: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let runtime: Runtime = match self {
            Self::CurrentThread => Builder::new_current_thread().enable_all().build()?,
            Self::MultiThread => Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
        };
        runtime.block_on(async { tokio::spawn(task).await? })
    }
}

impl Stage {
    pub(crate) fn set_up() -> Result<Self> {
        let data = tempfile::Builder::new().prefix("hardpoint-bench-").tempdir()?;
        let trivial = data.path().join("trivial");
        fs::create_dir(&trivial)?;
        fs::write(trivial.join("plugin.py"), TRIVIAL)?;
        let sdk = Sdk::unpack(data.path())?;
        let launcher = launcher(&data, MemoryMode::detect())?;
        Ok(Self { python: interpreter()?, launcher, sdk, data })
    }

    /// A launcher for a machine without control groups.
    pub(crate) fn launcher_without_groups(&self) -> Result<Launcher> {
        launcher(&self.data, MemoryMode::Sampler)
    }

    /// The interpreter alone importing what every worker imports before it meets its plugin.
    pub(crate) fn python_with_worker_modules(&self) -> Command {
        let mut command = self.bare_python();
        command.args(["-s", "-X", "faulthandler", "-c", "import hardpoint._worker.start"]);
        command.env("PYTHONPATH", self.sdk.dir());
        command
    }

    /// The interpreter without anything of ours, with its arguments still to be given.
    pub(crate) fn bare_python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.stdin(Stdio::null());
        command
    }

    /// What it takes to start a worker; the future of [`Start::worker`] borrows nothing.
    pub(crate) fn start(&self, plugin: Plugin) -> Start {
        self.start_with(&self.python, plugin)
    }

    /// The same with another interpreter.
    pub(crate) fn start_with(&self, python: &Path, plugin: Plugin) -> Start {
        let (name, entry, dialect, dir) = match plugin {
            Plugin::Well => ("well", "plugin:WellPlugin", "native", root().join("tests/plugins/well")),
            Plugin::Trivial => ("trivial", "plugin:Trivial", "native", self.data.path().join("trivial")),
            Plugin::Echo { dialect, entry } => {
                ("echo", entry, dialect, root().join("benches/plugins/echoes"))
            }
        };
        let spec = WorkerSpec {
            program: Program::python(python, &self.sdk),
            plugin: PluginRef {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                entry: entry.to_owned(),
                dir: dir.to_string_lossy().into_owned(),
                dialect: dialect.to_owned(),
                instance: name.to_owned(),
                incarnation: 1,
                ..PluginRef::default()
            },
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            config: Layers::default(),
            unknown_keys: UnknownKeys::default(),
            bounds: Bounds::default(),
            output: hardpoint_supervisor::Captured::default(),
        };
        Start { spec, launcher: self.launcher.clone() }
    }

    /// A tree with just the interpreter in it, as the launcher sees it.
    pub(crate) fn bare_tree(&self, code: &str) -> LaunchSpec {
        LaunchSpec {
            title: "hardpoint: bench (shim)".to_owned(),
            program: self.python.clone(),
            args: vec!["-c".to_owned(), code.to_owned()],
            env: BTreeMap::new(),
            cwd: self.data.path().to_owned(),
            socket: None,
            memory_bytes_max: Some(1 << 30),
        }
    }
}

/// This very binary is its shim.
fn launcher(data: &TempDir, memory: MemoryMode) -> Result<Launcher> {
    let scratch = data.path().join("scratch").join(if memory == MemoryMode::Sampler { "s" } else { "g" });
    fs::create_dir_all(&scratch)?;
    Ok(Launcher::new("/proc/self/exe".into(), &scratch, memory)?)
}

/// A worker to be.
#[derive(Clone)]
pub(crate) struct Start {
    spec: WorkerSpec,
    launcher: Launcher,
}

impl Start {
    pub(crate) async fn worker(&self) -> Result<Worker> {
        Worker::start(self.spec.clone(), &self.launcher).await.context("the worker does not start")
    }
}

/// A call whose result is wanted and must come.
pub(crate) async fn call(worker: &Worker, request: CallRequest) -> Result<CallOutput> {
    match worker.call(request).await? {
        Ok(output) => Ok(output),
        Err(error) => bail!("the plugin says: {}: {}", error.error_type, error.message),
    }
}

/// `echo` with a text of that many bytes.
pub(crate) fn echo(text_bytes: usize) -> CallRequest {
    let text = Payload::literal(json!("x".repeat(text_bytes)));
    CallRequest::new("echo", Payload::object([("text".to_owned(), text)]))
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// The real interpreter behind whatever `python3` is, so that no wrapper is measured.
fn interpreter() -> Result<PathBuf> {
    let named = std::env::var_os("HARDPOINT_PYTHON").unwrap_or_else(|| "python3".into());
    let asked = Command::new(&named).args(["-c", "import sys; print(sys.executable)"]).output();
    let asked = asked.with_context(|| format!("cannot run `{}`", named.display()))?;
    let path = PathBuf::from(String::from_utf8(asked.stdout)?.trim());
    anyhow::ensure!(path.is_absolute(), "`{}` does not say where its interpreter is", named.display());
    Ok(path)
}
