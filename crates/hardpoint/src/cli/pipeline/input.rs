//! The input of a run: the options, and what kind each value is to be.
//!
//! Owns which stage a value is meant for. Must not know where the schemas come from.

use crate::cli::fields::{self, FIELD_HELP, Field};
use crate::embedded::{Document, Failure};
use clap::Args;
use hardpoint_model::Pipeline;
use hardpoint_model::pipeline::{Reference, Stage, takes};
use serde_json::Value;

/// What a run is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct Input {
    #[arg(long, value_name = "NAME=VALUE", help = format!("Input of the first stage, any number of times: {FIELD_HELP}"))]
    input: Vec<Field>,
    /// Input from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
}

/// How a stage takes a value.
enum Taken<'a> {
    /// As something of this schema.
    As(&'a Value),
    /// Somehow.
    Somehow,
    Not,
}

impl Input {
    /// Finds out before anything is started whether files can be read.
    pub(in crate::cli) fn check_files(&self) -> Result<(), Failure> {
        fields::check_files(&self.input)
    }

    /// The values, each typed by the first stage that takes one of its name. `schemas`: what the tools of the stages
    /// take, where it is known.
    pub(in crate::cli) fn document(
        &self,
        pipeline: &Pipeline,
        schemas: &[Option<Value>],
    ) -> Result<Document, Failure> {
        let taken = |name: &str| {
            let stages = pipeline.stages.iter().zip(schemas).enumerate();
            stages
                .map(|(index, (stage, schema))| taken(name, stage, index, schema.as_ref()))
                .collect::<Vec<_>>()
        };
        let is_unknown = |field: &&Field| taken(field.name()).iter().all(|taken| matches!(taken, Taken::Not));
        if let Some(unknown) = self.input.iter().find(is_unknown) {
            let message = format!("no stage of this pipeline takes an input called `{}`", unknown.name());
            return Err(Failure::request(message, format!("its stages take {}", all_names(schemas))));
        }
        let schema_of = |name: &str| {
            taken(name).into_iter().find_map(|taken| match taken {
                Taken::As(schema) => Some(schema),
                Taken::Somehow | Taken::Not => None,
            })
        };
        fields::document(self.input_json.as_deref(), &self.input, schema_of)
    }
}

/// How the stage at `index` takes an input of this name: as an argument, or where its own arguments refer to it.
fn taken<'a>(name: &str, stage: &Stage, index: usize, schema: Option<&'a Value>) -> Taken<'a> {
    let Some(args) = &stage.args else {
        return match schema {
            None => Taken::Somehow,
            Some(schema) => property(schema, name).unwrap_or(if takes(schema, name) {
                Taken::Somehow
            } else {
                Taken::Not
            }),
        };
    };
    let refers = |value: &Value| match Reference::of(value, index) {
        Some(Ok(Reference::Input(of) | Reference::Document(of))) => of == name,
        Some(Ok(Reference::Stage(..)) | Err(_)) | None => false,
    };
    if let Some((argument, _)) = args.iter().find(|(_, value)| refers(value)) {
        return schema.and_then(|schema| property(schema, argument)).unwrap_or(Taken::Somehow);
    }
    if args.values().any(|value| anywhere(value, &refers)) { Taken::Somehow } else { Taken::Not }
}

fn anywhere(value: &Value, refers: &impl Fn(&Value) -> bool) -> bool {
    refers(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| anywhere(item, refers)),
            Value::Object(fields) => fields.values().any(|field| anywhere(field, refers)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

fn property<'a>(schema: &'a Value, name: &str) -> Option<Taken<'a>> {
    schema.get("properties")?.get(name).map(Taken::As)
}

fn all_names(schemas: &[Option<Value>]) -> String {
    let names = schemas.iter().flatten().filter_map(|schema| {
        let properties = schema.get("properties")?.as_object()?;
        Some(properties.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
    });
    names.filter(|names| !names.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::document::Format;
    use serde_json::json;

    /// What becomes of `n=1`, where the only tool takes `n` as a text and nothing else.
    fn typed(stage: &Value, field: &str) -> Result<Value, String> {
        let pipeline = Pipeline::parse(&json!([stage]).to_string(), "p", Format::Json).unwrap();
        let schema = json!({"properties": {"n": {"type": "string"}}, "additionalProperties": false});
        let input = Input { input: vec![field.parse().unwrap()], input_json: None };
        let document = input.document(&pipeline, &[Some(schema)]).map_err(|e| e.to_string())?;
        Ok(document.into_values().next().unwrap().value)
    }

    #[test]
    fn a_value_is_typed_by_the_argument_that_it_becomes_and_one_that_nobody_takes_is_refused() {
        let passed = json!({"plugin": "p", "tool": "t"});
        let own = |from: &str| json!({"plugin": "p", "tool": "t", "args": {"n": {"$from": from}}});
        let deep = json!({"plugin": "p", "tool": "t", "args": {"n": [{"$from": "/input/other"}]}});
        assert_eq!(typed(&passed, "n=1"), Ok(json!("1")));
        assert_eq!(typed(&own("/input/other"), "other=1"), Ok(json!("1")));
        assert_eq!(typed(&own("/document/other"), "other=1"), Ok(json!("1")));
        // As JSON where it can be, because nothing says what it is to be.
        assert_eq!(typed(&deep, "other=1"), Ok(json!(1)));
        for (stage, field) in [(&passed, "m=1"), (&own("/input/other"), "n=1")] {
            assert!(typed(stage, field).unwrap_err().contains("no stage of this pipeline takes"), "{field}");
        }
    }
}
