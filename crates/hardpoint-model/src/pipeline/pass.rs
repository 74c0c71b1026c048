//! Owns what passes from one stage to the next. Pure functions over named fields, whatever their values
//! are: JSON here, JSON with binary parts in a host.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Pass;

/// Takes the output of a stage over into the document that the next stage is given.
pub fn pass_on<V>(pass: Pass, document: &mut BTreeMap<String, V>, output: BTreeMap<String, V>) {
    match pass {
        Pass::Output => *document = output,
        Pass::Merge => document.extend(output),
    }
}

/// Whether a tool takes a field of the document: one that its input schema names, or any when the
/// schema allows others. Passing between stages asks this; a direct call does not.
pub fn takes(input_schema: &Value, field: &str) -> bool {
    let schema = resolved(input_schema);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if !closed || schema.get("patternProperties").is_some() {
        return true;
    }
    schema.get("properties").and_then(Value::as_object).is_some_and(|named| named.contains_key(field))
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

    fn fields(names: &[(&str, i32)]) -> BTreeMap<String, i32> {
        names.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn a_stage_gets_the_output_or_the_merged_document() {
        let check = |pass, expected: &[(&str, i32)]| {
            let mut document = fields(&[("a", 1), ("b", 2)]);
            pass_on(pass, &mut document, fields(&[("b", 3), ("c", 4)]));
            assert_eq!(document, fields(expected), "{pass:?}");
        };
        check(Pass::Output, &[("b", 3), ("c", 4)]);
        check(Pass::Merge, &[("a", 1), ("b", 3), ("c", 4)]);
    }

    #[test]
    fn a_tool_gets_the_fields_it_names() {
        let closed = json!({"properties": {"b": {}}, "additionalProperties": false});
        for (schema, a, b) in [
            (closed.clone(), false, true),
            (json!({"properties": {"a": {}}, "additionalProperties": true}), true, true),
            (json!({"properties": {"a": {}}}), true, true),
            (json!({"additionalProperties": false}), false, false),
            (json!({"$ref": "#/$defs/x", "$defs": {"x": closed}}), false, true),
        ] {
            assert_eq!((takes(&schema, "a"), takes(&schema, "b")), (a, b), "{schema}");
        }
    }
}
