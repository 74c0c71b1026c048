//! The input of a run: the options, and what kind each value is to be.
//!
//! Owns which stage a value is meant for. Must not know where the schemas come from.

use crate::cli::fields::{self, FIELD_HELP, Field};
use crate::embedded::{Document, Failure};
use clap::Args;
use hardpoint_model::Pipeline;
use hardpoint_model::pipeline::{Reference, Stage, takes};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a run is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct Input {
    #[arg(long, value_name = "NAME=VALUE", help = format!("Input of the first stage, any number of times: {FIELD_HELP}"))]
    input: Vec<Field>,
    /// Input from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
}

/// The input of a run, read: what is wrong with it besides its types has been found.
pub(in crate::cli) struct Given<'a> {
    /// From the JSON file.
    json: Document,
    fields: &'a [Field],
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
    /// Reads what there is to read, before anything is started.
    pub(in crate::cli) fn read(&self) -> Result<Given<'_>, Failure> {
        let json = fields::read_json(self.input_json.as_deref(), &self.input)?;
        Ok(Given { json, fields: &self.input })
    }
}

impl Given<'_> {
    /// What is given, by name.
    pub(in crate::cli) fn names(&self) -> BTreeSet<String> {
        self.json
            .keys()
            .map(String::as_str)
            .chain(self.fields.iter().map(Field::name))
            .map(str::to_owned)
            .collect()
    }

    /// The values, those of the command line typed by the first stage that takes one of its name. `schemas`: what the
    /// tools of the stages take, where it is known.
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
        let is_unknown = |name: &String| taken(name).iter().all(|taken| matches!(taken, Taken::Not));
        if let Some(unknown) = self.names().into_iter().find(is_unknown) {
            let message = format!("no stage of this pipeline takes an input called `{unknown}`");
            return Err(Failure::request(message, all_names(pipeline, schemas)));
        }
        let schema_of = |name: &str| {
            taken(name).into_iter().find_map(|taken| match taken {
                Taken::As(schema) => Some(schema),
                Taken::Somehow | Taken::Not => None,
            })
        };
        let mut document = self.json.clone();
        document.extend(fields::typed(self.fields, schema_of)?);
        Ok(document)
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
    let refers = |value: &Value| referred(value, index) == Some(name.to_owned());
    if let Some((argument, _)) = args.iter().find(|(_, value)| refers(value)) {
        return schema.and_then(|schema| property(schema, argument)).unwrap_or(Taken::Somehow);
    }
    let mut names = BTreeSet::new();
    args.values().for_each(|value| referred_in(value, index, &mut names));
    if names.contains(name) { Taken::Somehow } else { Taken::Not }
}

/// Which name of the input or the document a value refers to.
fn referred(value: &Value, index: usize) -> Option<String> {
    match Reference::of(value, index) {
        Some(Ok(Reference::Input(of) | Reference::Document(of))) => Some(of),
        Some(Ok(Reference::Stage(..)) | Err(_)) | None => None,
    }
}

fn referred_in(value: &Value, index: usize, names: &mut BTreeSet<String>) {
    names.extend(referred(value, index));
    match value {
        Value::Array(items) => items.iter().for_each(|item| referred_in(item, index, names)),
        Value::Object(fields) => fields.values().for_each(|field| referred_in(field, index, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn property<'a>(schema: &'a Value, name: &str) -> Option<Taken<'a>> {
    schema.get("properties")?.get(name).map(Taken::As)
}

/// Which stage takes which names.
fn all_names(pipeline: &Pipeline, schemas: &[Option<Value>]) -> String {
    let stages = pipeline.stages.iter().zip(schemas).enumerate();
    let taking = stages.map(|(index, (stage, schema))| {
        let mut names = BTreeSet::new();
        match (&stage.args, schema) {
            (Some(args), _) => args.values().for_each(|value| referred_in(value, index, &mut names)),
            (None, Some(schema)) => {
                let properties = schema.get("properties").and_then(Value::as_object);
                names.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
            }
            (None, None) => {}
        }
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        format!("stage {} ({}.{}) takes {names}", index + 1, stage.plugin, stage.tool)
    });
    taking.collect::<Vec<_>>().join("; ")
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
        let given = input.read().map_err(|e| e.to_string())?;
        let document = given.document(&pipeline, &[Some(schema)]).map_err(|e| e.to_string())?;
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

    #[test]
    fn an_unknown_name_is_refused_from_a_file_too_and_each_stage_says_what_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("input.json");
        std::fs::write(&file, json!({"n": "a", "m": 1}).to_string()).unwrap();
        let input = Input { input: Vec::new(), input_json: Some(file.display().to_string()) };
        let own = json!({"plugin": "q", "tool": "u", "args": {"n": [{"$from": "/input/page"}], "m": 1}});
        let stages = json!([{"plugin": "p", "tool": "t"}, own]);
        let pipeline = Pipeline::parse(&stages.to_string(), "p", Format::Json).unwrap();
        let schema = json!({"properties": {"n": {}}, "additionalProperties": false});
        let refused = input.read().unwrap().document(&pipeline, &[Some(schema), None]).unwrap_err();
        assert_eq!(refused.to_string(), "no stage of this pipeline takes an input called `m`");
        let hint = "stage 1 (p.t) takes `n`; stage 2 (q.u) takes `page`";
        assert_eq!(refused.hint().as_deref(), Some(hint));
    }
}
