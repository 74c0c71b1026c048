//! The secrets of plugins, as everybody outside sees and changes them: by name, and never a value back.
//!
//! Owns what is told of them, and that a plugin which runs is started anew with what was changed. Must not know how they
//! are kept.

use crate::call::Refusal;
use crate::core::Ask;
use crate::engine::Engine;
use crate::snapshot::PluginView;
use futures_util::future::try_join_all;
use hardpoint_model::worker_env::{EnvStatus, EnvVar, declared};
use hardpoint_model::{Manifest, Secret};
use hardpoint_secrets::{Place, SecretStore, SecretsError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What becomes of a plugin that runs with what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It is started anew; its calls may finish. How long to wait until it has settled.
    Restart(Duration),
    /// It goes on; its next worker is given what there is then.
    GoOn,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Whether there is another value than before: false when one was to be deleted that was not there.
    pub changed: bool,
    /// Whether the plugin is started anew.
    pub restarting: bool,
    /// Whether that is over, if it is.
    pub settled: bool,
}

/// The secrets of one plugin.
#[derive(Debug)]
pub struct SecretsView {
    /// Their names.
    pub names: Vec<String>,
    /// What the plugin says that it reads, and whether that is there.
    pub variables: Vec<EnvStatus>,
}

impl SecretsView {
    /// What the plugin cannot do without and has not.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let missing = self.variables.iter().filter(|variable| variable.required && !variable.satisfied);
        missing.map(|variable| variable.name.as_str())
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SecretRefusal {
    /// It cannot be kept, or read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The plugin says that it takes other values.
    #[error("{0}")]
    NotAnOption(String),
    /// The host is not what it was.
    #[error("{0}")]
    Host(Refusal),
}

impl Engine {
    /// Keeps a value for a plugin, which need not be there yet. When this returns it is on the disk.
    pub async fn set_secret(
        &self,
        place: Place,
        name: String,
        value: Secret,
        afterwards: Afterwards,
    ) -> Result<Changed, SecretRefusal> {
        let known = self.plugin(place.plugin()).map(|plugin| plugin.worker_env()).unwrap_or_default();
        let mut same = known.iter().filter(|variable| variable.name == name);
        if let Some(why) = same.find_map(|variable| variable.refuses(value.expose())) {
            return Err(SecretRefusal::NotAnOption(why));
        }
        let plugin = place.clone();
        self.with_secrets(move |store| store.set(&place, &name, value)).await?;
        self.changed(&plugin, true, afterwards).await
    }

    /// Forgets a value.
    pub async fn delete_secret(
        &self,
        place: Place,
        name: String,
        afterwards: Afterwards,
    ) -> Result<Changed, SecretRefusal> {
        let plugin = place.clone();
        let was_there = self.with_secrets(move |store| store.delete(&place, &name)).await?;
        self.changed(&plugin, was_there, afterwards).await
    }

    /// What there is for a plugin, as it is on the disk now.
    pub async fn secrets(&self, place: Place) -> Result<SecretsView, SecretRefusal> {
        let plugin = self.plugin(place.plugin()).ok();
        let names = self.with_secrets(move |store| store.names(&place)).await?;
        let variables = plugin.map_or_else(Vec::new, |plugin| {
            let is_set = |name: &str| names.iter().any(|known| known == name);
            plugin
                .worker_env()
                .iter()
                .map(|one| one.status(is_set(&one.name) || plugin.sets(&one.name)))
                .collect()
        });
        Ok(SecretsView { names, variables })
    }

    async fn changed(
        &self,
        place: &Place,
        changed: bool,
        afterwards: Afterwards,
    ) -> Result<Changed, SecretRefusal> {
        let as_it_is = Changed { changed, restarting: false, settled: true };
        let Afterwards::Restart(patience) = afterwards else { return Ok(as_it_is) };
        let runs = |plugin: &PluginView| plugin.worker().is_some() || plugin.starting().is_some();
        let mut running = self.instances(place.plugin()).unwrap_or_default();
        running.retain(|instance| runs(instance));
        if !changed || !place.is_default() || running.is_empty() {
            return Ok(as_it_is);
        }
        // One that is stopping already is left as it is, and waited for.
        let restarts = running.iter().map(|instance| self.wish_for(&instance.name, Ask::Reload, patience));
        let settled = try_join_all(restarts).await.map_err(SecretRefusal::Host)?;
        Ok(Changed { changed, restarting: true, settled: settled.into_iter().all(|settled| settled) })
    }

    async fn with_secrets<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SecretStore) -> Result<T, SecretsError> + Send + 'static,
    ) -> Result<T, SecretRefusal> {
        if self.is_draining() {
            return Err(SecretRefusal::Host(Refusal::Stopping));
        }
        let store = self.secret_store().clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(done.map_err(|_| SecretRefusal::Host(Refusal::Stopping))??)
    }
}

impl PluginView {
    /// What it says that its worker reads: in its code as far as that was heard, and in its manifest.
    pub fn worker_env(&self) -> Vec<EnvVar> {
        let facts = self.facts().and_then(|facts| facts.get("worker_env"));
        self.manifest().map(|manifest| variables(manifest, facts)).unwrap_or_default()
    }

    /// What its worker cannot do without and was not given; nothing while there is none.
    pub fn missing_required(&self) -> Vec<String> {
        let (Some(worker), Some(manifest)) = (self.worker(), self.manifest()) else { return Vec::new() };
        missing(manifest, &self.worker_env(), worker.secret_names())
    }

    /// Whether its manifest gives a variable a value.
    fn sets(&self, variable: &str) -> bool {
        self.manifest().is_some_and(|manifest| manifest.env.contains_key(variable))
    }
}

/// The variables that everybody may see: what the manifest sets, over the defaults of what it declares.
pub(crate) fn visible(manifest: &Manifest) -> BTreeMap<String, String> {
    let defaults = manifest.worker_env.iter().filter_map(|variable| {
        variable.visible_default().map(|value| (variable.name.clone(), value.to_owned()))
    });
    let mut env: BTreeMap<String, String> = defaults.collect();
    env.extend(manifest.env.clone());
    env
}

/// What a worker said that it reads, and what its manifest says beyond that.
pub(crate) fn variables(manifest: &Manifest, facts: Option<&Value>) -> Vec<EnvVar> {
    let mut told = facts.map(declared).unwrap_or_default();
    for variable in &manifest.worker_env {
        if !told.iter().any(|known| known.name == variable.name) {
            told.push(variable.clone());
        }
    }
    told
}

/// What a worker cannot do without and was not given.
pub(crate) fn missing(manifest: &Manifest, variables: &[EnvVar], given: &BTreeSet<String>) -> Vec<String> {
    let is_set = |name: &String| given.contains(name) || manifest.env.contains_key(name);
    let missing = variables.iter().filter(|one| one.required && !one.status(is_set(&one.name)).satisfied);
    missing.map(|variable| variable.name.clone()).collect()
}
