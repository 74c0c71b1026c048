//! Owns the sentences about a value that does not fit its schema. Knows `jsonschema`'s error kinds and
//! nothing about who asked.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::{FieldError, Format, SchemaError};
use crate::limits::QUOTED_CHARS_MAX;
use crate::suggest::{closest, quoted};

/// `anyOf` inside `anyOf` deeper than this is told as "does not fit".
const ALTERNATIVES_DEPTH_MAX: usize = 8;

/// What is wrong with a field that the schema does not know.
pub(super) const UNKNOWN_FIELD: &str = "unknown field";

/// Says what is wrong with a schema itself.
pub(super) fn schema_error(error: &ValidationError<'_>) -> SchemaError {
    if let ValidationErrorKind::Referencing(reason) = error.kind() {
        return SchemaError::Reference(quoted(&reason.to_string()));
    }
    let mut message = error.to_string();
    if message.chars().count() > 4 * QUOTED_CHARS_MAX {
        message = quoted(&message);
    }
    SchemaError::Invalid { pointer: error.instance_path().to_string(), message }
}

/// Collects what is wrong with one value.
pub(super) struct Findings<'a> {
    schema: &'a Value,
    formats: &'static [Format],
    root: &'a Value,
    max: usize,
    errors: Vec<FieldError>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(schema: &'a Value, formats: &'static [Format], root: &'a Value, max: usize) -> Self {
        Self { schema, formats, root, max, errors: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Vec<FieldError> {
        let mut seen = std::collections::BTreeSet::new();
        self.errors.retain(|error| seen.insert((error.pointer.clone(), error.problem.clone())));
        self.errors.truncate(self.max);
        self.errors
    }

    pub(super) fn add(&mut self, error: &ValidationError<'_>) {
        self.add_at_depth(error, 0);
    }

    fn add_at_depth(&mut self, error: &ValidationError<'_>, depth: usize) {
        let pointer = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for name in unexpected.iter().take(self.max) {
                    self.unknown(error, name);
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                self.push(&child(pointer, name), "is required".to_owned(), None);
            }
            ValidationErrorKind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default().to_owned();
                let (problem, hint) = self.problem(inner);
                self.push(
                    &child(pointer, &name),
                    format!("is not a name that may stand here: {problem}"),
                    hint,
                );
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.alternatives(error, context, depth);
            }
            ValidationErrorKind::Pattern { .. } if self.told_by_format(error) => {}
            _ => {
                let (problem, hint) = self.problem(error);
                self.push(pointer, problem, hint);
            }
        }
    }

    fn push(&mut self, pointer: &str, problem: String, hint: Option<String>) {
        let field = field_name(self.root, pointer);
        let subject = if field.is_empty() { "the value".to_owned() } else { format!("`{field}`") };
        let message = format!("{subject} {problem}");
        self.errors.push(FieldError { pointer: pointer.to_owned(), field, message, problem, hint });
    }

    fn unknown(&mut self, error: &ValidationError<'_>, name: &str) {
        let pointer = child(error.instance_path().as_str(), name);
        let field = field_name(self.root, &pointer);
        let present = error.instance().as_object();
        let known = self
            .keyword_owner(error)
            .and_then(|owner| owner.get("properties"))
            .and_then(Value::as_object)
            .map(|properties| properties.keys().map(String::as_str).collect::<Vec<_>>())
            .unwrap_or_default();
        let free = known.iter().copied().filter(|key| !present.is_some_and(|map| map.contains_key(*key)));
        let (meant, hint) = match closest(name, free) {
            Some(meant) => (format!(": did you mean `{meant}`?"), Some(format!("did you mean `{meant}`?"))),
            None => (String::new(), known_fields(&known)),
        };
        let message = format!("unknown field `{field}`{meant}");
        self.errors.push(FieldError { pointer, field, message, problem: UNKNOWN_FIELD.to_owned(), hint });
    }

    /// Reports the errors of the one alternative that was probably meant: the one of the right type.
    fn alternatives(
        &mut self,
        error: &ValidationError<'_>,
        branches: &[Vec<ValidationError<'static>>],
        depth: usize,
    ) {
        let here = error.instance_path();
        if let Some(choices) = constants(branches) {
            let got = shown(error.instance());
            return self.push(here.as_str(), format!("must be one of {choices}, got {got}"), None);
        }
        let wrong_type = |inner: &ValidationError<'static>| {
            inner.instance_path() == here && matches!(inner.kind(), ValidationErrorKind::Type { .. })
        };
        let meant = branches
            .iter()
            .filter(|branch| !branch.is_empty() && !branch.iter().any(wrong_type))
            .min_by_key(|branch| branch.len());
        if let Some(branch) = meant.filter(|_| depth < ALTERNATIVES_DEPTH_MAX) {
            for inner in branch {
                self.add_at_depth(inner, depth + 1);
            }
            return;
        }
        let types: Vec<&'static str> = branches.iter().flatten().flat_map(expected_types).collect();
        let problem = if types.is_empty() || meant.is_some() {
            "fits none of the allowed forms".to_owned()
        } else {
            format!("must be {}, got {}", one_of(types), type_of(error.instance()))
        };
        self.push(here.as_str(), problem, None);
    }

    fn problem(&self, error: &ValidationError<'_>) -> (String, Option<String>) {
        let instance = error.instance();
        if let ValidationErrorKind::Format { format } = error.kind()
            && let Some((_, check)) = self.formats.iter().find(|(name, _)| name == format)
            && let Some(Err(problem)) = instance.as_str().map(check)
        {
            return (problem.message, problem.hint);
        }
        if let ValidationErrorKind::Type { .. } = error.kind()
            && self.keyword_owner(error).and_then(|owner| owner.get("format")) == Some(&Value::from("bytes"))
        {
            let hint = "write bytes as {\"$bytes\": \"<base64>\"}".to_owned();
            return (format!("must be bytes, got {}", type_of(instance)), Some(hint));
        }
        (sentence(error), number_in_quotes(error))
    }

    /// Whether the same place has a `format` with a check of ours that complains too, and better.
    fn told_by_format(&self, error: &ValidationError<'_>) -> bool {
        let format = self.keyword_owner(error).and_then(|owner| owner.get("format")).and_then(Value::as_str);
        let check = self.formats.iter().find(|(name, _)| Some(*name) == format);
        check.zip(error.instance().as_str()).is_some_and(|((_, check), text)| check(text).is_err())
    }

    /// The schema object that holds the keyword which complains.
    fn keyword_owner(&self, error: &ValidationError<'_>) -> Option<&'a Value> {
        let (owner, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(owner)
    }
}

fn sentence(error: &ValidationError<'_>) -> String {
    let instance = error.instance();
    let got = shown(instance);
    match error.kind() {
        ValidationErrorKind::Type { .. } => {
            format!("must be {}, got {}", one_of(expected_types(error).collect()), type_of(instance))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(shown).collect();
            let total = options.len();
            let list = options.into_iter().take(12).collect::<Vec<_>>().join(", ");
            let more = if total > 12 { ", …" } else { "" };
            format!("must be one of {list}{more}, got {got}")
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}, got {got}", shown(expected_value))
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}, got {got}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}, got {got}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}, got {got}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}, got {got}"),
        ValidationErrorKind::MultipleOf { multiple_of } => {
            format!("must be a multiple of {multiple_of}, got {got}")
        }
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit: 1 } => "must have at least one item".to_owned(),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} fields"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        ValidationErrorKind::UniqueItems => "must not contain the same item twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => {
            format!("must match the pattern `{}`, got {got}", quoted(pattern))
        }
        ValidationErrorKind::Format { format } => format!("must be a valid {}, got {got}", quoted(format)),
        ValidationErrorKind::Contains => "does not contain an item of the required kind".to_owned(),
        ValidationErrorKind::FalseSchema => "may not be given".to_owned(),
        ValidationErrorKind::Not { .. } => "has a form that is not allowed".to_owned(),
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            "fits more than one of the allowed forms".to_owned()
        }
        ValidationErrorKind::BacktrackLimitExceeded { .. }
        | ValidationErrorKind::RegexEngineFailure { .. } => {
            "could not be compared with its pattern in reasonable time".to_owned()
        }
        _ => format!("does not fit `{}`", error.kind().keyword()),
    }
}

