//! Owns how layers lie on each other, and the memory of where each value came from.
//! Knows nothing of how a layer was read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Config;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Origin {
    /// An option.
    CommandLine {
        /// For example `--listen`.
        option: String,
    },
    /// A variable.
    Environment {
        /// For example `HARDPOINT_LISTEN`.
        variable: String,
    },
    /// A line of the file.
    File {
        /// Its name, as the user knows it.
        file: String,
        /// The line, where it is known.
        line: Option<u32>,
    },
    /// Nobody gave it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine { option } => write!(f, "command line {option}"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::File { file, line: Some(line) } => write!(f, "file {file}:{line}"),
            Self::File { file, line: None } => write!(f, "file {file}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Dotted: `restart.policy`.
    pub key: String,
    /// Its value; null where nothing is set and nothing is the default.
    pub value: Value,
    /// Where the value came from.
    pub origin: Origin,
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    origins: BTreeMap<String, Origin>,
}

impl Loaded {
    pub(super) fn new(config: Config, origins: BTreeMap<String, Origin>) -> Self {
        Self { config, origins }
    }

    /// Every key with its value and where that came from, in the order of the keys.
    pub fn entries(&self) -> Vec<Entry> {
        let value = serde_json::to_value(&self.config).unwrap_or_default();
        let mut leaves = BTreeMap::new();
        flatten(&value, "", &mut leaves);
        for optional in ["data_dir", "plugins_dir", "http.requests_per_second", "scheduler.memory_mb"] {
            leaves.entry(optional.to_owned()).or_insert(Value::Null);
        }
        let entry = |(key, value): (String, Value)| Entry { origin: self.origin(&key), key, value };
        leaves.into_iter().map(entry).collect()
    }

    /// Where the value of a key came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// Values of some keys, with where each came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layer {
    pub(super) value: Map<String, Value>,
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Layer {
    /// Sets one key.
    pub(super) fn set(&mut self, path: &[String], value: Value, origin: Origin) {
        let Some((last, above)) = path.split_last() else { return };
        let mut node = &mut self.value;
        for part in above {
            let below = node.entry(part.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !below.is_object() {
                *below = Value::Object(Map::new());
            }
            let Value::Object(map) = below else { return };
            node = map;
        }
        node.insert(last.clone(), value);
        self.origins.insert(path.join("."), origin);
    }

    /// Lays `over` on top: its keys win, all others stay as they are.
    pub(super) fn put(&mut self, over: Self) {
        merge(&mut self.value, over.value);
        self.origins.extend(over.origins);
    }

    /// Makes relative paths start at a folder.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for key in ["data_dir", "plugins_dir"] {
            if let Some(Value::String(path)) = self.value.get_mut(key) {
                let resolved: PathBuf = folder.join(&*path).components().collect();
                *path = resolved.to_string_lossy().into_owned();
            }
        }
    }
}

fn merge(below: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(over)) => merge(below, over),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// Every leaf by its dotted key. A list is one leaf: it is replaced as a whole.
pub(super) fn flatten(value: &Value, key: &str, leaves: &mut BTreeMap<String, Value>) {
    let Value::Object(fields) = value else {
        leaves.insert(key.to_owned(), value.clone());
        return;
    };
    for (name, value) in fields {
        let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        flatten(value, &below, leaves);
    }
}
