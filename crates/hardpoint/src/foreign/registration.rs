//! Owns what is taken over from another host's word about a plugin, whichever dialect it is of.

use super::cjm;
use super::limits::{MEMORY_FACTOR, MEMORY_MB_MIN, STARTUP_SECONDS};
use hardpoint_model::limits::{MEMORY_MB_MAX, NEEDED_MB_MAX};
use hardpoint_model::manifest::is_variable_name;
use hardpoint_model::platform;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A plugin that an environment says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Found {
    /// The contract it is written for.
    pub(crate) dialect: String,
    /// `module:Class`, where its metadata says it.
    pub(crate) entry: Option<String>,
    /// The name that its packaging gives it.
    #[serde(default)]
    pub(crate) entry_point: Option<String>,
    /// What was installed.
    pub(crate) distribution: String,
    /// Its version.
    pub(crate) version: String,
    /// One sentence on it.
    pub(crate) summary: String,
}

/// A plugin as it will stand in the plugins folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registration {
    /// What the other host calls it.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) dialect: String,
    pub(crate) entry: String,
    pub(crate) environment: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) requires_gpu: bool,
    pub(crate) min_gpu_vram_mb: Option<u64>,
    pub(crate) min_system_ram_mb: Option<u64>,
    pub(crate) platforms: Vec<String>,
    pub(crate) memory_mb: u64,
    pub(crate) startup_seconds: u32,
    /// Of the schema of its configuration, when the other host kept it.
    pub(crate) schema_hash: Option<String>,
    /// The other host's manifest, to be kept beside ours.
    pub(crate) foreign: Option<cjm::Manifest>,
    /// What does not come along.
    pub(crate) warnings: Vec<String>,
    /// Whether the plugin itself knows its name better.
    pub(crate) name_is_a_guess: bool,
}

impl Registration {
    /// What a manifest of another host says.
    pub(crate) fn of_manifest(manifest: cjm::Manifest) -> Self {
        let mut warnings = Vec::new();
        let is_true = |name| manifest.resource(name).and_then(Value::as_bool) == Some(true);
        let number = |name| manifest.resource(name).and_then(Value::as_u64);
        let needed = |name| number(name).filter(|mb| (1..=NEEDED_MB_MAX).contains(mb));
        let memory = number("min_system_ram_mb").unwrap_or(0).saturating_mul(MEMORY_FACTOR);
        let (variables, refused): (BTreeMap<_, _>, BTreeMap<_, _>) =
            manifest.variables().into_iter().partition(|(name, _)| is_variable_name(name));
        for name in refused.keys() {
            warnings.push(format!("its variable `{name}` is left out: the host sets it, or nobody may"));
        }
        let listed = manifest.resource("platforms").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let platforms = listed.filter_map(|name| {
            let known = platform::known(&name);
            if known.is_none() {
                warnings.push(format!("its platform `{name}` is not known here and is left out"));
            }
            known
        });
        let platforms = platforms.collect();
        Self {
            name: manifest.name().to_owned(),
            version: manifest.version().to_owned(),
            description: manifest.description().to_owned(),
            dialect: "cjm".to_owned(),
            entry: manifest.entry(),
            environment: PathBuf::from(manifest.python()),
            variables,
            requires_gpu: is_true("requires_gpu"),
            min_gpu_vram_mb: needed("min_gpu_vram_mb").filter(|_| is_true("requires_gpu")),
            min_system_ram_mb: needed("min_system_ram_mb"),
            platforms,
            memory_mb: memory.clamp(MEMORY_MB_MIN, MEMORY_MB_MAX),
            startup_seconds: STARTUP_SECONDS,
            schema_hash: manifest.schema_hash().map(str::to_owned),
            foreign: Some(manifest),
            warnings,
            name_is_a_guess: false,
        }
    }
}

/// A plugin that its environment knows under a name. `shared` is whether another one there has the same name.
pub(crate) fn of_entry_point(found: &Found, environment: &Path, shared: bool) -> Registration {
    let name = found.entry_point.clone().unwrap_or_else(|| found.distribution.clone());
    let entry = if shared { format!("{name}@{}", found.distribution) } else { name.clone() };
    Registration {
        name,
        version: if found.version.is_empty() { "0".to_owned() } else { found.version.clone() },
        description: found.summary.clone(),
        dialect: found.dialect.clone(),
        entry,
        environment: environment.to_owned(),
        variables: BTreeMap::new(),
        requires_gpu: false,
        min_gpu_vram_mb: None,
        min_system_ram_mb: None,
        platforms: Vec::new(),
        memory_mb: MEMORY_MB_MIN,
        startup_seconds: STARTUP_SECONDS,
        schema_hash: None,
        foreign: None,
        warnings: Vec::new(),
        name_is_a_guess: true,
    }
}
