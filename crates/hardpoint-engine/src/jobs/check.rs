//! Whether a pipeline can work: its plugins and tools exist, and what a stage returns fits what the next one takes.
//!
//! Owns every mistake that can be found before anything runs. Only what is certain is a mistake: a schema that says
//! nothing fits everything, and a plugin that is not up yet is believed.

use crate::engine::Engine;
use crate::snapshot::PluginView;
use hardpoint_model::pipeline::{Pass, Pipeline, Reference, Stage, takes};
use hardpoint_wire::document::escaped;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Something that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the definition: a JSON pointer, `/stages/1/tool`.
    pub pointer: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A stage, and what is known of it.
struct Known<'a> {
    number: usize,
    stage: &'a Stage,
    plugin: Option<Arc<PluginView>>,
}

/// Everything that is certain to go wrong. `saved`: the names of saved pipelines. `input`: the names that the first
/// stage will be given, where that is known.
pub(super) fn check(
    engine: &Engine,
    pipeline: &Pipeline,
    saved: &BTreeSet<String>,
    input: Option<&BTreeSet<String>>,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let stages: Vec<Known<'_>> = pipeline
        .stages
        .iter()
        .enumerate()
        .map(|(number, stage)| Known { number, stage, plugin: engine.plugin(&stage.plugin.to_string()).ok() })
        .collect();
    for known in &stages {
        mistakes.extend(known.existence(engine, saved));
        mistakes.extend(known.references());
        mistakes.extend(known.unknown_arguments());
    }
    for (number, known) in stages.iter().enumerate() {
        if known.stage.args.is_none() {
            let before = stages.get(..number).unwrap_or_default();
            mistakes.extend(known.unfit(before, pipeline.pass, input));
        }
    }
    mistakes
}

impl Known<'_> {
    fn mistake(&self, field: &str, message: String, hint: String) -> Mistake {
        Mistake { pointer: format!("/stages/{}/{field}", self.number), message, hint }
    }

    /// For people: `stage 2 (ocr.read)`.
    fn name(&self) -> String {
        format!("stage {} ({}.{})", self.number + 1, self.stage.plugin, self.stage.tool)
    }

    fn schema(&self) -> Option<&Value> {
        Some(&self.plugin.as_ref()?.tool(&self.stage.tool)?.info.input_schema)
    }

    fn existence(&self, engine: &Engine, saved: &BTreeSet<String>) -> Option<Mistake> {
        let wanted = self.stage.plugin.to_string();
        let Some(plugin) = &self.plugin else {
            if saved.contains(&wanted) {
                let message =
                    format!("{}: `{wanted}` is a pipeline, and a pipeline cannot call another", self.name());
                return Some(self.mistake("plugin", message, "put its stages here instead".to_owned()));
            }
            let known: Vec<String> = engine.snapshot().plugins.keys().cloned().collect();
            let hint = format!("there are {}", listed(&known));
            let message = format!("{}: there is no plugin `{wanted}`", self.name());
            return Some(self.mistake("plugin", message, hint));
        };
        if !plugin.is_enabled() {
            let message = format!("{}: plugin `{wanted}` is disabled", self.name());
            return Some(self.mistake("plugin", message, format!("`hardpoint plugin enable {wanted}`")));
        }
        if plugin.has_worker() && plugin.tool(&self.stage.tool).is_none() {
            let tool = &self.stage.tool;
            let message = format!("{}: plugin `{wanted}` has no tool `{tool}`", self.name());
            return Some(self.mistake("tool", message, format!("it has {}", listed(&plugin.tool_names()))));
        }
        None
    }

    fn references(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let args = self.stage.args.iter().flatten();
        for (name, value) in args {
            self.references_in(value, &format!("args/{}", escaped(name)), &mut found);
        }
        found
    }

    fn references_in(&self, value: &Value, at: &str, found: &mut Vec<Mistake>) {
        if let Some(reference) = Reference::of(value, self.number) {
            if let Err(error) = reference {
                let hint = "stages are counted from 0, and only those before this one are over by then";
                found.push(self.mistake(at, format!("{}: {error}", self.name()), hint.to_owned()));
            }
            return;
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.references_in(item, &format!("{at}/{index}"), found);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.references_in(value, &format!("{at}/{}", escaped(name)), found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What stands under `config` or `args` and the tool does not take.
    fn unknown_arguments(&self) -> Vec<Mistake> {
        let Some(schema) = self.schema() else { return Vec::new() };
        let config = self.stage.config.keys().map(|name| ("config", name));
        let args = self.stage.args.iter().flat_map(|args| args.keys()).map(|name| ("args", name));
        let unknown = config.chain(args).filter(|(_, name)| !takes(schema, name));
        let unknown = unknown.map(|(at, name)| {
            let message = format!("{} does not take `{name}`", self.name());
            let hint = format!("it takes {}", listed(&names(schema)));
            self.mistake(&format!("{at}/{}", escaped(name)), message, hint)
        });
        unknown.collect()
    }

    /// What it needs and will not get, and what it will get and cannot take.
    fn unfit(&self, before: &[Self], pass: Pass, input: Option<&BTreeSet<String>>) -> Vec<Mistake> {
        let Some(schema) = self.schema() else { return Vec::new() };
        let properties = resolved(schema).get("properties").and_then(Value::as_object);
        let mut mistakes = Vec::new();
        for (name, wanted) in properties.into_iter().flatten() {
            if self.stage.config.contains_key(name) {
                continue;
            }
            match source(name, before, pass, input) {
                Source::Unknown => {}
                Source::Nowhere(why) if is_required(schema, name) => {
                    let message = format!("{} needs `{name}`, {why}", self.name());
                    let hint = format!(
                        "give it under `config` of stage {}, or let a stage before return it",
                        self.number + 1
                    );
                    mistakes.push(self.mistake("tool", message, hint));
                }
                Source::Nowhere(_) => {}
                Source::Stage(from, schema) => {
                    if let Some((given, needed)) = disjoint(schema, wanted) {
                        let message = format!(
                            "{} takes `{name}` as {needed}, and {} returns it as {given}",
                            self.name(),
                            from.name()
                        );
                        let hint = format!("put a stage between them that makes {needed} of it");
                        mistakes.push(self.mistake("tool", message, hint));
                    }
                }
            }
        }
        mistakes
    }

    fn returns(&self, name: &str) -> Returned<'_> {
        let tool = self.plugin.as_ref().and_then(|plugin| plugin.tool(&self.stage.tool));
        let Some(tool) = tool else { return Returned::Perhaps };
        if tool.info.streaming {
            return if name == "items" { Returned::Perhaps } else { Returned::No };
        }
        let schema = resolved(&tool.info.output_schema);
        match schema.get("properties").and_then(|properties| properties.get(name)) {
            Some(property) => Returned::Yes(property),
            None if is_closed(schema) => Returned::No,
            None => Returned::Perhaps,
        }
    }
}

/// Where a stage gets a value of this name.
fn source<'a>(
    name: &str,
    before: &'a [Known<'a>],
    pass: Pass,
    input: Option<&BTreeSet<String>>,
) -> Source<'a> {
    let mut open = false;
    for from in before.iter().rev() {
        match from.returns(name) {
            Returned::Yes(schema) => return Source::Stage(from, schema),
            Returned::Perhaps => open = true,
            Returned::No if pass == Pass::Output => {
                return Source::Nowhere(format!("which {} does not return", from.name()));
            }
            Returned::No => {}
        }
        if pass == Pass::Output {
            break;
        }
    }
    let from_input = before.is_empty() || pass == Pass::Merge;
    match input {
        Some(input) if from_input && !open && !input.contains(name) => {
            Source::Nowhere("which is not in the input".to_owned())
        }
        Some(_) | None => Source::Unknown,
    }
}

