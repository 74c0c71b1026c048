//! What a stage of a pipeline is given: a fold over what the stages before it brought.
//!
//! Pure. Binary values are passed on as they are: a large one goes from worker to worker as the same memory file.

use super::values;
use hardpoint_model::pipeline::{Pass, Pipeline, Reference, Stage, pass_on, takes};
use hardpoint_model::{Category, JobError};
use hardpoint_wire::Payload;
use hardpoint_wire::document::is_bytes;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Named values, binary data included.
pub type Document = BTreeMap<String, Payload>;

/// What is known when a stage begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// What the run was given.
    pub(crate) input: Document,
    /// What each stage before brought; nothing where it failed.
    pub(crate) outputs: Vec<Option<Payload>>,
}

impl Known {
    /// What is passed on to the next stage.
    pub(crate) fn document(&self, pass: Pass) -> Document {
        let mut document = self.input.clone();
        for output in self.outputs.iter().flatten() {
            if let Some(fields) = output.clone().into_fields() {
                pass_on(pass, &mut document, fields.into_iter().collect());
            }
        }
        document
    }

    /// What all of it comes to: the last output, or the merged document.
    pub(crate) fn result(&self, pass: Pass) -> Payload {
        match pass {
            Pass::Merge => Payload::object(self.document(pass)),
            Pass::Output => self.outputs.iter().flatten().last().cloned().unwrap_or_default(),
        }
    }

    /// The arguments of the stage that comes next.
    pub(crate) fn arguments(&self, pipeline: &Pipeline, schema: Option<&Value>) -> Result<Payload, JobError> {
        let index = self.outputs.len();
        let Some(stage) = pipeline.stages.get(index) else { return Ok(Payload::object([])) };
        let document = self.document(pipeline.pass);
        if let Some(args) = &stage.args {
            let args = args
                .iter()
                .map(|(name, value)| self.filled(value, index, &document).map(|value| (name.clone(), value)));
            let mut args = args.collect::<Result<Document, JobError>>()?;
            args.extend(literal(&stage.config)?);
            return Ok(Payload::object(args));
        }
        let taken = document.into_iter().filter(|(name, _)| schema.is_none_or(|schema| takes(schema, name)));
        let mut args: Document = taken.collect();
        args.extend(literal(&stage.config)?);
        Ok(Payload::object(args))
    }

    /// A value with every reference in it replaced by what it stands for.
    fn filled(&self, value: &Value, stage: usize, document: &Document) -> Result<Payload, JobError> {
        if let Some(reference) = Reference::of(value, stage) {
            let reference = reference.map_err(|e| wrong(e.to_string()))?;
            return self.find(&reference, document).ok_or_else(|| wrong(self.gone(&reference, document)));
        }
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.filled(item, stage, document));
                Ok(Payload::list(items.collect::<Result<Vec<_>, JobError>>()?))
            }
            Value::Object(map) if !is_bytes(map) => {
                let fields = map.iter().map(|(name, value)| {
                    self.filled(value, stage, document).map(|value| (name.clone(), value))
                });
                Ok(Payload::object(fields.collect::<Result<Vec<_>, JobError>>()?))
            }
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                values::arguments(value.clone())
            }
        }
    }

    /// Why a reference stands for nothing, and what there is instead.
    fn gone(&self, reference: &Reference, document: &Document) -> String {
        let names = |names: &mut dyn Iterator<Item = &String>| {
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        match reference {
            Reference::Input(_) => {
                format!("`{reference}` is not there: the input has {}", names(&mut self.input.keys()))
            }
            Reference::Document(_) => {
                format!("`{reference}` is not there: what is passed on has {}", names(&mut document.keys()))
            }
            Reference::Stage(of, _) => {
                let stage = of.saturating_add(1);
                let Some(output) = self.outputs.get(*of).and_then(Option::as_ref) else {
                    return format!("`{reference}` is not there: stage {stage} failed");
                };
                match output.clone().into_fields() {
                    Some(fields) => {
                        let brought = names(&mut fields.iter().map(|(name, _)| name));
                        format!("`{reference}` is not there: stage {stage} returned {brought}")
                    }
                    None => format!("`{reference}` is not there: what stage {stage} returned has no fields"),
                }
            }
        }
    }

    fn find(&self, reference: &Reference, document: &Document) -> Option<Payload> {
        match reference {
            Reference::Input(name) => self.input.get(name).cloned(),
            Reference::Document(name) => document.get(name).cloned(),
            Reference::Stage(stage, name) => {
                let output = self.outputs.get(*stage)?.as_ref()?;
                let Some(name) = name else { return Some(output.clone()) };
                output.clone().into_fields()?.into_iter().find_map(|(n, value)| (n == *name).then_some(value))
            }
        }
    }
}

/// Fields of a definition, binary data included.
pub(crate) fn literal(fields: &Map<String, Value>) -> Result<Document, JobError> {
    let fields = fields.iter().map(|(name, value)| Ok((name.clone(), values::arguments(value.clone())?)));
    fields.collect()
}

/// Whether what a stage brought can be passed on as it has to be.
pub(crate) fn check_output(pipeline: &Pipeline, index: usize, output: &Payload) -> Result<(), JobError> {
    let next = pipeline.stages.get(index + 1);
    let needs_names = match (pipeline.pass, next) {
        (Pass::Merge, _) => true,
        (Pass::Output, Some(next)) => next.args.is_none(),
        (Pass::Output, None) => false,
    };
    let has_names = output.value.is_object() && output.as_blob().is_none();
    match pipeline.stages.get(index) {
        Some(stage) if needs_names && !has_names => Err(not_an_object(stage)),
        Some(_) | None => Ok(()),
    }
}

