//! The secrets of a plugin of a running host.
//!
//! Owns their routes. A value goes out in one request and never comes back.

use super::Client;
use crate::embedded::Failure;
use hardpoint_model::Secret;
use hardpoint_secrets::Place;
use reqwest::Method;
use serde_json::{Value, json};

impl Client {
    /// Their names, and what the plugin needs of them.
    pub(crate) async fn secrets(&self, place: &Place) -> Result<Value, Failure> {
        self.get(&["v1", "plugins", place.plugin(), "secrets"], &[("scope", place.scope())]).await
    }

    /// Keeps one; with `restart` the plugin is started anew if it runs.
    pub(crate) async fn set_secret(
        &self,
        place: &Place,
        name: &str,
        value: &Secret,
        restart: bool,
    ) -> Result<Value, Failure> {
        let path = ["v1", "plugins", place.plugin(), "secrets", name];
        let query = [("scope", place.scope()), ("restart", if restart { "true" } else { "false" })];
        let body = json!({"value": value.expose()});
        self.document(self.request(Method::PUT, &path, &query).json(&body)).await
    }

    /// Forgets one.
    pub(crate) async fn delete_secret(
        &self,
        place: &Place,
        name: &str,
        restart: bool,
    ) -> Result<Value, Failure> {
        let path = ["v1", "plugins", place.plugin(), "secrets", name];
        let query = [("scope", place.scope()), ("restart", if restart { "true" } else { "false" })];
        self.document(self.request(Method::DELETE, &path, &query)).await
    }
}
