//! Owns how a text from the command line or the environment becomes a value: by what the schema wants there.
//! Knows nothing of where the text came from.

use serde_json::Value;

use super::names::resolve;

/// The value that `text` stands for. What fits no kind stays a text: the schema then says what is wrong.
pub(super) fn typed(root: &Value, node: &Value, text: &str) -> Value {
    let node = resolve(root, node);
    match node.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => plain(text.trim()),
        Some("array") => list(root, node, text),
        Some(_) | None => Value::from(text),
    }
}

/// Whether a key holds further keys and no value of its own.
pub(super) fn is_group(root: &Value, node: &Value) -> bool {
    resolve(root, node).get("type").is_some_and(|kind| kind == "object")
}

fn plain(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        Ok(_) | Err(_) => Value::from(text),
    }
}

/// `a, b`, or JSON.
fn list(root: &Value, node: &Value, text: &str) -> Value {
    if let Ok(value @ Value::Array(_)) = serde_json::from_str(text) {
        return value;
    }
    let items = node.get("items").unwrap_or(&Value::Null);
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| typed(root, items, item))
        .collect()
}
