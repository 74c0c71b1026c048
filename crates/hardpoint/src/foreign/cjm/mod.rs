//! Owns the manifest of the dialect `cjm`: format 2.0, and the flat one before it, which is read and never written.
//! Must not know where the file lies or what is made of it.
//!
//! ```text
//! text ── check (all mistakes) ──> 2.0 as it stands ── overrides laid over ──> what counts
//!                                        └── rewritten: unknown keys stay, hash and time are new
//! ```

mod blocks;
mod check;
mod flat;
#[cfg(test)]
mod tests;

use hardpoint_model::canonical::sha256_of;
use hardpoint_model::plugin_config::{Object, merge};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A manifest without mistakes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// In format 2.0, as it stands in the file.
    document: Object,
    /// The same with its overrides laid over.
    counts: Object,
}

impl Manifest {
    /// Reads the text of a manifest; every mistake comes back at once, in the words of the contract.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        match serde_json::from_str(text) {
            Ok(value) => Self::of(value),
            Err(error) => Err(vec![format!("manifest: it is no JSON: {error}")]),
        }
    }

    /// The same for a value.
    pub(crate) fn of(value: Value) -> Result<Self, Vec<String>> {
        let found = check::mistakes(&value);
        let document = match value {
            Value::Object(document) if found.is_empty() => document,
            _ => return Err(found),
        };
        let document = if check::is_flat(&document) { flat::upgraded(document) } else { document };
        let mut counts = document.clone();
        if let Some(Value::Object(overrides)) = document.get("overrides") {
            let only = overrides.iter().filter(|(name, _)| ["install", "code"].contains(&name.as_str()));
            merge(&mut counts, &only.map(|(name, value)| (name.clone(), value.clone())).collect());
            let found = check::mistakes(&Value::Object(counts.clone()));
            if !found.is_empty() {
                return Err(found
                    .into_iter()
                    .map(|mistake| format!("{mistake} (with its 'overrides')"))
                    .collect());
            }
        }
        Ok(Self { document, counts })
    }

    fn at(&self, section: &str, key: &str) -> Option<&Value> {
        self.counts.get(section)?.get(key)
    }

    fn text(&self, section: &str, key: &str) -> &str {
        self.at(section, key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.text("code", "name")
    }

    pub(crate) fn version(&self) -> &str {
        self.text("code", "version")
    }

    pub(crate) fn description(&self) -> &str {
        self.text("code", "description")
    }

    /// `module:Class`.
    pub(crate) fn entry(&self) -> String {
        format!("{}:{}", self.text("code", "module"), self.text("code", "class"))
    }

    /// The interpreter of its environment.
    pub(crate) fn python(&self) -> &str {
        self.text("install", "python_path")
    }

    /// The variables that its worker is started with.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let given = self.at("install", "env_vars").and_then(Value::as_object);
        let texts = given.into_iter().flatten();
        texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// What it says that it needs: `requires_gpu`, `platforms`, `min_system_ram_mb`, …
    pub(crate) fn resource(&self, name: &str) -> Option<&Value> {
        self.at("code", "resources")?.get(name)
    }

    /// The hash of the schema that it was made with, if it was kept.
    pub(crate) fn schema_hash(&self) -> Option<&str> {
        self.at("drift_tracking", "config_schema_hash")
            .and_then(Value::as_str)
            .filter(|hash| !hash.is_empty())
    }

    /// `domain` or `role`.
    pub(crate) fn taxonomy(&self, key: &str) -> &str {
        self.at("code", "taxonomy").and_then(|taxonomy| taxonomy.get(key)?.as_str()).unwrap_or_default()
    }

    /// The label of its kind: the one that somebody set, else its domain in title case, else the one of the flat format.
    pub(crate) fn category(&self) -> String {
        let set = self.text("code", "category_override");
        let domain = self.taxonomy("domain").replace('_', " ");
        if !set.is_empty() {
            set.to_owned()
        } else if domain.is_empty() {
            self.text("code", "category").to_owned()
        } else {
            title_case(&domain)
        }
    }

    /// Its interface by its full name.
    pub(crate) fn interface(&self) -> &str {
        self.text("code", "interface")
    }

    /// When it was installed, as it says.
    pub(crate) fn installed_at(&self) -> Option<&str> {
        Some(self.text("install", "installed_at")).filter(|text| !text.is_empty())
    }

    /// Says when and by whom it was installed, where nobody has said so.
    pub(crate) fn set_installed(&mut self, at: &str, by: &str) {
        for document in [&mut self.document, &mut self.counts] {
            let install = document.entry("install").or_insert_with(|| json!({}));
            for (key, value) in [("installed_at", at), ("installer_version", by)] {
                let is_there = install.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                if let Some(install) = install.as_object_mut().filter(|_| !is_there) {
                    install.insert(key.to_owned(), json!(value));
                }
            }
        }
    }

    /// Whether it belongs to an adapter, which is no plugin of this contract.
    pub(crate) fn is_adapter(value: &Value) -> bool {
        value.get("unit").and_then(Value::as_str) == Some("adapter")
    }

    /// The document to be written, in format 2.0. `now` is the time in ISO 8601.
    pub(crate) fn rewritten(&self, now: &str) -> Value {
        let mut document = self.document.clone();
        let schema = self.document.get("code").and_then(|code| code.get("config_schema"));
        let hash = schema.map(sha256_of);
        let mut put = |section: &str, key: &str, value: Value| {
            let section = document.entry(section).or_insert_with(|| json!({}));
            if let Some(section) = section.as_object_mut() {
                section.insert(key.to_owned(), value);
            }
        };
        put("code", "regenerated_at", json!(now));
        if let Some(hash) = hash {
            put("drift_tracking", "config_schema_hash", json!(hash));
        }
        document.entry("drift_tracking").or_insert_with(|| json!({}));
        document.entry("overrides").or_insert_with(|| json!({}));
        document.insert("format_version".to_owned(), json!("2.0"));
        Value::Object(document)
    }
}

fn title_case(words: &str) -> String {
    let title = |word: &str| {
        let mut chars = word.chars();
        let first = chars.next().map(char::to_uppercase);
        first.into_iter().flatten().chain(chars.as_str().to_lowercase().chars()).collect::<String>()
    };
    words.split(' ').map(title).collect::<Vec<_>>().join(" ")
}
