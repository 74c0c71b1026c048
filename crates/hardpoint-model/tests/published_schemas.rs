//! The JSON Schemas in `docs/reference` are the ones the code checks with.
//! `HARDPOINT_UPDATE_DOCS=1 cargo test -p hardpoint-model` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;

use serde_json::Value;

#[track_caller]
fn check(file: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    let expected = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if std::env::var_os("HARDPOINT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == expected,
        "{file} is out of date: run HARDPOINT_UPDATE_DOCS=1 cargo test -p hardpoint-model"
    );
}

#[test]
fn the_manifest_schema_is_current() {
    check("manifest.schema.json", &hardpoint_model::manifest::schema());
}

#[test]
fn the_pipeline_schema_is_current() {
    check("pipeline.schema.json", &hardpoint_model::pipeline::schema());
}

#[test]
fn the_configuration_schema_is_current() {
    check("config.schema.json", &hardpoint_model::config::schema());
}
