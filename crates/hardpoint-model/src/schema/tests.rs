//! What people read when a value does not fit, and what a schema may not be.

use serde_json::{Value, json};

use super::*;

fn messages(schema: &Value, value: &Value) -> Vec<String> {
    compile(schema).unwrap().check(value).into_iter().map(|error| error.message).collect()
}

#[track_caller]
fn check(schema: &Value, value: &Value, expected: &[&str]) {
    assert_eq!(messages(schema, value), expected, "{value}");
}

fn tool() -> Value {
    json!({
        "type": "object",
        "properties": {
            "times": {"type": "integer", "minimum": 1, "maximum": 10},
            "mode": {"enum": ["fast", "slow"]},
            "image": {
                "type": "object", "format": "bytes", "minProperties": 1, "maxProperties": 1,
                "patternProperties": {"^\\$(bytes|blob)$": {}}, "additionalProperties": false
            },
            "boxes": {"type": "array", "items": {"$ref": "#/$defs/box"}},
            "limit": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
        },
        "required": ["times"],
        "additionalProperties": false,
        "$defs": {"box": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}}
    })
}

#[test]
fn a_fitting_value_has_no_errors() {
    check(&tool(), &json!({"times": 3, "image": {"$blob": 0}, "boxes": [{"x": 1}], "limit": null}), &[]);
}

#[test]
fn every_error_is_a_sentence_that_names_the_field() {
    for (value, expected) in [
        (json!({"times": "3"}), "`times` must be an integer, got string"),
        (json!({"times": 0}), "`times` must be at least 1, got 0"),
        (json!({"times": 1.5}), "`times` must be an integer, got number"),
        (json!({}), "`times` is required"),
        (json!({"times": 1, "mode": "quick"}), "`mode` must be one of `fast`, `slow`, got `quick`"),
        (json!({"times": 1, "image": "abc"}), "`image` must be bytes, got string"),
        (json!({"times": 1, "boxes": [{"x": 1}, {}]}), "`boxes[1].x` is required"),
        (json!({"times": 1, "limit": -1}), "`limit` must be at least 0, got -1"),
        (json!({"times": 1, "limit": "x"}), "`limit` must be an integer, got string"),
        (json!([]), "the value must be an object, got list"),
    ] {
        check(&tool(), &value, &[expected]);
    }
}

#[test]
fn all_errors_come_at_once_with_their_places() {
    let errors = compile(&tool()).unwrap().check(&json!({"tims": 3, "mode": 1, "zzz": 0}));
    let seen: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.message.as_str())).collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.contains(&("/tims", "unknown field `tims`: did you mean `times`?")), "{seen:?}");
    assert!(seen.contains(&("/zzz", "unknown field `zzz`")), "{seen:?}");
    assert!(seen.contains(&("/times", "`times` is required")), "{seen:?}");
    assert!(seen.contains(&("/mode", "`mode` must be one of `fast`, `slow`, got 1")), "{seen:?}");
}

#[test]
fn a_number_in_quotes_has_a_hint() {
    let errors = compile(&tool()).unwrap().check(&json!({"times": "3"}));
    assert_eq!(errors[0].hint.as_deref(), Some("write 3 without quotes"));
}

#[test]
fn the_number_and_length_of_errors_are_bounded() {
    let value: serde_json::Map<String, Value> =
        (0..500).map(|i| (format!("{i}{}", "x".repeat(1000)), Value::from(i))).collect();
    let errors = compile(&tool()).unwrap().check(&Value::Object(value));
    assert!(errors.len() <= FIELD_ERRORS_MAX);
    assert!(errors.iter().all(|error| error.message.len() < 500));
}

#[test]
fn schemas_that_would_hurt_the_host_are_refused() {
    let mut doubling = json!({"$ref": "#/$defs/a0", "$defs": {}});
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/a{}", level + 1)});
        doubling["$defs"][format!("a{level}")] = json!({"allOf": [next, next]});
    }
    doubling["$defs"]["a40"] = json!({});
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!({"items": deep});
    }
    for (schema, expected) in [
        (json!({"$ref": "#"}), "circle"),
        (json!({"allOf": [{"$ref": "#"}]}), "circle"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            "circle",
        ),
        (json!({"$ref": "https://example.com/schema.json"}), "does not contain"),
        (json!({"$ref": "file:///etc/passwd"}), "does not contain"),
        (json!({"$ref": "#/$defs/none"}), "does not contain"),
        (json!({"properties": {"a": {"$id": "x", "$ref": "#"}}}), "does not contain"),
        (json!({"type": "nonsense"}), "not a valid JSON Schema"),
        (json!({"pattern": "("}), "not a valid JSON Schema"),
        (doubling, "too large"),
        (deep, "too large"),
    ] {
        let error = compile(&schema).unwrap_err();
        assert!(error.to_string().contains(expected), "{schema}: {error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn a_recursive_schema_that_steps_into_the_value_is_fine() {
    let tree = json!({"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#"}}}});
    check(
        &tree,
        &json!({"below": [{"below": [{"below": 3}]}]}),
        &["`below[0].below[0].below` must be a list, got integer"],
    );
}

#[test]
fn data_inside_a_schema_is_not_taken_for_references() {
    let schema =
        json!({"default": {"$ref": "x", "$id": "y"}, "properties": {"default": {"type": "integer"}}});
    check(&schema, &json!({"default": "x"}), &["`default` must be an integer, got string"]);
}

#[test]
fn a_pattern_that_goes_back_too_often_ends() {
    let schema = json!({"pattern": "^(a+)+\\1$"});
    let errors = messages(&schema, &json!(format!("{}!", "a".repeat(40))));
    assert_eq!(errors.len(), 1);
}
