//! From a plugin's folder to a ready worker: probe, environment, probe, worker.
//!
//! Owns the order of the steps and the word for each way to fail. Must not know states, restarts or who asked.

use crate::catalog::{Installed, read_bounded};
use crate::instance::Own;
use crate::probe::{self, Missing, Silence};
use crate::secrets::{missing, variables, visible};
use hardpoint_env::{EnvError, EnvEvent, EnvRequest, EnvStore};
use hardpoint_model::health::StartTimes;
use hardpoint_model::log::LogLevel;
use hardpoint_model::plugin_config::{Layers, Object, UnknownKeys};
use hardpoint_model::{Diagnostics, Manifest, PluginEvent};
use hardpoint_process::{Launcher, MemoryMode};
use hardpoint_secrets::{Place, SecretStore, Secrets, SecretsError};
use hardpoint_supervisor::{Bounds, Captured, Program, Sdk, SdkError, StartFailure, Worker, WorkerSpec};
use hardpoint_wire::PluginRef;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Starts workers. One per host.
#[derive(Debug)]
pub struct Starter {
    environments: EnvStore,
    sdk: Sdk,
    launcher: Launcher,
    secrets: SecretStore,
    /// Where plugins keep what outlives their workers.
    plugin_data: PathBuf,
}

/// Which life is to be started.
#[derive(Debug)]
pub struct StartOrder<'a> {
    /// Folder of the plugin.
    pub installed: &'a Installed,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// Number of the life, from 1.
    pub incarnation: u64,
    /// Where what it prints goes.
    pub output: Captured,
    /// What is set by hand in the configuration of the plugin.
    pub config: Object,
    /// What the instance has of its own.
    pub own: Own,
    /// What becomes of keys of it that the plugin does not know.
    pub unknown_keys: UnknownKeys,
    /// Whether somebody asked for the plugin to be loaded anew.
    pub reload: bool,
}

