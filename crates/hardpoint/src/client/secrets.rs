//! The secrets of a plugin of a running host.
//!
//! Owns their routes. A value goes out in one request and never comes back.

use super::Client;
use crate::embedded::Failure;
use hardpoint_model::Secret;
use hardpoint_secrets::Place;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

impl Client {
    /// Their names, and what the plugin needs of them.
    pub(crate) async fn secrets(&self, place: &Place) -> Result<Value, Failure> {
        self.get(&["v1", "plugins", place.plugin(), "secrets"], &[("scope", place.scope())]).await
    }

    /// Keeps one. The plugin is started anew if it runs, which is waited for so long; `None` leaves it as it is.
    pub(crate) async fn set_secret(
        &self,
        place: &Place,
        name: &str,
        value: &Secret,
        wait: Option<Duration>,
    ) -> Result<Value, Failure> {
        let path = ["v1", "plugins", place.plugin(), "secrets", name];
        let body = json!({"value": value.expose()});
        self.changed(place, wait, |query| self.request(Method::PUT, &path, query).json(&body)).await
    }

    /// Forgets one.
    pub(crate) async fn delete_secret(
        &self,
        place: &Place,
        name: &str,
        wait: Option<Duration>,
    ) -> Result<Value, Failure> {
        let path = ["v1", "plugins", place.plugin(), "secrets", name];
        self.changed(place, wait, |query| self.request(Method::DELETE, &path, query)).await
    }

    async fn changed(
        &self,
        place: &Place,
        wait: Option<Duration>,
        request: impl FnOnce(&[(&str, &str)]) -> RequestBuilder,
    ) -> Result<Value, Failure> {
        let (restart, wait) = (if wait.is_some() { "true" } else { "false" }, wait.unwrap_or_default());
        let seconds = wait.as_secs().to_string();
        let query = [("scope", place.scope()), ("restart", restart), ("wait_seconds", seconds.as_str())];
        self.document_besides(request(&query), wait).await
    }
}
