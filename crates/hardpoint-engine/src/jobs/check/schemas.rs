//! What the schemas of tools say of a value for certain.
//!
//! Owns types and what fits what. Pure: it knows neither plugins nor pipelines.

use hardpoint_model::schema::{FieldError, compile};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Binary data is an object of one field on the way, and a type of its own for everybody who thinks about it.
const BYTES: &str = "bytes";

/// What a tool takes as the argument of that name, where its schema says so.
pub(super) fn argument<'a>(input_schema: &'a Value, name: &str) -> Option<&'a Value> {
    resolved(input_schema).get("properties")?.get(name)
}

/// All arguments that a tool names, and what it takes as each.
pub(super) fn arguments(input_schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = resolved(input_schema).get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, wanted)| (name.as_str(), wanted))
}

/// The arguments that a tool cannot do without.
pub(super) fn required(input_schema: &Value) -> impl Iterator<Item = &str> {
    let required = resolved(input_schema).get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}

/// What is wrong with a value, in wire form, as the argument of that name. A schema that refers to more than its
/// definitions says nothing for certain.
pub(super) fn misfits(input_schema: &Value, name: &str, value: &Value) -> Vec<FieldError> {
    let Some(wanted) = argument(input_schema, name) else { return Vec::new() };
    let mut alone = Map::from_iter([("properties".to_owned(), json!({name: wanted}))]);
    for keyword in ["$schema", "$defs", "definitions"] {
        let shared = input_schema.get(keyword).map(|shared| (keyword.to_owned(), shared.clone()));
        alone.extend(shared);
    }
    compile(&Value::Object(alone)).map_or_else(|_| Vec::new(), |check| check.check(&json!({name: value})))
}

/// Whether an output has no other fields than those that are named.
pub(super) fn is_closed(schema: &Value) -> bool {
    let types = types(schema);
    let not_an_object = types.as_ref().is_some_and(|types| !types.contains("object"));
    not_an_object || schema.get("additionalProperties") == Some(&Value::Bool(false))
}

/// The types of two schemas that no value can have both of; for people.
pub(super) fn disjoint(given: &Value, needed: &Value) -> Option<(String, String)> {
    let (given, needed) = (types(resolved(given))?, types(resolved(needed))?);
    let fits = |given: &str, needed: &str| {
        given == needed
            || matches!((given, needed), ("integer", "number") | ("number", "integer") | (BYTES, "object"))
    };
    let common = given.iter().any(|one| needed.iter().any(|other| fits(one, other)));
    if common { None } else { Some((words(&given), words(&needed))) }
}

fn words(types: &BTreeSet<String>) -> String {
    types.iter().cloned().collect::<Vec<_>>().join(" or ")
}

/// The types that a schema allows; `None`: any.
fn types(schema: &Value) -> Option<BTreeSet<String>> {
    if schema.get("format").is_some_and(|format| format == BYTES) {
        return Some(BTreeSet::from([BYTES.to_owned()]));
    }
    match schema.get("type") {
        Some(Value::String(one)) => return Some(BTreeSet::from([one.clone()])),
        Some(Value::Array(some)) => {
            return Some(some.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    any.iter().map(types).try_fold(BTreeSet::new(), |mut all, some| {
        all.extend(some?);
        Some(all)
    })
}

pub(super) fn names(schema: &Value) -> Vec<String> {
    let properties = resolved(schema).get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// A schema that is only a reference to one of its own definitions stands for that definition.
pub(super) fn resolved(schema: &Value) -> &Value {
    let pointer =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(schema)
}

pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_types_that_no_value_has_both_of_do_not_fit() {
        let check = |given: Value, needed: Value, expected: Option<(&str, &str)>| {
            let found = disjoint(&given, &needed);
            let found = found.as_ref().map(|(given, needed)| (given.as_str(), needed.as_str()));
            assert_eq!(found, expected, "{given} {needed}");
        };
        let (text, whole) = (json!({"type": "string"}), json!({"type": "integer"}));
        check(text.clone(), whole.clone(), Some(("string", "integer")));
        check(text.clone(), text.clone(), None);
        check(whole.clone(), json!({"type": "number"}), None);
        check(json!({"type": "number"}), whole.clone(), None);
        check(json!({}), whole.clone(), None);
        check(text.clone(), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), None);
        check(json!({"type": ["string", "null"]}), whole, Some(("null or string", "integer")));
        check(text.clone(), json!({"anyOf": [{"type": "null"}, {"$ref": "#/x"}]}), None);
        let (bytes, object) = (json!({"type": "object", "format": "bytes"}), json!({"type": "object"}));
        check(text, bytes.clone(), Some(("string", "bytes")));
        check(object.clone(), bytes.clone(), Some(("object", "bytes")));
        check(bytes, object, None);
    }

    #[test]
    fn a_value_is_held_against_what_its_argument_takes_as_far_as_that_can_be_known() {
        let schema = json!({"properties": {"n": {"type": "integer", "minimum": 1}, "at": {"$ref": "#/$defs/at"},
            "same": {"$ref": "#/properties/n"}, "any": {}}, "required": ["n"],
            "$defs": {"at": {"type": "object", "required": ["x"]}}});
        let check = |name: &str, value: Value, expected: &[(&str, &str)]| {
            let found = misfits(&schema, name, &value);
            let found: Vec<_> = found.iter().map(|e| (e.pointer.as_str(), e.message.as_str())).collect();
            assert_eq!(found, expected, "{name} {value}");
        };
        check("n", json!("big"), &[("/n", "`n` must be an integer, got string")]);
        check("n", json!(2), &[]);
        check("at", json!({"x": 1}), &[]);
        check("at", json!({}), &[("/at/x", "`at.x` is required")]);
        check("same", json!("big"), &[]);
        check("any", json!(null), &[]);
        check("unknown", json!(1), &[]);
        assert_eq!(required(&schema).collect::<Vec<_>>(), ["n"]);
    }
}
