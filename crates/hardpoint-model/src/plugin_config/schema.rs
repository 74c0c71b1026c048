//! Owns what a plugin's own schema makes of its layers: defaults, unknown keys, everything that is wrong.
//! Knows nothing of where a schema or a layer is kept.

use super::layers::steps;
use super::{Effective, Layers, Object};
use crate::canonical::sha256_of;
use crate::limits::{CONFIG_BYTES_MAX, CONFIG_ERRORS_MAX};
use crate::schema::{self, FieldError, SchemaError, Validator};
use serde_json::Value;

/// A schema that refers to another place more often than this before it says something says nothing.
const REFERENCES_MAX: usize = 16;

/// Keywords that say themselves, or elsewhere, which further keys an object may have.
const OPEN: [&str; 11] = [
    "additionalProperties",
    "patternProperties",
    "unevaluatedProperties",
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
    "propertyNames",
];

/// What becomes of keys that the schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownKeys {
    /// They are mistakes.
    #[default]
    Refuse,
    /// They are left out.
    Ignore,
}

/// What a plugin says about its configuration, ready for use.
#[derive(Debug)]
pub struct ConfigSchema {
    schema: Value,
    hash: String,
    validator: Validator,
}

impl ConfigSchema {
    /// Compiles what a worker told.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let validator = schema::compile_with_formats(&closed(schema))?;
        Ok(Self { schema: schema.clone(), hash: sha256_of(schema), validator })
    }

    /// As the plugin told it.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Its name: `sha256:` and the digest of its canonical text.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The values, and what was left out of them; or everything that is wrong.
    fn settle(&self, mut values: Object, unknown: UnknownKeys) -> (Object, Vec<String>, Vec<FieldError>) {
        let mut ignored = Vec::new();
        let said = values.clone();
        fill(&self.schema, &self.schema, &mut values);
        loop {
            let mistakes = self.check(&values);
            let more: Vec<String> = mistakes
                .iter()
                .filter(|mistake| unknown == UnknownKeys::Ignore && mistake.is_unknown_field())
                .map(|mistake| mistake.pointer.clone())
                .collect();
            if more.is_empty() {
                let mistakes = self.with_suggestions(mistakes, &said);
                return (values, ignored, mistakes);
            }
            for pointer in &more {
                leave_out(&mut values, pointer);
            }
            ignored.extend(more);
        }
    }

    /// A key that was meant is not offered where its default stands already: of what was said itself it is.
    fn with_suggestions(&self, mistakes: Vec<FieldError>, said: &Object) -> Vec<FieldError> {
        if !mistakes.iter().any(FieldError::is_unknown_field) {
            return mistakes;
        }
        let mut better = self.check(said);
        better.retain(FieldError::is_unknown_field);
        let better = |mistake: FieldError| {
            let same =
                better.iter().find(|other| mistake.is_unknown_field() && other.pointer == mistake.pointer);
            same.cloned().unwrap_or(mistake)
        };
        mistakes.into_iter().map(better).collect()
    }

    fn check(&self, values: &Object) -> Vec<FieldError> {
        self.validator.check_up_to(&Value::Object(values.clone()), CONFIG_ERRORS_MAX)
    }
}

/// What a plugin is given, or everything that is wrong. A plugin without a schema takes everything.
pub fn effective(
    schema: Option<&ConfigSchema>,
    layers: &Layers,
    unknown: UnknownKeys,
) -> Result<Effective, Vec<FieldError>> {
    let (effective, mistakes) = judge(schema, layers, unknown);
    if mistakes.is_empty() { Ok(effective) } else { Err(mistakes) }
}

/// What a plugin would be given, and everything that is wrong with it.
pub fn judge(
    schema: Option<&ConfigSchema>,
    layers: &Layers,
    unknown: UnknownKeys,
) -> (Effective, Vec<FieldError>) {
    let merged = layers.merged();
    let (values, ignored, mut mistakes) = match schema {
        Some(schema) => schema.settle(merged, unknown),
        None => (merged, Vec::new(), Vec::new()),
    };
    let bytes = serde_json::to_vec(&values).map_or(usize::MAX, |text| text.len());
    if bytes > CONFIG_BYTES_MAX {
        mistakes.push(FieldError::of_whole(
            format!("must have at most {CONFIG_BYTES_MAX} bytes as JSON, has {bytes}"),
            "keep what is large in a file, and its path in the configuration",
        ));
    }
    (Effective { origins: layers.origins(&values), values, ignored }, mistakes)
}

/// Takes what a pointer names out of an object, if it is there.
pub fn leave_out(values: &mut Object, pointer: &str) {
    let mut way: Vec<String> = steps(pointer).collect();
    let Some(last) = way.pop() else { return };
    let mut values = values;
    for step in way {
        match values.get_mut(&step) {
            Some(Value::Object(below)) => values = below,
            _ => return,
        }
    }
    values.remove(&last);
}

/// Puts the schema's defaults where nothing stands. Goes as deep as there are values, however the schema goes round.
fn fill(root: &Value, node: &Value, values: &mut Object) {
    let properties = resolve(root, node).get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let default = property.get("default").or_else(|| resolve(root, property).get("default"));
        match (values.get_mut(name), default) {
            (None, Some(default)) => drop(values.insert(name.clone(), default.clone())),
            (Some(Value::Object(present)), Some(Value::Object(default))) => below(present, default),
            (_, _) => {}
        }
        if let Some(Value::Object(present)) = values.get_mut(name) {
            fill(root, property, present);
        }
    }
}

/// Puts the keys of a default under what is there.
fn below(present: &mut Object, default: &Object) {
    for (name, value) in default {
        match (present.get_mut(name), value) {
            (Some(Value::Object(present)), Value::Object(default)) => below(present, default),
            (Some(_), _) => {}
            (None, value) => drop(present.insert(name.clone(), value.clone())),
        }
    }
}

/// The part of the schema that a reference leads to.
fn resolve<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    let mut node = node;
    for _ in 0..REFERENCES_MAX {
        let reference = node.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        match reference.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => node = target,
            None => break,
        }
    }
    node
}

/// The same schema, which refuses keys that it does not name unless it says that there may be more.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    close(&mut schema);
    schema
}

fn close(node: &mut Value) {
    let Some(node) = node.as_object_mut() else { return };
    if node.get("properties").is_some_and(Value::is_object)
        && !OPEN.iter().any(|word| node.contains_key(*word))
    {
        node.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for property in node.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        close(property.1);
    }
}
