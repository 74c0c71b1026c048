//! A plugin's manifest in the form of other hosts: its own, or one made from its tools.
//!
//! Owns that form. Must not know routes.

use super::tool;
use hardpoint_engine::PluginView;
use hardpoint_wire::ToolInfo;
use serde_json::{Map, Value, json};

/// Names that the native answer has for itself.
const NATIVE: [&str; 2] = ["manifest", "manifest_error"];

/// The manifest of a plugin; it can always be told.
pub(crate) fn manifest(plugin: &PluginView) -> Map<String, Value> {
    let mut told = tool::manifest(plugin).cloned().unwrap_or_else(|| synthesised(plugin));
    told.retain(|name, _| !NATIVE.contains(&name.as_str()));
    told
}

/// What is wrong with the file of a plugin that brought one from its old host.
pub(crate) fn manifest_error(plugin: &PluginView) -> Option<String> {
    tool::manifest_error(plugin)
}

fn synthesised(plugin: &PluginView) -> Map<String, Value> {
    let health = plugin.health();
    let tools: Vec<Value> = plugin.tools().into_iter().map(entry).collect();
    let told = [
        ("id", json!(plugin.name)),
        ("name", json!(plugin.name)),
        ("version", json!(health.version)),
        ("description", json!(health.description)),
        ("type", json!("custom")),
        ("capabilities", json!([])),
        ("tools", json!(tools)),
        ("synthesised", json!(true)),
    ];
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn entry(info: &ToolInfo) -> Value {
    json!({
        "id": info.name,
        "title": info.name,
        "description": info.description,
        "inputs": words(&info.input_schema),
        "outputs": words(&info.output_schema),
        "input_types": tool::input_types(info),
        "output_types": [],
        "capabilities": [],
    })
}

/// Names with the words of manifests: `string`, `integer?`.
fn words(schema: &Value) -> Map<String, Value> {
    let fields = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let word = |(name, field): (&String, &Value)| {
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        (name.clone(), json!(format!("{}{optional}", kind(field))))
    };
    fields.into_iter().flatten().map(word).collect()
}

const WORDS: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];

fn kind(field: &Value) -> &'static str {
    let named = |kind: &Value| kind.as_str().and_then(|kind| WORDS.into_iter().find(|word| *word == kind));
    let of_field = |field: &Value| match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find_map(named),
        Some(kind) => named(kind),
        None => None,
    };
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| field.get(key)?.as_array()).flatten();
    of_field(field).or_else(|| choices.into_iter().find_map(of_field)).unwrap_or("object")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_the_words_of_manifests() {
        let schema = json!({"required": ["a", "e"], "properties": {
            "a": {"type": "string"}, "b": {"type": "integer"}, "c": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "d": {"type": ["array", "null"]}, "e": {}, "f": {"type": "bytes"}}});
        let expected = json!({"a": "string", "b": "integer?", "c": "number?", "d": "array?", "e": "object",
            "f": "object?"});
        assert_eq!(Value::Object(words(&schema)), expected);
        assert_eq!(words(&json!({})), Map::new());
    }
}
