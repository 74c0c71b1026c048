//! A tool as a person reads it: its name, what it takes, what it does.

use hardpoint_wire::ToolInfo;
use owo_colors::OwoColorize as _;
use serde_json::Value;

/// The signature, and the description below it.
pub(super) fn described(tool: &ToolInfo) -> String {
    let head = format!("  {}{}", tool.name.green(), signature(tool));
    tool.description.lines().fold(head, |text, line| format!("{text}\n      {}", line.trim()))
}

/// `(image: bytes, times: integer = 1)`
fn signature(tool: &ToolInfo) -> String {
    let schema = &tool.input_schema;
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|n| n == name))
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let parameter = |(name, schema): (&String, &Value)| {
        let default = schema.get("default").map_or_else(String::new, |value| format!(" = {value}"));
        let optional = if default.is_empty() && !required(name) { "?" } else { "" };
        format!("{name}{optional}: {}{default}", kind(schema))
    };
    let parameters: Vec<String> = properties.into_iter().flatten().map(parameter).collect();
    let streaming = if tool.streaming { "  (stream)" } else { "" };
    format!("({}){streaming}", parameters.join(", "))
}

fn kind(schema: &Value) -> String {
    if schema.get("format").is_some_and(|format| format == "bytes") {
        return "bytes".to_owned();
    }
    schema.get("type").and_then(Value::as_str).unwrap_or("any").to_owned()
}
