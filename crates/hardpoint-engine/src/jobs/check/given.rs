//! What a stage is given under `config` and `args`: values, and references to parts of something else.
//!
//! Owns values and references that do not fit, and arguments that are missing or that no tool takes.

use super::passed::{Source, source};
use super::schemas::{argument, disjoint, listed, misfits, names, required};
use super::stage::{Known, Returned};
use super::{Mistake, Whole};
use crate::jobs::values;
use hardpoint_model::pipeline::{Reference, ReferenceError, takes};
use hardpoint_wire::document::{escaped, is_bytes};
use serde_json::{Value, json};

/// A reference in an argument: where it stands, and what it refers to.
type Found = (String, Result<Reference, ReferenceError>);

pub(super) fn mistakes(known: &Known<'_>, whole: &Whole<'_>) -> Vec<Mistake> {
    let stage = known.stage;
    let config = stage.config.iter().map(|(name, value)| ("config", name, value));
    // What stands in both is taken from `config`.
    let args = stage.args.iter().flatten().filter(|(name, _)| !stage.config.contains_key(*name));
    let args = args.map(|(name, value)| ("args", name, value));
    let mut mistakes = Vec::new();
    for (field, name, value) in config.chain(args) {
        let place = format!("{field}/{}", escaped(name));
        mistakes.extend(unknown(known, &place, name));
        let mut references = Vec::new();
        if field == "args" {
            references_in(value, known.number, &place, &mut references);
        }
        for (at, reference) in &references {
            let whole_argument = (*at == place).then_some(name.as_str());
            mistakes.extend(refers(known, whole, at, reference, whole_argument));
        }
        mistakes.extend(match references.as_slice() {
            [] => literal(known, field, name, value),
            [(at, _)] if *at == place => Vec::new(),
            _ => around(known, &place, name, value).into_iter().collect(),
        });
    }
    mistakes.extend(missing(known));
    mistakes
}

/// What the tool does not take.
fn unknown(known: &Known<'_>, place: &str, name: &str) -> Option<Mistake> {
    let schema = known.schema().filter(|schema| !takes(schema, name))?;
    let message = format!("{} does not take `{name}`", known.name());
    Some(known.mistake(place, message, format!("it takes {}", listed(&names(schema)))))
}

/// What the tool cannot do without, where `args` are all that it is given.
fn missing(known: &Known<'_>) -> Vec<Mistake> {
    let (Some(args), Some(schema)) = (&known.stage.args, known.schema()) else { return Vec::new() };
    let is_given = |name: &&str| args.contains_key(*name) || known.stage.config.contains_key(*name);
    let lacking = required(schema).filter(|name| !is_given(name)).map(|name| {
        let message = format!("{} needs `{name}`, which is not under its `args`", known.name());
        let hint = format!(
            "with `args` nothing is passed on: add `{name}` there, for example as `{{$from: /input/{}}}`",
            escaped(name)
        );
        known.mistake("args", message, hint)
    });
    lacking.collect()
}