/// What happens on the way.
#[derive(Debug)]
pub enum StartEvent {
    /// Its needs are looked at.
    Probing,
    /// Its environment is being made ready.
    Environment(EnvEvent),
    /// Its worker is being started.
    Starting,
}

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SDK could not be unpacked into it.
    #[error("the SDK cannot be unpacked")]
    Sdk(#[from] SdkError),
    /// The spawner thread could not be started.
    #[error("the spawner thread could not be started")]
    Spawner(#[source] io::Error),
    /// Environments cannot be kept in it.
    #[error(transparent)]
    Environment(#[from] EnvError),
}

/// A plugin could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its lock file cannot be read.
    #[error("{0}")]
    Lock(Diagnostics),
    /// Something that it needs is missing.
    #[error("{}", probe::reason(.0))]
    Missing(Vec<Missing>),
    /// Its environment could not be made.
    #[error("{0}")]
    Environment(EnvError),
    /// Its secrets cannot be read.
    #[error("{}", told(.0))]
    Secrets(SecretsError),
    /// Its worker could not be started.
    #[error("{0}")]
    Worker(StartFailure),
}

/// The folder in the data folder where plugins keep what outlives their workers.
const PLUGIN_DATA: &str = "data";

/// What a worker says when something is missing that somebody else has to provide.
const MISSING: [&str; 3] = ["ModelMissing", "Unavailable", "ConfigInvalid"];

impl StartError {
    /// What that means for the plugin's state.
    pub fn event(&self) -> PluginEvent {
        match self {
            Self::Missing(_) | Self::Environment(_) | Self::Secrets(_) => PluginEvent::NeedMissing,
            Self::Worker(failure) if MISSING.contains(&failure.error.error_type.as_str()) => {
                PluginEvent::NeedMissing
            }
            Self::Worker(_) | Self::Lock(_) => PluginEvent::Broke,
        }
    }

    /// What to do about it.
    pub fn hint(&self, plugin: &str, instance: &str) -> Option<String> {
        match self {
            Self::Lock(_) => None,
            Self::Missing(missing) => Some(probe::hint(missing)),
            Self::Environment(error) => Some(error.hint()),
            Self::Secrets(error) => Some(error.hint()),
            Self::Worker(failure) => Some(worker_hint(plugin, instance, failure)),
        }
    }
}

impl Starter {
    /// Makes the data folder ready.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        let sdk = Sdk::unpack(data)?;
        let exe = "/proc/self/exe".into();
        let launcher = Launcher::new(exe, &data.join("scratch"), MemoryMode::detect());
        let launcher = launcher.map_err(OpenError::Spawner)?;
        let environments = EnvStore::open(data, launcher.clone())?;
        let (secrets, plugin_data) = (SecretStore::of(data), data.join(PLUGIN_DATA));
        Ok(Self { environments, sdk, launcher, secrets, plugin_data })
    }

    /// What starts every process.
    pub fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// Where the secrets of plugins are kept.
    pub(crate) fn secrets(&self) -> &SecretStore {
        &self.secrets
    }

    /// Probes the plugin, makes its environment ready and starts a worker in it. Dropping the future ends
    /// what was started.
    pub async fn start(
        &self,
        order: StartOrder<'_>,
        on_event: &(dyn Fn(StartEvent) + Sync),
    ) -> Result<(Worker, StartTimes), StartError> {
        let StartOrder { installed, manifest, .. } = order;
        let began = Instant::now();
        on_event(StartEvent::Probing);
        let missing = probe::machine(manifest, &installed.dir, &self.launcher).await;
        // On the wrong machine, or without a GPU, an environment would be built for nothing.
        if missing.iter().any(|missing| missing.need != probe::Need::Model) {
            return Err(StartError::Missing(self.complete(missing, installed, manifest).await.0));
        }
        let request = EnvRequest::of_manifest(manifest, &installed.dir, read_lock(installed, manifest)?);
        let tell = |event| on_event(StartEvent::Environment(event));
        let environment = self.environments.ensure(&request, tell).await.map_err(StartError::Environment)?;
        on_event(StartEvent::Probing);
        let python = &environment.python;
        let inside = probe::environment(manifest, &installed.dir, python, &self.launcher).await;
        let missing = probe::all(missing, inside);
        if !missing.is_empty() {
            return Err(StartError::Missing(missing));
        }
        let prepared = began.elapsed();
        on_event(StartEvent::Starting);
        let secrets = self.secrets_of(manifest).await.map_err(StartError::Secrets)?;
        let output = order.output.clone();
        let spec = WorkerSpec {
            program: Program::python(python, &self.sdk),
            plugin: self.plugin_ref(&order),
            bounds: bounds(manifest, order.own.concurrency),
            env: visible(manifest),
            secrets,
            config: Layers {
                manifest: manifest.config.clone(),
                persisted: order.config,
                instance: order.own.config,
            },
            unknown_keys: order.unknown_keys,
            output: order.output,
        };
        let worker = Worker::start(spec, &self.launcher).await.map_err(StartError::Worker)?;
        say_what_is_missing(&worker, manifest, &output, order.incarnation);
        let import = worker.ready().import_ms;
        let times = StartTimes {
            prepare: millis(prepared),
            worker: millis(began.elapsed().saturating_sub(prepared)),
            import,
        };
        Ok((worker, times))
    }

    async fn secrets_of(&self, manifest: &Manifest) -> Result<Secrets, SecretsError> {
        let (store, place) = (self.secrets.clone(), Place::new(None, manifest.name.as_str())?);
        let read = tokio::task::spawn_blocking(move || {
            store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
            store.of_plugin(&place)
        });
        read.await.unwrap_or(Err(SecretsError::Busy))
    }

    fn plugin_ref(&self, order: &StartOrder<'_>) -> PluginRef {
        let StartOrder { installed, manifest, .. } = order;
        PluginRef {
            name: manifest.name.to_string(),
            version: manifest.version.clone(),
            entry: manifest.entry.clone(),
            dir: installed.dir.to_string_lossy().into_owned(),
            dialect: manifest.dialect.clone(),
            instance: order.own.id.clone().unwrap_or_else(|| manifest.name.to_string()),
            incarnation: order.incarnation,
            reload: order.reload,
            data_dir: Some(self.plugin_data.to_string_lossy().into_owned()),
            models_dir: None,
        }
    }

    /// The plugins of other hosts that an environment holds, as its own Python lists them.
    pub async fn installed(&self, python: &Path) -> Result<Value, Silence> {
        probe::installed(python, &self.sdk.listing_script(), &self.launcher).await
    }

    /// One of them that has no entry point, described by its own code.
    pub async fn described(&self, python: &Path, distribution: &str) -> Result<Value, Silence> {
        probe::described(python, &self.sdk.listing_script(), distribution, &self.launcher).await
    }

    /// What the plugin lacks, as far as it can be told without building anything, and whether its
    /// environment was there to be looked into.
    pub async fn lacks(&self, installed: &Installed, manifest: &Manifest) -> (Vec<Missing>, bool) {
        let missing = probe::machine(manifest, &installed.dir, &self.launcher).await;
        self.complete(missing, installed, manifest).await
    }

    /// Adds what an environment that is there already lacks, so that nobody mends one thing only to hear
    /// of the next.
    async fn complete(
        &self,
        missing: Vec<Missing>,
        installed: &Installed,
        manifest: &Manifest,
    ) -> (Vec<Missing>, bool) {
        let on_other_platform = missing.iter().any(|missing| missing.need == probe::Need::Platform);
        let (false, Ok(lock)) = (on_other_platform, read_lock(installed, manifest)) else {
            return (missing, false);
        };
        let request = EnvRequest::of_manifest(manifest, &installed.dir, lock);
        let Some(environment) = self.environments.existing(&request).await else { return (missing, false) };
        let python = &environment.python;
        let inside = probe::environment(manifest, &installed.dir, python, &self.launcher).await;
        (probe::all(missing, inside), true)
    }
}

