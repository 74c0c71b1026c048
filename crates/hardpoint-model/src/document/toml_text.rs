//! Owns TOML text to JSON value. Knows no field names.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{Parsed, Place, SyntaxError, child};
use crate::limits::NESTING_MAX;

pub(super) fn parse(text: &str) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    if !errors.is_empty() {
        return Err(errors
            .into_iter()
            .map(|error| SyntaxError {
                place: error.span().map(|span| lines.place(span.start)),
                message: error.message().to_owned(),
            })
            .collect());
    }
    let mut reader = Reader { lines, places: HashMap::new(), errors: Vec::new() };
    let value = Value::Object(reader.table(table.get_ref(), "", 0));
    if reader.errors.is_empty() { Ok((value, reader.places)) } else { Err(reader.errors) }
}

struct Reader<'a> {
    lines: Lines<'a>,
    places: HashMap<String, Place>,
    errors: Vec<SyntaxError>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, pointer: &str, depth: usize) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let below = child(pointer, key.get_ref());
            self.places.insert(below.clone(), self.lines.place(key.span().start));
            map.insert(key.get_ref().to_string(), self.value(value, &below, depth + 1));
        }
        map
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, pointer: &str, depth: usize) -> Value {
        let start = value.span().start;
        if depth > NESTING_MAX {
            self.error(start, format!("nested deeper than {NESTING_MAX}"));
            return Value::Null;
        }
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => integer(number).unwrap_or_else(|| {
                self.error(start, "the number does not fit into 64 bits".to_owned());
                Value::Null
            }),
            DeValue::Float(number) => {
                let parsed = number.as_str().replace('_', "").parse::<f64>().ok();
                if let Some(number) = parsed.and_then(Number::from_f64) {
                    return Value::Number(number);
                }
                self.error(start, "only finite numbers have a meaning here".to_owned());
                Value::Null
            }
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(instant) => Value::String(instant.to_string()),
            DeValue::Array(items) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let below = format!("{pointer}/{index}");
                    self.places.insert(below.clone(), self.lines.place(item.span().start));
                    list.push(self.value(item, &below, depth + 1));
                }
                Value::Array(list)
            }
            DeValue::Table(table) => Value::Object(self.table(table, pointer, depth)),
        }
    }

    fn error(&mut self, offset: usize, message: String) {
        self.errors.push(SyntaxError { place: Some(self.lines.place(offset)), message });
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Value> {
    let digits = number.as_str().replace('_', "");
    i64::from_str_radix(&digits, number.radix()).ok().map(Value::from)
}

/// Where lines begin, to turn byte offsets into places.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}