fn references_in(value: &Value, stage: usize, at: &str, found: &mut Vec<Found>) {
    if let Some(reference) = Reference::of(value, stage) {
        found.push((at.to_owned(), reference));
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                references_in(item, stage, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) if !is_bytes(fields) => {
            for (name, value) in fields {
                references_in(value, stage, &format!("{at}/{}", escaped(name)), found);
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is wrong with a reference. `argument`: which argument it is, where it is all of one.
fn refers(
    known: &Known<'_>,
    whole: &Whole<'_>,
    at: &str,
    reference: &Result<Reference, ReferenceError>,
    argument_of: Option<&str>,
) -> Option<Mistake> {
    let told = |(why, hint): (String, String)| known.mistake(at, format!("{}: {why}", known.name()), hint);
    let reference = match reference {
        Ok(reference) => reference,
        Err(error) => return Some(told(unusable(known, whole, error))),
    };
    let stands_for = match stands_for(known, whole, reference) {
        Ok(schema) => schema?,
        Err(why) => return Some(told(why)),
    };
    let name = argument_of?;
    let wanted = argument(known.schema()?, name)?;
    let (given, needed) = disjoint(stands_for, wanted)?;
    let why = format!("it takes `{name}` as {needed}, and `{reference}` is {given}");
    Some(told((why, format!("refer to {needed}, or put a stage before that makes {needed} of it"))))
}

fn unusable(known: &Known<'_>, whole: &Whole<'_>, error: &ReferenceError) -> (String, String) {
    let counted = match known.number {
        0 => "no stage comes before the first one: `/input/NAME` is a field of the input".to_owned(),
        1 => "`/stages/0` is stage 1, the only one before it".to_owned(),
        number => format!("`/stages/0` is stage 1, and `/stages/{}` the one before it", number - 1),
    };
    match error {
        ReferenceError::Form(_) => (error.to_string(), counted),
        ReferenceError::Later { reference, of, .. } => {
            let named = whole.stages.get(*of).map(|stage| format!("is {}", stage.name()));
            let named = named.unwrap_or_else(|| {
                format!("would be stage {}, and there are {}", of.saturating_add(1), whole.stages.len())
            });
            (format!("`{reference}` {named}, which does not come before it"), counted)
        }
    }
}

/// What is said of the value that a reference stands for, or why there is none and what to do.
fn stands_for<'a>(
    known: &Known<'_>,
    whole: &'a Whole<'a>,
    reference: &Reference,
) -> Result<Option<&'a Value>, (String, String)> {
    match reference {
        Reference::Input(name) => match whole.input {
            Some(input) if !input.contains(name) => Err((
                format!("`{reference}` is not in the input"),
                format!(
                    "give it with `--input {name}=VALUE`, in a request as `{name}` of `input`; it has {}",
                    listed(&input.iter().cloned().collect::<Vec<_>>())
                ),
            )),
            Some(_) | None => Ok(None),
        },
        Reference::Stage(of, None) => Ok(whole.stages.get(*of).and_then(Known::output)),
        Reference::Stage(of, Some(name)) => {
            let Some(from) = whole.stages.get(*of) else { return Ok(None) };
            match from.returns(name) {
                Returned::Yes(schema) => Ok(Some(schema)),
                Returned::Perhaps => Ok(None),
                Returned::No => {
                    let why = format!("`{reference}` is not there: {} returns no `{name}`", from.name());
                    Err((why, from.returned()))
                }
            }
        }
        Reference::Document(name) => match source(name, known.number, whole) {
            Source::Stage(_, schema) => Ok(Some(schema)),
            Source::Unknown => Ok(None),
            Source::Nowhere(why) => Err((
                format!("`{reference}` stands for `{name}`, {why}"),
                "refer to what is passed on to this stage, or to `/input/NAME` or `/stages/N/NAME`"
                    .to_owned(),
            )),
        },
    }
}

/// A value that holds references is at least a list or an object.
fn around(known: &Known<'_>, place: &str, name: &str, value: &Value) -> Option<Mistake> {
    let given = if value.is_array() { json!({"type": "array"}) } else { json!({"type": "object"}) };
    let (given, needed) = disjoint(&given, argument(known.schema()?, name)?)?;
    let message = format!("{}: `{name}` must be {needed}, and {given} is given", known.name());
    Some(known.mistake(place, message, format!("correct `{place}` of stage {}", known.number + 1)))
}

/// What is wrong with a value without references.
fn literal(known: &Known<'_>, field: &str, name: &str, value: &Value) -> Vec<Mistake> {
    let mistake = |inside: &str, why: &str, hint: Option<&str>| {
        let stage = known.number + 1;
        let hint = meant(field, value).or(hint).map_or_else(String::new, |hint| format!(": {hint}"));
        let hint = format!("correct `{name}` under `{field}` of stage {stage}{hint}");
        known.mistake(&format!("{field}{inside}"), format!("{}: {why}", known.name()), hint)
    };
    let place = format!("/{}", escaped(name));
    let sent = match values::arguments(value.clone()) {
        Ok(sent) => sent,
        Err(error) => return vec![mistake(&place, &format!("`{name}`: {}", error.message), None)],
    };
    let Some(schema) = known.schema() else { return Vec::new() };
    let found = misfits(schema, name, &sent.value);
    found.iter().map(|error| mistake(&error.pointer, &error.message, error.hint.as_deref())).collect()
}

/// What was probably meant by a value that does not fit.
fn meant(field: &str, value: &Value) -> Option<&'static str> {
    match value {
        Value::String(text) if text.trim_start().starts_with('{') && text.contains("$from") => {
            Some("a reference is written without quotes around it: {$from: /stages/0/NAME}")
        }
        Value::Object(fields) if fields.contains_key("$from") && field == "config" => {
            Some("references stand under `args`, which are then all that the tool is given")
        }
        Value::Object(fields) if fields.contains_key("$from") => {
            Some("a reference has no other field beside `$from`")
        }
        Value::Object(fields) if fields.len() == 1 && !is_bytes(fields) => {
            let is_marker = fields.keys().any(|name| name.starts_with('$'));
            is_marker.then_some("did you mean `$from`?")
        }
        Value::Object(_) | Value::Array(_) | Value::String(_) => None,
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
