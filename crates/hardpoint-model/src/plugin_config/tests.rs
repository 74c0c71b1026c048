//! What a plugin is given, whatever is said in the manifest and by hand.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn layers(manifest: Value, persisted: Value) -> Layers {
    Layers { manifest: object(manifest), persisted: object(persisted), ..Layers::default() }
}

fn schema() -> ConfigSchema {
    let schema = json!({
        "type": "object",
        "properties": {
            "language": {"type": "string", "default": "eng", "minLength": 3, "pattern": "^[a-z]+$"},
            "dpi": {"type": "integer", "default": 300, "minimum": 72, "maximum": 1200},
            "mode": {"enum": ["fast", "best"], "default": "fast"},
            "mail": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}], "default": null},
            "server": {"$ref": "#/$defs/server"},
            "extra": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "$defs": {"server": {"type": "object", "default": {"host": "localhost"}, "properties": {
            "host": {"type": "string"}, "port": {"type": "integer", "default": 80}}}},
    });
    ConfigSchema::compile(&schema).unwrap()
}

#[track_caller]
fn mistakes(persisted: Value) -> Vec<(String, String)> {
    let found = effective(Some(&schema()), &layers(json!({}), persisted), UnknownKeys::Refuse).unwrap_err();
    found.into_iter().map(|mistake| (mistake.pointer, mistake.message)).collect()
}

#[test]
fn what_nobody_says_is_the_schemas_default_and_everybody_is_named() {
    let said = layers(
        json!({"dpi": 600, "server": {"port": 8080}}),
        json!({"mode": "best", "server": {"host": "a"}}),
    );
    let given = effective(Some(&schema()), &said, UnknownKeys::Refuse).unwrap();
    let expected = json!({"language": "eng", "dpi": 600, "mode": "best", "mail": null,
        "server": {"host": "a", "port": 8080}});
    assert_eq!(Value::Object(given.values), expected);
    let origins: Vec<(&str, &str)> =
        given.origins.iter().map(|(pointer, origin)| (pointer.as_str(), origin.as_str())).collect();
    let expected = [
        ("/dpi", "manifest"),
        ("/language", "default"),
        ("/mail", "default"),
        ("/mode", "persisted"),
        ("/server/host", "persisted"),
        ("/server/port", "manifest"),
    ];
    assert_eq!(origins, expected);
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let found = mistakes(json!({"languag": "eng", "language": "E", "dpi": 7, "mode": "slow",
        "mail": "nobody", "server": {"prot": 1}, "extra": {"a": "b"}}));
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    for pointer in ["/languag", "/language", "/dpi", "/mode", "/mail", "/extra/a"] {
        assert!(pointers.contains(&pointer), "{pointer} is missing: {found:#?}");
    }
    let expected = "unknown field `languag`: did you mean `language`?";
    assert_eq!(mistakes(json!({"languag": "deu"})), [("/languag".to_owned(), expected.to_owned())]);
}

#[test]
fn more_mistakes_than_a_screen_full_are_told_all() {
    let many: Object = (0..300).map(|number| (format!("key_{number}"), json!(number))).collect();
    assert_eq!(mistakes(Value::Object(many)).len(), 300);
}

#[test]
fn unknown_keys_are_left_out_where_that_is_wanted_and_wrong_values_are_not() {
    let said = layers(json!({"old": 1}), json!({"dpi": 100, "gone": {"a": 1}}));
    let given = effective(Some(&schema()), &said, UnknownKeys::Ignore).unwrap();
    assert_eq!(given.ignored, ["/gone", "/old"]);
    assert!(!given.values.contains_key("gone") && !given.origins.contains_key("/gone/a"));
    let wrong = layers(json!({}), json!({"dpi": "many", "gone": 1}));
    assert_eq!(effective(Some(&schema()), &wrong, UnknownKeys::Ignore).unwrap_err().len(), 1);
}

