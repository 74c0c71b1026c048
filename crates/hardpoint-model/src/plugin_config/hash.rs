//! Owns the name of a JSON value: the same for the same value, whoever wrote it and in whatever order.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The value as text without whitespace, the keys of every object sorted by their code points.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// `sha256:` and the digest of the canonical text in hexadecimal digits.
pub fn sha256_of(value: &Value) -> String {
    let digest = Sha256::digest(canonical_json(value).as_bytes());
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            list('{', '}', fields, text, |(name, value), text| {
                let _ = write!(text, "{}:", Value::from(name.as_str()));
                write(value, text);
            });
        }
        Value::Array(items) => list('[', ']', items, text, write),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

fn list<T>(
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    text: &mut String,
    one: impl Fn(T, &mut String),
) {
    text.push(open);
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        one(item, text);
    }
    text.push(close);
}