enum Source<'a> {
    /// A stage returns it, and this is what it says of it.
    Stage(&'a Known<'a>, &'a Value),
    /// Nobody gives it, and why.
    Nowhere(String),
    /// It cannot be known.
    Unknown,
}

enum Returned<'a> {
    Yes(&'a Value),
    No,
    Perhaps,
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = resolved(schema).get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|one| one == name))
}

/// Whether an output has no other fields than those that are named.
fn is_closed(schema: &Value) -> bool {
    let types = types(schema);
    let not_an_object = types.as_ref().is_some_and(|types| !types.contains("object"));
    not_an_object || schema.get("additionalProperties") == Some(&Value::Bool(false))
}

/// The types of two schemas that no value can have both of; for people.
fn disjoint(given: &Value, needed: &Value) -> Option<(String, String)> {
    let (given, needed) = (types(resolved(given))?, types(resolved(needed))?);
    let fits = |one: &str, other: &str| one == other || (one == "integer" && other == "number");
    let common = given.iter().any(|one| needed.iter().any(|other| fits(one, other) || fits(other, one)));
    if common { None } else { Some((words(&given), words(&needed))) }
}

fn words(types: &BTreeSet<String>) -> String {
    types.iter().cloned().collect::<Vec<_>>().join(" or ")
}

/// The types that a schema allows; `None`: any.
fn types(schema: &Value) -> Option<BTreeSet<String>> {
    match schema.get("type") {
        Some(Value::String(one)) => return Some(BTreeSet::from([one.clone()])),
        Some(Value::Array(some)) => {
            return Some(some.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    any.iter().map(types).try_fold(BTreeSet::new(), |mut all, some| {
        all.extend(some?);
        Some(all)
    })
}

fn names(schema: &Value) -> Vec<String> {
    let properties = resolved(schema).get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// A schema that is only a reference to one of its own definitions stands for that definition.
fn resolved(schema: &Value) -> &Value {
    let pointer =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(schema)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_types_that_no_value_has_both_of_do_not_fit() {
        let check = |given: Value, needed: Value, expected: Option<(&str, &str)>| {
            let found = disjoint(&given, &needed);
            let found = found.as_ref().map(|(given, needed)| (given.as_str(), needed.as_str()));
            assert_eq!(found, expected, "{given} {needed}");
        };
        let (text, whole) = (json!({"type": "string"}), json!({"type": "integer"}));
        check(text.clone(), whole.clone(), Some(("string", "integer")));
        check(text.clone(), text.clone(), None);
        check(whole.clone(), json!({"type": "number"}), None);
        check(json!({"type": "number"}), whole.clone(), None);
        check(json!({}), whole.clone(), None);
        check(text.clone(), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), None);
        check(json!({"type": ["string", "null"]}), whole, Some(("null or string", "integer")));
        check(text, json!({"anyOf": [{"type": "null"}, {"$ref": "#/x"}]}), None);
    }
}