/// It is loaded all the same: it may do a part of its work.
fn say_what_is_missing(worker: &Worker, manifest: &Manifest, output: &Captured, incarnation: u64) {
    let facts = worker.announced().facts;
    let told = facts.as_deref().and_then(|facts| facts.get("worker_env"));
    for name in missing(manifest, &variables(manifest, told), worker.secret_names()) {
        let plugin = &manifest.name;
        let text =
            format!("`{name}` is required and not set; `hardpoint secret set {plugin} {name}` sets it");
        output.say(incarnation, None, LogLevel::Warning, &text);
    }
}

/// An error with its causes.
fn told(error: &SecretsError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("its secrets cannot be had: {error}{}", cause.unwrap_or_default())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn bounds(manifest: &Manifest, concurrency: Option<u32>) -> Bounds {
    let limits = &manifest.limits;
    let tools = limits.tools.iter();
    Bounds {
        startup: limits.startup_seconds.as_duration(),
        call: limits.timeout_seconds.as_duration(),
        tools: tools
            .filter_map(|(tool, own)| Some((tool.clone(), own.timeout_seconds?.as_duration())))
            .collect(),
        memory_bytes: limits.memory_mb << 20,
        concurrency: concurrency.unwrap_or(limits.concurrency),
        ..Bounds::default()
    }
}

fn read_lock(installed: &Installed, manifest: &Manifest) -> Result<Option<String>, StartError> {
    let Some(name) = &manifest.python.lock else { return Ok(None) };
    let path = installed.dir.join(name);
    // One byte more than may be installed, so that what is too long is refused and not cut.
    let text = read_bounded(&path, hardpoint_env::REQUIREMENTS_BYTES_MAX).map_err(|e| {
        let file = path.display().to_string();
        let hint = "write the lock file next to hardpoint.toml, or list `requirements` instead";
        StartError::Lock(Diagnostics::of_file(&file, format!("it cannot be read: {e}"), hint))
    })?;
    Ok(Some(text))
}

fn worker_hint(plugin: &str, instance: &str, failure: &StartFailure) -> String {
    match failure.error.error_type.as_str() {
        "ModuleNotFoundError" | "ImportError" => {
            format!(
                "correct `entry`, or add the missing package to `requirements` under `[python]` (where that names an \
                 `environment`: install it there), in {plugin}/hardpoint.toml"
            )
        }
        "ConfigInvalid" => format!(
            "`hardpoint plugin config {instance}` shows it and changes it (`key=value`, `--unset key`); then `hardpoint plugin restart {instance}`"
        ),
        "ModelMissing" => format!("put the model file where `{plugin}` looks for it, then start it again"),
        "Unavailable" => format!("give `{plugin}` what it needs, then start it again"),
        "StartupTimeout" => {
            format!("if it needs longer, raise `startup_seconds` under `[limits]` in {plugin}/hardpoint.toml")
        }
        "MemoryLimitExceeded" | "OutOfMemory" | "MemoryError" => {
            format!("raise `memory_mb` under `[limits]` in {plugin}/hardpoint.toml")
        }
        _ => format!("mend the plugin, then look at it with `hardpoint plugin check {plugin}`"),
    }
}
