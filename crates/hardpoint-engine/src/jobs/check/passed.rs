//! What a stage without arguments of its own is given: what is passed on to it.
//!
//! Owns what it needs and will not get, and what it will get and cannot take.

use super::schemas::{arguments, disjoint, required};
use super::stage::{Known, Returned};
use super::{Mistake, Whole};
use hardpoint_model::pipeline::Pass;
use serde_json::Value;

pub(super) fn mistakes(known: &Known<'_>, whole: &Whole<'_>) -> Vec<Mistake> {
    let Some(schema) = known.schema().filter(|_| known.stage.args.is_none()) else { return Vec::new() };
    let mut mistakes = Vec::new();
    for (name, wanted) in arguments(schema).filter(|(name, _)| !known.stage.config.contains_key(*name)) {
        match source(name, known.number, whole) {
            Source::Nowhere(why) if required(schema).any(|one| one == name) => {
                let message = format!("{} needs `{name}`, {why}", known.name());
                let from = if known.number == 0 || whole.pass == Pass::Merge {
                    format!("with the input (`--input {name}=VALUE`)")
                } else {
                    "by a stage before".to_owned()
                };
                let hint = format!("let it be given {from}, or under `config` of stage {}", known.number + 1);
                mistakes.push(known.mistake("tool", message, hint));
            }
            Source::Unknown | Source::Nowhere(_) => {}
            Source::Stage(from, schema) => {
                if let Some((given, needed)) = disjoint(schema, wanted) {
                    let message = format!(
                        "{} takes `{name}` as {needed}, and {} returns it as {given}",
                        known.name(),
                        from.name()
                    );
                    let hint = format!("put a stage between them that makes {needed} of it");
                    mistakes.push(known.mistake("tool", message, hint));
                }
            }
        }
    }
    mistakes
}

/// Where the document that a stage is given has a value of this name from.
pub(super) enum Source<'a> {
    /// A stage returns it, and this is what it says of it.
    Stage(&'a Known<'a>, &'a Value),
    /// Nobody gives it, and why.
    Nowhere(String),
    /// It cannot be known.
    Unknown,
}

pub(super) fn source<'a>(name: &str, number: usize, whole: &'a Whole<'a>) -> Source<'a> {
    let (before, pass) = (whole.before(number), whole.pass);
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
    match whole.input {
        Some(input) if from_input && !open && !input.contains(name) => {
            Source::Nowhere("which is not in the input".to_owned())
        }
        Some(_) | None => Source::Unknown,
    }
}
