//! Owns the way from the text of a definition to a [`Pipeline`].

use std::sync::LazyLock;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Pipeline, Stage};
use crate::diagnostics::Diagnostics;
use crate::document::{Document, Format};
use crate::ids::PluginRef;
use crate::limits::PIPELINE_BYTES_MAX;
use crate::schema::{self, FieldError, FormatProblem, SchemaError, Validator, compile_with};
use crate::suggest::quoted;

/// A pipeline definition: an object, or just the list of its stages.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Hardpoint pipeline")]
#[expect(dead_code, reason = "only its schema is used")]
enum Definition {
    Full(Pipeline),
    Stages(Vec<Stage>),
}

/// The JSON Schema of a pipeline definition, as published for editors.
pub fn schema() -> Value {
    root_schema::<Definition>()
}

fn root_schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

const FORMATS: &[schema::Format] = &[("plugin-ref", plugin_ref), ("pipeline-name", pipeline_name)];

fn plugin_ref(text: &str) -> Result<(), FormatProblem> {
    text.parse::<PluginRef>().map(drop).map_err(|error| FormatProblem {
        message: format!("{error}, got `{}`", quoted(text)),
        hint: Some("write the plugin's name, or the id of an instance of it".to_owned()),
    })
}

fn pipeline_name(text: &str) -> Result<(), FormatProblem> {
    let first_fits = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if first_fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Ok(());
    }
    Err(FormatProblem {
        message: format!("must be letters, digits, `.`, `_` or `-`, got `{}`", quoted(text)),
        hint: Some("put the words for people into `description`".to_owned()),
    })
}

static VALIDATOR: LazyLock<Result<Validator, SchemaError>> =
    LazyLock::new(|| compile_with(&root_schema::<Pipeline>(), FORMATS));

/// A definition that is part of a larger JSON document; what is wrong in it is told by its place.
pub fn of_value(mut definition: Value) -> Result<Pipeline, Vec<FieldError>> {
    if definition.is_array() {
        definition = json!({"stages": definition});
    }
    let whole = |problem: String| {
        let (pointer, field, message) = (String::new(), String::new(), problem.clone());
        vec![FieldError { pointer, field, message, problem, hint: None }]
    };
    let validator = VALIDATOR.as_ref().map_err(|error| whole(error.to_string()))?;
    let errors = validator.check(&definition);
    if !errors.is_empty() {
        return Err(errors);
    }
    serde_json::from_value(without_nulls(definition)).map_err(|error| whole(error.to_string()))
}

pub(super) fn parse(text: &str, file: &str, format: Format) -> Result<Pipeline, Diagnostics> {
    let mut document = Document::parse(text, file, format, PIPELINE_BYTES_MAX)?;
    if document.value.is_array() {
        document.move_under("stages");
    }
    let validator =
        VALIDATOR.as_ref().map_err(|error| Diagnostics::of_file(file, error.to_string(), error.hint()))?;
    let errors = validator.check(&document.value);
    if !errors.is_empty() {
        return Err(Diagnostics::new(errors.into_iter().map(|error| document.field_error(error)).collect()));
    }
    serde_json::from_value(without_nulls(document.value))
        .map_err(|error| Diagnostics::of_file(file, error.to_string(), "compare the file with its reference"))
}

/// `total_timeout_seconds:` with nothing behind it is the long way to leave a field out.
fn without_nulls(mut definition: Value) -> Value {
    if let Some(fields) = definition.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    definition
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::Pass;
    use crate::seconds::Seconds;

    const YAML: &str = "\
name: read-page
description: Reads a page
pass: merge
fail_fast: false
timeout_seconds: 30
stages:
  - plugin: scan
    tool: load
    config:
      dpi: 300
  - plugin: ocr@fast
    tool: read
    timeout_seconds: 2.5
";

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = Pipeline::parse(YAML, "p.yaml", Format::Yaml).unwrap();
        let json = serde_json::to_string(&yaml).unwrap();
        assert_eq!(Pipeline::parse(&json, "p.json", Format::Json).unwrap(), yaml);
        assert_eq!((yaml.pass, yaml.fail_fast, yaml.stages.len()), (Pass::Merge, false, 2));
        let timeouts = yaml.stages.iter().map(|stage| stage.timeout_seconds.map(Seconds::as_millis));
        assert_eq!(timeouts.collect::<Vec<_>>(), [None, Some(2500)]);
        assert_eq!(yaml.timeout_seconds.as_millis(), 30_000);
    }

    #[test]
    fn a_bare_list_of_stages_is_a_pipeline() {
        for (text, format) in [
            ("- plugin: a\n  tool: b\n", Format::Yaml),
            ("[{\"plugin\": \"a\", \"tool\": \"b\"}]", Format::Json),
            ("stages: [{plugin: a, tool: b}]\ntotal_timeout_seconds:\n", Format::Yaml),
        ] {
            let pipeline = Pipeline::parse(text, "p", format).unwrap();
            assert_eq!(pipeline, Pipeline::of_stages(pipeline.stages.clone()));
            assert_eq!(pipeline.timeout_seconds.as_millis(), 300_000);
        }
    }

    #[track_caller]
    fn check(text: &str, format: Format, expected: &[&str]) {
        let found = Pipeline::parse(text, "p", format).unwrap_err();
        let found: Vec<_> = found.items.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_name_line_field_cause_and_remedy() {
        check(
            "- plugin: a\n  tol: b\n",
            Format::Yaml,
            &[
                "p:1: stages[0].tool: is required",
                "p:2: stages[0].tol: unknown field\nhint: did you mean `tool`?",
            ],
        );
        check(
            "{\"stages\": [],\n \"fail_fast\": \"no\"}",
            Format::Json,
            &[
                "p:1: stages: must have at least one item",
                "p:2: fail_fast: must be a boolean, got string\nhint: write `true` or `false` without quotes",
            ],
        );
        check(
            "stages:\n- plugin: A/b\n  tool: t\npass: both\n",
            Format::Yaml,
            &[
                "p:2: stages[0].plugin: must be letters, digits, `_` or `-`, 64 characters at most, got `A/b`\nhint: \
             write the plugin's name, or the id of an instance of it",
                "p:4: pass: must be one of `output`, `merge`, got `both`",
            ],
        );
        check(
            "just words",
            Format::Yaml,
            &["p: must be an object, got string\nhint: write it as a table of names and values"],
        );
        let long = format!("[{}]", ["{\"plugin\": \"a\", \"tool\": \"b\"}"; 65].join(","));
        check(&long, Format::Json, &["p:1: stages: must have at most 64 items"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}|[-:{}\\[\\]&*!|>'\"#%@` \na-c0-9.]{0,60}") {
            for format in [Format::Yaml, Format::Json, Format::Toml] {
                let _ = Pipeline::parse(&text, "p", format);
            }
        }

        #[test]
        fn no_change_of_a_definition_makes_the_parser_panic(
            at in 0..YAML.len(), cut in 0..20usize, put in "\\PC{0,8}|[-:{}\\[\\]&*!|>'\"#%@` \n]{0,6}",
        ) {
            let mut text: Vec<char> = YAML.chars().collect();
            let end = (at + cut).min(text.len());
            text.splice(at.min(end)..end, put.chars());
            let text: String = text.into_iter().collect();
            if let Err(found) = Pipeline::parse(&text, "p.yaml", Format::Yaml) {
                prop_assert!(!found.items.is_empty());
            }
        }
    }
}
