//! Owns the layers and their order: which value wins, and whose it is. Knows nothing of what a value may be.

use super::Object;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The plugin's schema has it as its `default`.
    Default,
    /// `[config]` of the plugin's manifest.
    Manifest,
    /// Somebody set it by hand for the plugin, and it is kept.
    Persisted,
    /// Somebody set it for this instance alone, as long as the host lives.
    Instance,
}

impl Origin {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Manifest => "manifest",
            Self::Persisted => "persisted",
            Self::Instance => "instance",
        }
    }
}

/// What was said about a plugin's configuration, the schema's defaults aside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers {
    /// `[config]` of its manifest.
    pub manifest: Object,
    /// What somebody set by hand for the plugin.
    pub persisted: Object,
    /// What somebody set for one further instance of it.
    pub instance: Object,
}

/// What a plugin is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effective {
    /// The values.
    pub values: Object,
    /// Whose each of them is, by JSON pointer; an object that is not empty is told key by key.
    pub origins: BTreeMap<String, Origin>,
    /// Pointers of what was left out because the plugin does not know it.
    pub ignored: Vec<String>,
}

impl Layers {
    /// Each over the one before.
    pub(super) fn merged(&self) -> Object {
        let mut merged = self.manifest.clone();
        overlay(&mut merged, &self.persisted);
        overlay(&mut merged, &self.instance);
        merged
    }

    /// Whose the leaves of `values` are, which are these layers with the schema's defaults below them.
    pub(super) fn origins(&self, values: &Object) -> BTreeMap<String, Origin> {
        let whose = |pointer: &str| {
            let layers = [
                (&self.instance, Origin::Instance),
                (&self.persisted, Origin::Persisted),
                (&self.manifest, Origin::Manifest),
            ];
            let layer = layers.into_iter().find(|(layer, _)| at(layer, pointer).is_some());
            layer.map_or(Origin::Default, |(_, origin)| origin)
        };
        let mut leaves = Vec::new();
        leaves_of(values, "", &mut leaves);
        leaves.into_iter().map(|leaf| (leaf.clone(), whose(&leaf))).collect()
    }
}

/// Objects are merged, everything else is replaced. Unlike in a patch, null is a value.
fn overlay(values: &mut Object, layer: &Object) {
    for (name, over) in layer {
        match (values.get_mut(name), over) {
            (Some(Value::Object(below)), Value::Object(over)) => overlay(below, over),
            (_, over) => drop(values.insert(name.clone(), over.clone())),
        }
    }
}

/// The pointers of everything that is no object with something in it.
fn leaves_of(values: &Object, pointer: &str, leaves: &mut Vec<String>) {
    for (name, value) in values {
        let pointer = child(pointer, name);
        match value {
            Value::Object(below) if !below.is_empty() => leaves_of(below, &pointer, leaves),
            _ => leaves.push(pointer),
        }
    }
}

/// What stands at a pointer, through objects alone.
fn at<'a>(object: &'a Object, pointer: &str) -> Option<&'a Value> {
    let mut steps = steps(pointer);
    let first = object.get(&steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_object()?.get(&step))
}

/// The keys on the way to what a pointer names.
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// The pointer of a key.
fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
