//! From a plugin's name to a running worker.
//!
//! Owns what one command started.
//! Workers are told to end with [`Host::stop`]; dropping the host ends them too.

use super::{Failure, Places};
use hardpoint_engine::{Catalog, Installed, OpenError, Own, StartEvent, StartOrder, Starter};
use hardpoint_env::EnvEvent;
use hardpoint_model::plugin_config::UnknownKeys;
use hardpoint_store::{PluginConfig, Store};
use hardpoint_supervisor::{Captured, Worker};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
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
    /// What is set by hand in the configurations of plugins, on a server of this data folder.
    configs: BTreeMap<String, PluginConfig>,
    starter: Starter,
    workers: Mutex<Vec<Worker>>,
}

impl Host {
    /// Reads the plugins folder and makes the data folder ready.
    pub(crate) fn open(places: &Places) -> Result<Self, Failure> {
        let catalog = Catalog::read(&places.plugins)?;
        let configs = Store::plugin_configs_in(&places.data)?;
        Ok(Self { catalog, configs, starter: open_starter(places)?, workers: Mutex::default() })
    }

    /// Makes the data folder ready, for plugins that lie anywhere.
    pub(crate) fn without_plugins(places: &Places) -> Result<Self, Failure> {
        let catalog = Catalog::empty(&places.plugins);
        let configs = Store::plugin_configs_in(&places.data)?;
        Ok(Self { catalog, configs, starter: open_starter(places)?, workers: Mutex::default() })
    }

    /// What starts its workers.
    pub(crate) fn starter(&self) -> &Starter {
        &self.starter
    }

    /// The plugin of this name, if it can be started at all.
    pub(crate) fn find(&self, plugin: &str) -> Result<&Installed, Failure> {
        Ok(self.catalog.find(plugin)?.0)
    }

    /// Probes the plugin, makes its environment ready and starts a worker in it.
    pub(crate) async fn start(
        &self,
        plugin: &str,
        on_event: &(dyn Fn(Event) + Sync),
    ) -> Result<Worker, Failure> {
        self.start_installed(self.find(plugin)?, on_event).await
    }

    /// The same for one that was read from its folder.
    pub(crate) async fn start_installed(
        &self,
        installed: &Installed,
        on_event: &(dyn Fn(Event) + Sync),
    ) -> Result<Worker, Failure> {
        let manifest = installed.manifest.as_ref().map_err(|found| Failure::Diagnostics(found.clone()))?;
        let plugin = manifest.name.as_str();
        let config = self.configs.get(plugin).map(|kept| kept.values.clone()).unwrap_or_default();
        let (output, unknown_keys) = (Captured::default(), UnknownKeys::default());
        let (incarnation, reload) = (1, false);
        let own = Own::default();
        let order =
            StartOrder { installed, manifest, incarnation, output, config, own, unknown_keys, reload };
        let tell = |step| match step {
            StartEvent::Probing => {}
            StartEvent::Environment(event) => {
                on_event(Event::Environment { plugin: plugin.to_owned(), event });
            }
            StartEvent::Starting => on_event(Event::Starting { plugin: plugin.to_owned() }),
        };
        // Boxed: it is the largest of all futures here, and would make every one around it as large.
        let started = Box::pin(self.starter.start(order, &tell)).await;
        let (worker, _) = started
            .map_err(|error| Failure::NotStarted { plugin: plugin.to_owned(), error: Arc::new(error) })?;
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
        self.starter.launcher().all_gone().await;
    }
}

/// What starts workers, in the data folder.
pub(crate) fn open_starter(places: &Places) -> Result<Starter, Failure> {
    Starter::open(&places.data).map_err(|error| match error {
        OpenError::Sdk(source) => unusable(places, &source),
        OpenError::Spawner(source) => Failure::host("the spawner thread could not be started", &source),
        OpenError::Environment(error) => Failure::Environment(error),
    })
}

/// A data folder that is read-only, full, or no folder.
fn unusable(places: &Places, source: &dyn std::error::Error) -> Failure {
    let causes = std::iter::successors(source.source(), |cause| cause.source());
    let why = causes.fold(String::new(), |text, cause| format!("{text}: {cause}"));
    let message = format!("the data folder {} cannot be used{why}", places.data.display());
    Failure::request(message, "name a folder that can be written to, with `--data-dir DIR`")
}

/// The schema of one tool's argument, if the tool names it.
pub(crate) fn argument_schema<'a>(worker: &'a Worker, tool: &str, argument: &str) -> Option<&'a Value> {
    worker.tools().get(tool)?.info.input_schema.get("properties")?.get(argument)
}