/// The choices, when every alternative is one fixed value.
fn constants(branches: &[Vec<ValidationError<'static>>]) -> Option<String> {
    let fixed = |branch: &Vec<ValidationError<'static>>| match branch.as_slice() {
        [error] => match error.kind() {
            ValidationErrorKind::Constant { expected_value } => Some(shown(expected_value)),
            _ => None,
        },
        _ => None,
    };
    let choices: Vec<String> = branches.iter().map(fixed).collect::<Option<_>>()?;
    Some(choices.join(", "))
}

/// A number written as a string where a number is asked for.
fn number_in_quotes(error: &ValidationError<'_>) -> Option<String> {
    let text = error.instance().as_str()?;
    let number_wanted = matches!(error.kind(), ValidationErrorKind::Type { .. })
        && expected_types(error).any(|name| name == "an integer" || name == "a number");
    (number_wanted && text.parse::<f64>().is_ok()).then(|| format!("write {} without quotes", quoted(text)))
}

fn expected_types(error: &ValidationError<'_>) -> impl Iterator<Item = &'static str> + use<> {
    let types: Vec<JsonType> = match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => vec![*kind],
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => kinds.iter().collect(),
        _ => Vec::new(),
    };
    types.into_iter().map(|kind| match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    })
}

/// `a, b or c`. `null` is left out beside others: it is only the long way to leave a field out.
fn one_of(mut names: Vec<&'static str>) -> String {
    names.sort_unstable();
    names.dedup();
    if names.len() > 1 {
        names.retain(|name| *name != "null");
    }
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "something else".to_owned(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// A value inside a message: scalars as they are, cut short; others by their type.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", quoted(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn known_fields(known: &[&str]) -> Option<String> {
    let list = known.iter().take(12).map(|name| format!("`{}`", quoted(name))).collect::<Vec<_>>();
    let more = if known.len() > 12 { ", …" } else { "" };
    (!list.is_empty()).then(|| format!("the fields here are {}{more}", list.join(", ")))
}

fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// `/stages/0/plugin` as `stages[0].plugin`. Whether a part is an index is read from the value itself.
pub(crate) fn field_name(root: &Value, pointer: &str) -> String {
    let mut name = String::new();
    let mut node = Some(root);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if node.is_some_and(Value::is_array) {
            name.push('[');
            name.push_str(&part);
            name.push(']');
            node = node.and_then(|list| part.parse::<usize>().ok().and_then(|index| list.get(index)));
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&quoted(&part));
            node = node.and_then(|map| map.get(&part));
        }
    }
    name
}