#[test]
fn a_schema_that_goes_round_is_filled_as_deep_as_there_are_values() {
    let round = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
        "size": {"default": 1}, "next": {"$ref": "#/$defs/node"}}}}});
    let schema = ConfigSchema::compile(&round).unwrap();
    let said = layers(json!({}), json!({"next": {"next": {}}}));
    let given = effective(Some(&schema), &said, UnknownKeys::Refuse).unwrap().values;
    assert_eq!(Value::Object(given), json!({"size": 1, "next": {"size": 1, "next": {"size": 1}}}));
}

#[test]
fn a_plugin_without_a_schema_takes_everything_up_to_a_size() {
    let given = effective(None, &layers(json!({}), json!({"a": [1, null]})), UnknownKeys::Refuse).unwrap();
    assert_eq!(Value::Object(given.values), json!({"a": [1, null]}));
    let large = layers(json!({}), json!({"a": "x".repeat(300_000)}));
    assert_eq!(effective(None, &large, UnknownKeys::Refuse).unwrap_err()[0].pointer, "");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c/~]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c/~]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Object> {
    prop::collection::btree_map("[a-c/~]{1,2}", values(), 0..5).prop_map(|map| map.into_iter().collect())
}

/// Whether an object has null anywhere but inside a list.
fn has_null(object: &Object) -> bool {
    object.values().any(|value| match value {
        Value::Null => true,
        Value::Object(below) => has_null(below),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    })
}

proptest! {
    #[test]
    fn a_change_made_twice_is_made_once_and_leaves_no_null(kept in objects(), patch in objects()) {
        let mut once = Object::new();
        merge(&mut once, &kept);
        merge(&mut once, &patch);
        let mut twice = once.clone();
        merge(&mut twice, &patch);
        prop_assert_eq!(&once, &twice);
        prop_assert!(!has_null(&once), "{:?}", once);
    }

    #[test]
    fn every_value_is_the_one_of_the_layer_that_it_is_said_to_be_of(
        manifest in objects(), persisted in objects(), instance in objects(),
    ) {
        let said = Layers { manifest, persisted, instance };
        let given = effective(None, &said, UnknownKeys::Refuse).unwrap();
        let values = Value::Object(given.values);
        let of = |layer: &Object, pointer: &str| Value::Object(layer.clone()).pointer(pointer).cloned();
        for (pointer, origin) in &given.origins {
            let value = values.pointer(pointer).cloned();
            let (own, by_hand) = (of(&said.instance, pointer), of(&said.persisted, pointer));
            let declared = of(&said.manifest, pointer);
            match origin {
                Origin::Instance => prop_assert_eq!(&value, &own, "{}", pointer),
                Origin::Persisted => prop_assert_eq!((&value, own), (&by_hand, None), "{}", pointer),
                Origin::Manifest => {
                    prop_assert_eq!((&value, own, by_hand), (&declared, None, None), "{}", pointer);
                }
                Origin::Default => prop_assert!(false, "{} has no default", pointer),
            }
        }
    }

    #[test]
    fn removing_what_was_set_by_hand_brings_back_what_was_there(patch in objects()) {
        let all: Object = patch.keys().map(|name| (name.clone(), Value::Null)).collect();
        let mut kept = Object::new();
        merge(&mut kept, &patch);
        merge(&mut kept, &all);
        prop_assert!(kept.is_empty(), "{:?}", kept);
    }

    #[test]
    fn whatever_stands_there_is_told_or_taken_and_unknown_keys_never_stay(persisted in objects()) {
        let schema = schema();
        let said = Layers { persisted: persisted.clone(), ..Layers::default() };
        let strict = effective(Some(&schema), &said, UnknownKeys::Refuse);
        let told: Vec<String> = strict.err().into_iter().flatten().map(|mistake| mistake.pointer).collect();
        let lenient = effective(Some(&schema), &said, UnknownKeys::Ignore).unwrap();
        for name in persisted.keys() {
            prop_assert!(!lenient.values.contains_key(name), "{} is unknown", name);
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            prop_assert!(told.contains(&pointer), "{} is not told: {:?}", pointer, told);
        }
    }
}
