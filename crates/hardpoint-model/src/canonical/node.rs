//! Owns a JSON value with what `serde_json` does not keep: integers of any length, halves of surrogate pairs, `NaN`.

use serde_json::Value;
use std::collections::BTreeMap;

/// A text by its code points, in the order by which keys are sorted.
pub(super) type Points = Vec<u32>;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// Its digits.
    Integer(String),
    Float(f64),
    Text(Points),
    List(Vec<Node>),
    Object(BTreeMap<Points, Node>),
}

impl Node {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) => Self::Float(float),
                None => Self::Integer(number.to_string()),
            },
            Value::String(text) => Self::Text(points(text)),
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(map) => {
                Self::Object(map.iter().map(|(name, value)| (points(name), Self::of(value))).collect())
            }
        }
    }

    /// What Python takes for false.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(flag) => !flag,
            Self::Integer(digits) => digits == "0",
            Self::Float(float) => *float == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(map) => map.is_empty(),
        }
    }
}

fn points(text: &str) -> Points {
    text.chars().map(u32::from).collect()
}
