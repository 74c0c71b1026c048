//! From a plugin's name to a running worker.
//!
//! Owns the launcher, the unpacked SDK and the environments of one command, and every worker it started.
//! Workers are told to end with [`Host::stop`]; dropping the host ends them too.

use super::catalog::{Catalog, Listed, read_bounded};
use super::{Failure, Places};
use hardpoint_env::{EnvEvent, EnvRequest, EnvStore};
use hardpoint_model::{Diagnostics, Manifest, limits};
use hardpoint_process::{Launcher, MemoryMode};
use hardpoint_supervisor::{Bounds, Program, Sdk, Worker, WorkerSpec};
use hardpoint_wire::PluginRef;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

/// What the host does, for whoever shows it.
#[derive(Debug)]
pub(crate) enum Event {
    /// A plugin's environment is being made ready.
    Environment { plugin: String, event: EnvEvent },
    /// A worker is being started.
    Starting { plugin: String },
    /// A worker is ready.
    Started { plugin: String, worker: Worker },
}

/// A host for the time of one command.
#[derive(Debug)]
pub(crate) struct Host {
    catalog: Catalog,
    environments: EnvStore,
    sdk: Sdk,
    launcher: Launcher,
    workers: Mutex<Vec<Worker>>,
}

impl Host {
    /// Reads the plugins folder and makes the data folder ready.
    pub(crate) fn open(places: &Places) -> Result<Self, Failure> {
        let catalog = Catalog::read(&places.plugins)?;
        let sdk = Sdk::unpack(&places.data).map_err(|e| unusable(places, &e))?;
        let launcher = Launcher::new("/proc/self/exe".into(), &places.scratch(), MemoryMode::detect())
            .map_err(|e| Failure::host("the spawner thread could not be started", &e))?;
        let environments = EnvStore::open(&places.data, launcher.clone()).map_err(Failure::Environment)?;
        Ok(Self { catalog, environments, sdk, launcher, workers: Mutex::default() })
    }

    /// The plugins there are.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Makes the plugin's environment ready and starts a worker in it.
    pub(crate) async fn start(
        &self,
        plugin: &str,
        on_event: &(dyn Fn(Event) + Sync),
    ) -> Result<Worker, Failure> {
        let (listed, manifest) = self.catalog.find(plugin)?;
        let request = EnvRequest::of_manifest(manifest, read_lock(listed, manifest)?);
        let tell = |event| on_event(Event::Environment { plugin: plugin.to_owned(), event });
        let environment = self.environments.ensure(&request, tell).await.map_err(Failure::Environment)?;
        on_event(Event::Starting { plugin: plugin.to_owned() });
        let spec = WorkerSpec {
            program: Program::python(&environment.python, &self.sdk),
            plugin: plugin_ref(listed, manifest),
            env: manifest.env.clone(),
            config: json!({}),
            bounds: bounds(manifest),
        };
        let started = Worker::start(spec, &self.launcher).await;
        let worker = started.map_err(|failure| Failure::Start { plugin: plugin.to_owned(), failure })?;
        if let Ok(mut workers) = self.workers.lock() {
            workers.push(worker.clone());
        }
        on_event(Event::Started { plugin: plugin.to_owned(), worker: worker.clone() });
        Ok(worker)
    }

    /// Stops every worker in order and waits until all are gone.
    pub(crate) async fn stop(self, grace: Duration) {
        let workers = self.workers.into_inner().unwrap_or_default();
        futures_util::future::join_all(workers.iter().map(|worker| worker.stop(grace))).await;
        // Also those whose start was given up half-way.
        self.launcher.all_gone().await;
    }
}

/// A data folder that is read-only, full, or no folder.
fn unusable(places: &Places, source: &dyn std::error::Error) -> Failure {
    let causes = std::iter::successors(source.source(), |cause| cause.source());
    let why = causes.fold(String::new(), |text, cause| format!("{text}: {cause}"));
    let message = format!("the data folder {} cannot be used{why}", places.data.display());
    Failure::request(message, "name a folder that can be written to, with `--data-dir DIR`")
}

fn plugin_ref(listed: &Listed, manifest: &Manifest) -> PluginRef {
    PluginRef {
        name: manifest.name.to_string(),
        version: manifest.version.clone(),
        entry: manifest.entry.clone(),
        dir: listed.dir.to_string_lossy().into_owned(),
        dialect: manifest.dialect.clone(),
        instance: manifest.name.to_string(),
        incarnation: 1,
    }
}

fn bounds(manifest: &Manifest) -> Bounds {
    let limits = &manifest.limits;
    let tools = limits.tools.iter();
    Bounds {
        startup: limits.startup_seconds.as_duration(),
        call: limits.timeout_seconds.as_duration(),
        tools: tools
            .filter_map(|(tool, own)| Some((tool.clone(), own.timeout_seconds?.as_duration())))
            .collect(),
        memory_bytes: limits.memory_mb << 20,
        concurrency: limits.concurrency,
        ..Bounds::default()
    }
}

fn read_lock(listed: &Listed, manifest: &Manifest) -> Result<Option<String>, Failure> {
    let Some(name) = &manifest.python.lock else { return Ok(None) };
    let path = listed.dir.join(name);
    let text = read_bounded(&path, limits::MANIFEST_BYTES_MAX).map_err(|e| {
        let file = path.display().to_string();
        let hint = "write the lock file next to hardpoint.toml, or list `requirements` instead";
        Failure::Diagnostics(Diagnostics::of_file(&file, format!("it cannot be read: {e}"), hint))
    })?;
    Ok(Some(text))
}

/// The schema of one tool's argument, if the tool names it.
pub(crate) fn argument_schema<'a>(worker: &'a Worker, tool: &str, argument: &str) -> Option<&'a Value> {
    worker.tools().get(tool)?.info.input_schema.get("properties")?.get(argument)
}
