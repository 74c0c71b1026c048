//! Owns JSON Schema: compiling a schema and telling, for a person, what is wrong with a value.
//! Knows nothing of where schemas and values come from. A reference to another document is an error:
//! nothing is ever fetched.

mod guard;
mod wording;

use jsonschema::PatternOptions;
use serde::Serialize;
use serde_json::Value;

use crate::limits::{FIELD_ERRORS_MAX, PATTERN_BACKTRACKS_MAX, PATTERN_BYTES_MAX};

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer to the value or, for an unknown or missing field, to where it is or would be.
    pub pointer: String,
    /// The same place for people: `stages[0].plugin`. Empty for the value as a whole.
    pub field: String,
    /// The whole sentence: `` `times` must be an integer, got string ``.
    pub message: String,
    /// The sentence without its subject, for a place that already names the field.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl FieldError {
    /// About the value as a whole.
    pub(crate) fn of_whole(problem: String, hint: &str) -> Self {
        let message = format!("the value {problem}");
        Self { pointer: String::new(), field: String::new(), message, problem, hint: Some(hint.to_owned()) }
    }

    /// Whether the schema does not know the field at all.
    pub(crate) fn is_unknown_field(&self) -> bool {
        self.problem == wording::UNKNOWN_FIELD
    }
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// More than the limits in `limits.rs`.
    #[error("the schema is too large: {0}")]
    TooLarge(String),
    /// It names another document, or a place that does not exist.
    #[error("the schema refers to something it does not contain: {0}")]
    Reference(String),
    /// It refers to itself without ever looking at a part of the value, so checking would not end.
    #[error("the schema refers to itself in a circle at `{0}`")]
    Circle(String),
    /// It is not a JSON Schema.
    #[error("not a valid JSON Schema at `{pointer}`: {message}")]
    Invalid {
        /// Where in the schema.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
}

impl SchemaError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "describe the large part as a plain object",
            Self::Reference(_) => "put the definition under `$defs` in the same schema: nothing is fetched",
            Self::Circle(_) => "let the definition describe a value before it refers to itself",
            Self::Invalid { .. } => "compare the schema with JSON Schema 2020-12",
        }
    }
}

/// Why a text does not have a format: what is wrong, and perhaps what to do.
pub(crate) struct FormatProblem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// A named check of a text that a `pattern` could not explain.
pub(crate) type Format = (&'static str, fn(&str) -> Result<(), FormatProblem>);

/// A compiled schema. Checking is pure and may be done from any thread.
#[derive(Debug)]
pub struct Validator {
    compiled: jsonschema::Validator,
    schema: Value,
    formats: &'static [Format],
}

/// Compiles a schema that may come from anywhere.
pub fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    compile_with(schema, &[])
}

/// The same, with `format` as a promise and not as a remark: `email`, `uri`, `date` and whatever else is known are checked.
pub(crate) fn compile_with_formats(schema: &Value) -> Result<Validator, SchemaError> {
    build(schema, &[], FormatWord::Checked)
}

/// Compiles one of our own schemas, whose `format` keywords have checks.
pub(crate) fn compile_with(schema: &Value, formats: &'static [Format]) -> Result<Validator, SchemaError> {
    build(schema, formats, if formats.is_empty() { FormatWord::Remark } else { FormatWord::Checked })
}

/// What the keyword `format` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormatWord {
    Remark,
    Checked,
}

fn build(schema: &Value, formats: &'static [Format], word: FormatWord) -> Result<Validator, SchemaError> {
    guard::check(schema)?;
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(PATTERN_BACKTRACKS_MAX)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    let mut options = jsonschema::options().offline().with_pattern_options(patterns);
    if word == FormatWord::Checked {
        options = options.should_validate_formats(true);
    }
    for (name, check) in formats {
        options = options.with_format(*name, move |text: &str| check(text).is_ok());
    }
    let compiled = options.build(schema).map_err(|error| wording::schema_error(&error))?;
    Ok(Validator { compiled, schema: schema.clone(), formats })
}

impl Validator {
    /// Everything that is wrong with `value`, at most `FIELD_ERRORS_MAX`; empty when nothing is.
    pub fn check(&self, value: &Value) -> Vec<FieldError> {
        self.check_up_to(value, FIELD_ERRORS_MAX)
    }

    /// The same, with another bound.
    pub(crate) fn check_up_to(&self, value: &Value, max: usize) -> Vec<FieldError> {
        if self.compiled.is_valid(value) {
            return Vec::new();
        }
        let mut found = wording::Findings::new(&self.schema, self.formats, value, max);
        for error in self.compiled.iter_errors(value).take(max) {
            found.add(&error);
        }
        found.finish()
    }

    /// The schema it was compiled from.
    pub fn schema(&self) -> &Value {
        &self.schema
    }
}

#[cfg(test)]
mod tests;
