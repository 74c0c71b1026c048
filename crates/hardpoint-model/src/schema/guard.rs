//! Owns what a schema may not do, found before it is compiled: be huge, point elsewhere, go in circles,
//! or multiply itself. A circle would overflow the stack of whoever checks a value.
//! Knows only sizes and references.

use std::collections::BTreeMap;

use serde_json::Value;

use super::SchemaError;
use crate::limits::{NESTING_MAX, SCHEMA_NODES_MAX};
use crate::suggest::quoted;

const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
const MAPS_OF_SCHEMAS: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
const PLAIN_DATA: [&str; 5] = ["const", "enum", "default", "examples", "example"];

/// Keywords that apply further schemas to the same value: a reference below them has not moved on.
const SAME_VALUE: [&str; 9] =
    ["not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies"];

pub(super) fn check(schema: &Value) -> Result<(), SchemaError> {
    let mut walk = Walk { root: schema, nodes: 0, references: Vec::new() };
    walk.visit(schema, Role::Schema, 0)?;
    let mut costs = BTreeMap::new();
    for reference in &walk.references {
        reference_cost(schema, reference, &mut costs)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Schema,
    MapOfSchemas,
    Data,
}

impl Role {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Data => Self::Data,
            Self::Schema if MAPS_OF_SCHEMAS.contains(&key) => Self::MapOfSchemas,
            Self::Schema if PLAIN_DATA.contains(&key) => Self::Data,
            Self::Schema | Self::MapOfSchemas => Self::Schema,
        }
    }
}

struct Walk<'a> {
    root: &'a Value,
    nodes: usize,
    references: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, node: &'a Value, role: Role, depth: usize) -> Result<(), SchemaError> {
        self.nodes += 1;
        if self.nodes > SCHEMA_NODES_MAX {
            return Err(SchemaError::TooLarge(format!("more than {SCHEMA_NODES_MAX} values")));
        }
        if depth > NESTING_MAX {
            return Err(SchemaError::TooLarge(format!("nested deeper than {NESTING_MAX}")));
        }
        match node {
            Value::Array(items) => items.iter().try_for_each(|item| self.visit(item, role, depth + 1)),
            Value::Object(fields) => {
                if role == Role::Schema {
                    self.note_references(node, depth)?;
                }
                fields.iter().try_for_each(|(key, value)| self.visit(value, role.below(key), depth + 1))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    /// A nested `$id` would change what `#/…` means, so it counts as another document.
    fn note_references(&mut self, node: &'a Value, depth: usize) -> Result<(), SchemaError> {
        if let Some(id) = node.get("$id").and_then(Value::as_str).filter(|_| depth > 0) {
            return Err(SchemaError::Reference(quoted(id)));
        }
        for target in references_of(node) {
            if resolve(self.root, target).is_none() {
                return Err(SchemaError::Reference(quoted(target)));
            }
            self.references.push(target);
        }
        Ok(())
    }
}

fn references_of(node: &Value) -> impl Iterator<Item = &str> {
    REFERENCES.iter().filter_map(|keyword| node.get(keyword).and_then(Value::as_str))
}

fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// How often one value is looked at below a reference. `None` in `costs` marks one being counted.
fn reference_cost<'a>(
    root: &'a Value,
    reference: &'a str,
    costs: &mut BTreeMap<&'a str, Option<usize>>,
) -> Result<usize, SchemaError> {
    match costs.insert(reference, None) {
        Some(None) => return Err(SchemaError::Circle(quoted(reference))),
        Some(Some(known)) => {
            costs.insert(reference, Some(known));
            return Ok(known);
        }
        None => {}
    }
    let cost = match resolve(root, reference) {
        Some(target) => node_cost(root, target, costs)?,
        None => 0,
    };
    if cost > SCHEMA_NODES_MAX {
        return Err(SchemaError::TooLarge(format!("`{}` multiplies itself", quoted(reference))));
    }
    costs.insert(reference, Some(cost));
    Ok(cost)
}

fn node_cost<'a>(
    root: &'a Value,
    node: &'a Value,
    costs: &mut BTreeMap<&'a str, Option<usize>>,
) -> Result<usize, SchemaError> {
    let mut cost: usize = 1;
    for reference in references_of(node) {
        cost = cost.saturating_add(reference_cost(root, reference, costs)?);
    }
    for keyword in SAME_VALUE {
        let Some(below) = node.get(keyword) else { continue };
        let single = std::slice::from_ref(below);
        let schemas: Vec<&Value> = match below {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) if MAPS_OF_SCHEMAS.contains(&keyword) => map.values().collect(),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                single.iter().collect()
            }
        };
        for schema in schemas {
            cost = cost.saturating_add(node_cost(root, schema, costs)?);
        }
    }
    Ok(cost)
}
