//! What a manifest may say, in the words of the contract, and what becomes of it when it is written anew.

use super::*;

const NESTED: &str = r#"{"format_version": "2.0", "x_own": {"kept": 1},
 "install": {"python_path": "/opt/envs/graph/bin/python", "conda_env": "", "env_vars": {"GRAPH_CACHE": "on"},
   "installed_at": "2026-05-27T10:00:00+00:00", "x_place": "here"},
 "code": {"name": "graph", "version": "0.0.9", "description": "SQLite context graph", "module": "graph.plugin",
   "class": "Graph", "interface": "graph_system.plugin_interface.GraphPlugin", "structural_surface": {"a": 1},
   "taxonomy": {"domain": "graph_store", "role": "GraphPlugin", "interface_fqcn": "graph_system.plugin_interface.GraphPlugin"},
   "resources": {"requires_gpu": false, "platforms": ["linux-x64"], "accelerators": ["cpu"], "min_system_ram_mb": 512},
   "config_schema": {"type": "object", "properties": {"readonly": {"type": "boolean", "default": false}}},
   "worker_env": [{"name": "API_KEY", "secret": true, "required": true, "default": null, "options": null}]},
 "drift_tracking": {"config_schema_hash": "sha256:00", "structural_surface_hash": "sha256:11"},
 "overrides": {"install": {"env_vars": {"MORE": "1"}}, "code": {"description": "Ours"}}}"#;

const FLAT: &str = r#"{"name": "p", "version": "1", "description": "d", "module": "m.plugin", "class": "C",
 "interface": "a.b.C", "python_path": "/opt/envs/p/bin/python", "category": "Old", "conda_env": "e",
 "env_vars": {"A": "1"}, "installed_at": "then", "x_own": 1, "config_schema": {"properties": {}}}"#;

/// The manifest with one place changed; `null` takes it out.
fn changed(text: &str, pointer: &str, value: Value) -> Value {
    let mut manifest: Value = serde_json::from_str(text).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(key),
        value => parent.insert(key.to_owned(), value),
    };
    manifest
}

#[track_caller]
fn check(text: &str, pointer: &str, value: Value, expected: &str) {
    let found = Manifest::of(changed(text, pointer, value)).err().unwrap_or_default();
    assert_eq!(found, [format!("manifest: {expected}")], "{pointer}");
}

#[test]
fn each_mistake_of_the_nested_format_is_told_in_the_words_of_the_contract() {
    for (pointer, value, expected) in [
        (
            "/format_version",
            json!("3.0"),
            "unrecognized format_version '3.0'; expected '2.0' or legacy (no format_version field)",
        ),
        ("/code/version", json!(""), "required field 'code.version' is missing or empty"),
        ("/code/class", json!(7), "'code.class' must be a string, got int"),
        ("/install/python_path", Value::Null, "required field 'install.python_path' is missing or empty"),
        ("/install/python_path", json!([1]), "'install.python_path' must be a string, got list"),
        ("/install/conda_env", json!(1), "'install.conda_env' must be a string when present"),
        ("/install/env_vars", json!([]), "'install.env_vars' must be an object when present"),
        ("/install/env_vars/A", json!(1.5), "'install.env_vars.A' must be a string, got float"),
        ("/code/regenerated_at", json!(1), "'code.regenerated_at' must be a string when present"),
        ("/code/config_schema", json!("x"), "'code.config_schema' must be an object when present"),
        (
            "/code/config_schema/properties",
            json!([]),
            "'code.config_schema.properties' must be an object when present",
        ),
        ("/code/taxonomy", json!(1), "code: 'taxonomy' must be an object when present"),
        ("/code/taxonomy/role", Value::Null, "code: 'taxonomy.role' is required when taxonomy block present"),
        ("/code/taxonomy/domain", json!(1), "code: 'taxonomy.domain' must be a string"),
        ("/code/resources", json!([]), "code: 'resources' must be an object when present"),
        ("/code/resources/requires_gpu", json!("no"), "code: 'resources.requires_gpu' must be a boolean"),
        ("/code/resources/platforms", json!("linux"), "code: 'resources.platforms' must be a list"),
        (
            "/code/resources/accelerators",
            json!([1]),
            "code: 'resources.accelerators' must contain only strings",
        ),
        ("/code/worker_env", json!({}), "code: 'worker_env' must be a list when present"),
        (
            "/code/worker_env",
            json!([{"name": ""}]),
            "code: required field 'worker_env[0].name' is missing or empty",
        ),
        (
            "/code/worker_env",
            json!([{"name": "A", "secret": true, "default": "x"}]),
            "code: 'worker_env[0]' is a secret and has a default",
        ),
        ("/drift_tracking", json!([]), "'drift_tracking' must be an object when present, got list"),
        (
            "/drift_tracking/config_schema_hash",
            json!(1),
            "'drift_tracking.config_schema_hash' must be a string when present",
        ),
        ("/overrides", json!(true), "'overrides' must be an object when present, got bool"),
        ("/overrides/code/name", json!(1), "'code.name' must be a string, got int (with its 'overrides')"),
    ] {
        check(NESTED, pointer, value, expected);
    }
    let found = Manifest::of(changed(NESTED, "/code/interface", json!("Foo"))).unwrap_err();
    assert_eq!(
        found,
        [
            "manifest: 'code.interface' 'Foo' is not a dotted FQN (expected 'module.subpackage.ClassName')",
            "manifest: code: 'taxonomy.interface_fqcn' ('graph_system.plugin_interface.GraphPlugin') disagrees with \
             sibling 'interface' ('Foo')",
        ]
    );
    let found = Manifest::of(changed(NESTED, "/code/config_schema/type", json!("nonsense"))).unwrap_err();
    assert!(found[0].starts_with("manifest: 'code.config_schema' is no JSON Schema"), "{found:?}");
}

