//! What somebody set by hand in the configurations of plugins.
//!
//! Owns its table. Must not know what a plugin makes of it.

use crate::Store;
use crate::error::StoreError;
use crate::open::inspectable;
use crate::rows::json;
use hardpoint_model::plugin_config::Object;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;

/// What is set by hand in the configuration of one plugin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginConfig {
    /// The values, over those of its manifest.
    pub values: Object,
    /// The hash of the schema that they were accepted under, or that was there when the plugin was first seen; `None`
    /// while it has not been seen, or when it has no schema.
    pub schema_hash: Option<String>,
}

impl Store {
    /// What is set by hand, by name of the plugin.
    pub async fn plugin_configs(&self) -> Result<BTreeMap<String, PluginConfig>, StoreError> {
        self.read(all).await
    }

    /// The same from a data folder that this process does not serve: none where there is no database yet. Blocks.
    pub fn plugin_configs_in(data_dir: &Path) -> Result<BTreeMap<String, PluginConfig>, StoreError> {
        let path = Self::path_in(data_dir);
        if !path.is_file() {
            return Ok(BTreeMap::new());
        }
        let (connection, schema) = inspectable(&path)?;
        if schema < SINCE_SCHEMA { Ok(BTreeMap::new()) } else { all(&connection) }
    }
}

/// The first schema that has the table.
const SINCE_SCHEMA: u32 = 2;

fn all(connection: &Connection) -> Result<BTreeMap<String, PluginConfig>, StoreError> {
    let mut find = connection.prepare_cached("SELECT plugin, config, schema_hash FROM plugin_configs")?;
    let mut found = find.query([])?;
    let mut configs = BTreeMap::new();
    while let Some(row) = found.next()? {
        let text: String = row.get(1)?;
        let values = serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        configs.insert(row.get(0)?, PluginConfig { values, schema_hash: row.get(2)? });
    }
    Ok(configs)
}

pub(crate) fn write(
    connection: &Connection,
    name: &str,
    config: &PluginConfig,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO plugin_configs (plugin, config, schema_hash, updated_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (plugin) DO UPDATE SET config = ?2, schema_hash = ?3, updated_at = ?4";
    let values = json(Some(&config.values))?;
    connection.prepare_cached(sql)?.execute(params![
        name,
        values,
        config.schema_hash,
        at.as_microsecond()
    ])?;
    Ok(())
}
