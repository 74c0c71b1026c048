//! Owns what passes from one stage to the next. Pure functions over JSON objects.

use serde_json::{Map, Value};

use super::Pass;

/// Why a stage's output cannot be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// Only an object has names that can become arguments.
    #[error("the output must be an object to be passed on, got {got}")]
    NotAnObject {
        /// What it was instead.
        got: &'static str,
    },
}

impl PassError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAnObject { .. } => {
                "let the tool return an object, for example {\"items\": […]}, or make it the last stage"
            }
        }
    }
}

/// The document that the next stage is given: `document` is what this stage was given,
/// `output` what it returned.
pub fn stage_input(
    pass: Pass,
    document: Map<String, Value>,
    output: Value,
) -> Result<Map<String, Value>, PassError> {
    let output = match output {
        Value::Object(output) => output,
        Value::Null => return Err(PassError::NotAnObject { got: "null" }),
        Value::Bool(_) => return Err(PassError::NotAnObject { got: "a boolean" }),
        Value::Number(_) => return Err(PassError::NotAnObject { got: "a number" }),
        Value::String(_) => return Err(PassError::NotAnObject { got: "a string" }),
        Value::Array(_) => return Err(PassError::NotAnObject { got: "a list" }),
    };
    Ok(match pass {
        Pass::Output => output,
        Pass::Merge => with_config(document, &output),
    })
}

/// `document` with the fields of `config` laid over it: a stage's config wins.
pub fn with_config(mut document: Map<String, Value>, config: &Map<String, Value>) -> Map<String, Value> {
    document.extend(config.iter().map(|(name, value)| (name.clone(), value.clone())));
    document
}

/// The fields of `document` that the tool takes: those its input schema names, or all of them when
/// the schema allows others. Passing between stages does this; a direct call does not.
pub fn select_fields(document: Map<String, Value>, input_schema: &Value) -> Map<String, Value> {
    let schema = resolved(input_schema);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if !closed || schema.get("patternProperties").is_some() {
        return document;
    }
    let Some(named) = schema.get("properties").and_then(Value::as_object) else { return Map::new() };
    document.into_iter().filter(|(name, _)| named.contains_key(name)).collect()
}

/// A schema that is only a reference to one of its own definitions stands for that definition.
fn resolved(schema: &Value) -> &Value {
    let pointer =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_stage_gets_the_output_or_the_merged_document() {
        for (pass, expected) in
            [(Pass::Output, json!({"b": 3, "c": 4})), (Pass::Merge, json!({"a": 1, "b": 3, "c": 4}))]
        {
            let next = stage_input(pass, map(json!({"a": 1, "b": 2})), json!({"b": 3, "c": 4}));
            assert_eq!(next, Ok(map(expected)));
        }
    }

    #[test]
    fn only_objects_are_passed_on() {
        for output in [json!(null), json!(true), json!(1), json!("x"), json!([1])] {
            for pass in [Pass::Output, Pass::Merge] {
                assert!(stage_input(pass, Map::new(), output.clone()).is_err(), "{output}");
            }
        }
    }

    #[test]
    fn a_tool_gets_the_fields_it_names() {
        let document = json!({"a": 1, "b": 2});
        for (schema, expected) in [
            (json!({"properties": {"a": {}}, "additionalProperties": false}), json!({"a": 1})),
            (json!({"properties": {"a": {}}, "additionalProperties": true}), json!({"a": 1, "b": 2})),
            (json!({"properties": {"a": {}}}), json!({"a": 1, "b": 2})),
            (json!({"additionalProperties": false}), json!({})),
            (json!(true), json!({"a": 1, "b": 2})),
            (
                json!({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"b": {}}, "additionalProperties": false}}}),
                json!({"b": 2}),
            ),
        ] {
            assert_eq!(select_fields(map(document.clone()), &schema), map(expected), "{schema}");
        }
    }

    #[test]
    fn a_config_wins_over_the_document() {
        assert_eq!(
            with_config(map(json!({"a": 1, "b": 1})), &map(json!({"b": 2}))),
            map(json!({"a": 1, "b": 2}))
        );
    }
}
