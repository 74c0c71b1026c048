//! What was decided by hand about plugins, and what was measured of them, from one host to the next.
//!
//! Owns the way from the store into the engine. Must not know what follows from a decision.

use hardpoint_model::usage::UsageRecord;
use hardpoint_store::{PluginConfig, PluginFlags, Store, StoreError};
use std::collections::BTreeMap;

/// Where decisions are kept, and those that there are. The default keeps nothing: a host without a data folder.
#[derive(Debug, Default)]
pub struct Decisions {
    pub(crate) store: Option<Store>,
    pub(crate) flags: BTreeMap<String, PluginFlags>,
    pub(crate) configs: BTreeMap<String, PluginConfig>,
    /// What earlier hosts measured.
    pub(crate) usage: Vec<UsageRecord>,
}

impl Decisions {
    /// What others were told, for a host that is told nothing itself.
    pub fn of_others(configs: BTreeMap<String, PluginConfig>) -> Self {
        Self { configs, ..Self::default() }
    }

    /// Reads what an earlier host was told, and keeps in the same place what this one is told.
    pub async fn read(store: Store) -> Result<Self, StoreError> {
        let flags = store.plugins().await?;
        let configs = store.plugin_configs().await?;
        let usage = store.usage_records().await?;
        Ok(Self { store: Some(store), flags, configs, usage })
    }
}
