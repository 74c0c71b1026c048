//! Owns reading a definition file into a JSON value that remembers its lines, whatever the file's format.
//! Knows nothing of what the definition means.

mod remedy;
mod toml_text;
mod yaml_text;

use std::collections::HashMap;

use serde_json::Value;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::schema::FieldError;
use crate::suggest::quoted;

/// How a definition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML 1.1.
    Toml,
    /// YAML 1.2, one document.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The format that a file name's ending names.
    pub fn of_file_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A line and a column, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A definition and where its parts stand.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    file: String,
    places: HashMap<String, Place>,
}

impl Document {
    /// Reads `text`. All syntax errors that the parser can find come back together.
    pub(crate) fn parse(
        text: &str,
        file: &str,
        format: Format,
        bytes_max: usize,
    ) -> Result<Self, Diagnostics> {
        if text.len() > bytes_max {
            let message = format!("is {} bytes long, the limit is {bytes_max}", text.len());
            return Err(Diagnostics::of_file(file, message, "move long texts into files of their own"));
        }
        let parsed = match format {
            Format::Toml => toml_text::parse(text),
            Format::Yaml => yaml_text::parse(text),
            Format::Json => yaml_text::parse_json(text),
        };
        match parsed {
            Ok((value, places)) => Ok(Self { value, file: file.to_owned(), places }),
            Err(errors) => Err(Diagnostics::new(
                errors.into_iter().map(|error| error.into_diagnostic(file, format)).collect(),
            )),
        }
    }

    /// Turns the whole value into the field `name` of an object.
    pub(crate) fn move_under(&mut self, name: &str) {
        let value = std::mem::take(&mut self.value);
        self.value = Value::Object([(name.to_owned(), value)].into_iter().collect());
        let places = std::mem::take(&mut self.places);
        self.places = places.into_iter().map(|(at, place)| (format!("/{name}{at}"), place)).collect();
        self.places.insert(format!("/{name}"), Place { line: 1, column: 1 });
    }

    /// A diagnostic for a finding of the schema.
    pub(crate) fn field_error(&self, error: FieldError) -> Diagnostic {
        let hint = error.hint.or_else(|| remedy::remedy(&error.problem).map(str::to_owned));
        self.diagnostic(&error.pointer, error.field, error.problem, hint)
    }

    /// A diagnostic at the place of `pointer`, or of the nearest thing around it that has one.
    pub(crate) fn diagnostic(
        &self,
        pointer: &str,
        field: String,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Diagnostic {
        let mut around = pointer;
        let place = loop {
            if let Some(place) = self.places.get(around) {
                break Some(*place);
            }
            match around.rsplit_once('/') {
                Some((parent, _)) => around = parent,
                None => break None,
            }
        };
        Diagnostic {
            file: self.file.clone(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            field,
            message: message.into(),
            hint,
        }
    }
}

/// What a parser found wrong with the text itself.
pub(crate) struct SyntaxError {
    place: Option<Place>,
    message: String,
}

impl SyntaxError {
    fn into_diagnostic(self, file: &str, format: Format) -> Diagnostic {
        let name = match format {
            Format::Toml => "TOML",
            Format::Yaml => "YAML",
            Format::Json => "JSON",
        };
        Diagnostic {
            file: file.to_owned(),
            line: self.place.map(|place| place.line),
            column: self.place.map(|place| place.column),
            field: String::new(),
            message: format!("not valid {name}: {}", quoted_sentence(&self.message)),
            hint: None,
        }
    }
}

/// Parser messages may quote the text at length; the first line, cut, is enough beside a line number.
fn quoted_sentence(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    if first.chars().count() > 160 { quoted(first) } else { first.trim_end_matches('.').to_owned() }
}

/// What a parser gives: the value, and the places of its parts by JSON pointer.
type Parsed = Result<(Value, HashMap<String, Place>), Vec<SyntaxError>>;

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(document: &Document, pointer: &str) -> Option<u32> {
        document.diagnostic(pointer, String::new(), "", None).line
    }

    #[test]
    fn every_format_gives_the_same_value_and_remembers_lines() {
        let toml = "name = \"a\"\n[needs]\nlist = [1,\n 2.5]\n[needs.deep]\nx = true\n";
        let yaml = "name: a\nneeds:\n  list:\n    - 1\n    - 2.5\n  deep:\n    x: true\n";
        let json = "{\"name\": \"a\",\n \"needs\": {\"list\": [1,\n 2.5],\n \"deep\": {\"x\": true}}}";
        let expected = serde_json::json!({"name": "a", "needs": {"list": [1, 2.5], "deep": {"x": true}}});
        for (text, format, list, second, x) in
            [(toml, Format::Toml, 3, 4, 6), (yaml, Format::Yaml, 3, 5, 7), (json, Format::Json, 2, 3, 4)]
        {
            let document = Document::parse(text, "f", format, 1000).unwrap();
            assert_eq!(document.value, expected, "{format:?}");
            let lines = ["/name", "/needs/list", "/needs/list/1", "/needs/deep/x", "/needs/deep/x/none"]
                .map(|pointer| line_of(&document, pointer));
            assert_eq!(lines, [Some(1), Some(list), Some(second), Some(x), Some(x)], "{format:?}");
        }
    }

    #[test]
    fn syntax_errors_have_a_line() {
        for (text, format, expected) in [
            ("a = 1\nb = \n", Format::Toml, "f:2: not valid TOML"),
            ("a = 1\na = 2\n", Format::Toml, "f:2: not valid TOML: duplicate key"),
            ("a: 1\na: 2\n", Format::Yaml, "f:2: not valid YAML: duplicate mapping key"),
            ("a: [1\nb: 2", Format::Yaml, "not valid YAML"),
            ("{\"a\": 1,\n}", Format::Json, "f:2: not valid JSON: trailing comma"),
            ("{\"a\": 1,\n\"a\": 2}", Format::Json, "f:2: not valid JSON: duplicate"),
            ("a: .nan", Format::Yaml, "f:1: not valid YAML"),
            ("a = nan", Format::Toml, "f:1: not valid TOML"),
            ("? [1]\n: 2", Format::Yaml, "not valid YAML"),
        ] {
            let found = Document::parse(text, "f", format, 1000).unwrap_err().to_string();
            assert!(found.contains(expected), "{text:?}: {found}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let aliases = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                       d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n\
                       g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\n";
        for (text, format) in [
            (aliases.to_owned(), Format::Yaml),
            ("[".repeat(5000), Format::Yaml),
            ("[".repeat(5000), Format::Json),
            (format!("a = {}", "[".repeat(5000)), Format::Toml),
            (format!("a = {}1{}", "[".repeat(110), "]".repeat(110)), Format::Toml),
            (format!("{}1{}", "[".repeat(110), "]".repeat(110)), Format::Json),
            ("x".repeat(2_000_000), Format::Yaml),
        ] {
            assert!(Document::parse(&text, "f", format, 100_000).is_err(), "{format:?}");
        }
    }

    #[test]
    fn yaml_one_two_booleans_only() {
        let document = Document::parse("a: yes\nb: true\nc: on\n", "f", Format::Yaml, 1000).unwrap();
        assert_eq!(document.value, serde_json::json!({"a": "yes", "b": true, "c": "on"}));
    }
}
