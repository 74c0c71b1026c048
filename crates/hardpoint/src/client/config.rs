//! The configuration of a plugin of a running host.
//!
//! Owns its route. Must not know what is set.

use super::Client;
use crate::embedded::Failure;
use serde_json::Value;
use std::time::Duration;

/// A change waits its turn behind the plugin's calls; the server has a deadline for it.
const CHANGE_WAIT: Duration = Duration::from_hours(1);

impl Client {
    /// What a plugin is given, and whose each value is.
    pub(crate) async fn plugin_config(&self, plugin: &str) -> Result<Value, Failure> {
        self.get(&["v1", "plugins", plugin, "config"], &[]).await
    }

    /// Merges a patch into what is set by hand; `strict`: instead of what is set for the plugin.
    pub(crate) async fn change_plugin_config(
        &self,
        plugin: &str,
        patch: &Value,
        strict: Option<bool>,
    ) -> Result<Value, Failure> {
        let strict = strict.map(|strict| strict.to_string());
        let query: Vec<(&str, &str)> = strict.iter().map(|text| ("strict", text.as_str())).collect();
        self.patch(&["v1", "plugins", plugin, "config"], &query, patch, CHANGE_WAIT).await
    }
}
