//! Further instances of plugins of a running host.
//!
//! Owns their route. Must not know how one is used.

use super::Client;
use crate::embedded::Failure;
use serde_json::Value;
use std::time::Duration;

impl Client {
    /// Starts one more instance of a plugin, and waits for at most `wait` until it has settled. Whether it has is the
    /// second value.
    pub(crate) async fn create_instance(
        &self,
        plugin: &str,
        new: &Value,
        wait: Duration,
    ) -> Result<(Value, bool), Failure> {
        self.settling(&["v1", "plugins", plugin, "instances"], Some(new), wait).await
    }
}