fn not_an_object(stage: &Stage) -> JobError {
    let message = format!(
        "`{}.{}` did not return an object, so its output has no names to pass on",
        stage.plugin, stage.tool
    );
    JobError::new(Category::UserInput, "InvalidOutput", message).of_plugin(stage.plugin.instance.as_str())
}

fn wrong(why: String) -> JobError {
    JobError::new(Category::UserInput, "InvalidArgument", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::document::Format;
    use proptest::prelude::*;
    use serde_json::json;

    fn known(input: &Value, outputs: &[Value]) -> Known {
        let fields = literal(input.as_object().unwrap()).unwrap();
        let outputs = outputs
            .iter()
            .map(|output| Some(Payload::literal(output.clone())).filter(|o| !o.value.is_null()));
        Known { input: fields, outputs: outputs.collect() }
    }

    fn pipeline(pass: &str, last: &str) -> Pipeline {
        let text = format!(
            "{{\"pass\": \"{pass}\", \"stages\": [{{\"plugin\": \"a\", \"tool\": \"t\"}},
             {{\"plugin\": \"b\", \"tool\": \"t\"}}, {last}]}}"
        );
        Pipeline::parse(&text, "p", Format::Json).unwrap()
    }

    #[track_caller]
    fn check(pass: &str, last: &str, outputs: &[Value], expected: &Value) {
        let known = known(&json!({"image": 1, "page": 2}), outputs);
        let schema =
            json!({"properties": {"image": {}, "text": {}, "lang": {}}, "additionalProperties": false});
        let args = known.arguments(&pipeline(pass, last), Some(&schema)).unwrap();
        assert_eq!(&args.value, expected);
    }

    #[test]
    fn a_stage_gets_what_it_takes_of_what_is_passed_on_and_its_config_over_it() {
        let last = r#"{"plugin": "c", "tool": "t", "config": {"lang": "de"}}"#;
        let outputs = [json!({"text": "a", "boxes": []}), json!({"text": "b"})];
        check("output", last, &outputs, &json!({"text": "b", "lang": "de"}));
        check("merge", last, &outputs, &json!({"image": 1, "text": "b", "lang": "de"}));
        // A stage that failed passes on what it got.
        check("output", last, &[json!({"text": "a"}), Value::Null], &json!({"text": "a", "lang": "de"}));
        check("output", last, &[Value::Null, Value::Null], &json!({"image": 1, "lang": "de"}));
    }

    #[test]
    fn arguments_of_its_own_take_the_place_of_what_is_passed_on() {
        let last = r#"{"plugin": "c", "tool": "t", "args": {
            "image": {"$from": "/input/image"}, "all": [{"$from": "/stages/0"}, {"$from": "/document/text"}], "n": 3}}"#;
        let outputs = [json!({"boxes": [1]}), json!({"text": "b"})];
        check("output", last, &outputs, &json!({"image": 1, "all": [{"boxes": [1]}, "b"], "n": 3}));
    }

    #[test]
    fn a_reference_to_what_is_not_there_says_what_is() {
        let check = |from: &str, outputs: &[Value], expected: &str| {
            let last = json!({"plugin": "c", "tool": "t", "args": {"a": {"$from": from}}}).to_string();
            let known = known(&json!({"page": 1}), outputs);
            let error = known.arguments(&pipeline("output", &last), None).unwrap_err();
            assert_eq!(error.message, format!("`{from}` is not there: {expected}"));
        };
        let outputs = [json!(["no", "names"]), json!({"text": "b", "boxes": []})];
        check("/stages/1/gone", &outputs, "stage 2 returned `boxes`, `text`");
        check("/stages/0/gone", &outputs, "what stage 1 returned has no fields");
        check("/stages/0/gone", &[Value::Null, json!({})], "stage 1 failed");
        check("/input/gone", &outputs, "the input has `page`");
        check("/document/gone", &outputs, "what is passed on has `boxes`, `text`");
    }

    #[test]
    fn what_has_no_names_cannot_be_passed_on() {
        let last = r#"{"plugin": "c", "tool": "t"}"#;
        let own = r#"{"plugin": "c", "tool": "t", "args": {}}"#;
        let text = Payload::literal(json!("just words"));
        for (pass, last, index, fits) in [
            ("output", last, 1, false),
            ("output", own, 1, true),
            ("output", last, 2, true),
            ("merge", last, 2, false),
        ] {
            assert_eq!(check_output(&pipeline(pass, last), index, &text).is_ok(), fits, "{pass} {index}");
        }
    }

    proptest! {
        #[test]
        fn the_merged_document_has_the_newest_value_of_every_name(
            outputs in prop::collection::vec(prop::collection::btree_map("[a-d]", 0..100_i32, 0..4), 0..6),
        ) {
            let values: Vec<Value> = outputs.iter().map(|output| json!(output)).collect();
            let document = known(&json!({"a": -1, "z": -2}), &values).document(Pass::Merge);
            let mut expected: BTreeMap<String, i32> = BTreeMap::from([("a".to_owned(), -1), ("z".to_owned(), -2)]);
            for output in outputs {
                expected.extend(output);
            }
            let found: BTreeMap<String, i32> = document
                .into_iter()
                .map(|(name, value)| (name, i32::try_from(value.value.as_i64().unwrap()).unwrap()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