#[test]
fn each_mistake_of_the_flat_format_is_told_in_the_words_of_the_contract() {
    for (pointer, value, expected) in [
        ("/module", Value::Null, "required field 'module' is missing or empty"),
        ("/python_path", json!({}), "field 'python_path' must be a string, got dict"),
        (
            "/interface",
            json!("C"),
            "field 'interface' 'C' is not a dotted FQN (expected 'module.subpackage.ClassName')",
        ),
        ("/category", json!(1), "field 'category' must be a string when present"),
        ("/env_vars", json!(1), "field 'env_vars' must be an object when present"),
        ("/config_schema", json!(1), "field 'config_schema' must be an object when present"),
        ("/config_schema/properties", json!(1), "'config_schema.properties' must be an object when present"),
        ("/resources", json!({"platforms": 1}), "'resources.platforms' must be a list"),
        (
            "/taxonomy",
            json!({"domain": "a", "role": "b", "interface_fqcn": "x.y"}),
            "'taxonomy.interface_fqcn' ('x.y') disagrees with sibling 'interface' ('a.b.C')",
        ),
    ] {
        check(FLAT, pointer, value, expected);
    }
}

#[test]
fn all_mistakes_come_at_once_in_their_order() {
    let manifest = json!({"format_version": "2.0", "install": [], "drift_tracking": 1,
        "code": {"name": "", "version": null, "module": 1, "class": "C", "interface": "I", "description": "d"}});
    assert_eq!(
        Manifest::of(manifest).unwrap_err(),
        [
            "manifest: 'install' must be an object, got list",
            "manifest: 'drift_tracking' must be an object when present, got int",
            "manifest: required field 'code.name' is missing or empty",
            "manifest: required field 'code.version' is missing or empty",
            "manifest: 'code.module' must be a string, got int",
            "manifest: 'code.interface' 'I' is not a dotted FQN (expected 'module.subpackage.ClassName')",
        ]
    );
    let found = Manifest::of(json!({"format_version": "2.0"})).unwrap_err();
    assert_eq!(
        found,
        ["manifest: required section 'install' is missing", "manifest: required section 'code' is missing"]
    );
    assert_eq!(Manifest::of(json!([])).unwrap_err(), ["manifest must be a JSON object, got list"]);
    assert!(Manifest::parse("{").unwrap_err()[0].starts_with("manifest: it is no JSON: "));
}

#[test]
fn overrides_lie_over_what_stands_there_and_stay_apart_from_it() {
    let manifest = Manifest::parse(NESTED).unwrap();
    assert_eq!(manifest.description(), "Ours");
    let variables: Vec<_> = manifest.variables().into_iter().collect();
    assert_eq!(variables, [("GRAPH_CACHE", "on"), ("MORE", "1")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let written = manifest.rewritten("now");
    assert_eq!(written["code"]["description"], "SQLite context graph");
    assert_eq!(written["overrides"]["code"]["description"], "Ours");
}

#[test]
fn what_is_written_is_the_new_format_with_all_that_was_there() {
    let written = Manifest::parse(NESTED).unwrap().rewritten("now");
    assert_eq!(
        (
            &written["x_own"]["kept"],
            &written["install"]["x_place"],
            &written["code"]["structural_surface"]["a"]
        ),
        (&json!(1), &json!("here"), &json!(1))
    );
    assert_eq!(written["install"]["installed_at"], "2026-05-27T10:00:00+00:00");
    assert_eq!(written["code"]["regenerated_at"], "now");
    let schema = json!({"type": "object", "properties": {"readonly": {"type": "boolean", "default": false}}});
    assert_eq!(written["drift_tracking"]["config_schema_hash"], sha256_of(&schema));
    assert_eq!(written["drift_tracking"]["structural_surface_hash"], "sha256:11");

    let flat = Manifest::parse(FLAT).unwrap();
    assert_eq!((flat.schema_hash(), flat.python()), (None, "/opt/envs/p/bin/python"));
    let written = flat.rewritten("now");
    assert_eq!((&written["format_version"], &written["x_own"]), (&json!("2.0"), &json!(1)));
    assert_eq!(
        (&written["install"]["installed_at"], &written["install"]["conda_env"]),
        (&json!("then"), &json!("e"))
    );
    assert!(written.get("python_path").is_none() && written["code"].get("taxonomy").is_none(), "{written}");
    assert_eq!(Manifest::of(written.clone()).unwrap().rewritten("now"), written, "once is as good as twice");
}

#[test]
fn a_plugin_is_of_the_category_that_somebody_set_then_of_its_domain_then_of_the_old_one() {
    assert_eq!(Manifest::parse(NESTED).unwrap().category(), "Graph Store");
    assert_eq!(Manifest::parse(FLAT).unwrap().category(), "Old");
    let set = changed(FLAT, "/category_override", json!("Shown"));
    assert_eq!(Manifest::of(set).unwrap().category(), "Shown");
    assert_eq!(Manifest::of(changed(FLAT, "/category", Value::Null)).unwrap().category(), "");
}
