//! JSON documents in which `{"$bytes": BASE64}` stands for binary data, and the payloads that they are.
//!
//! Owns that notation, in both directions: the doors, jobs and the command line all speak it. Must not know where a
//! document came from or goes.

use crate::blob::Blob;
use crate::payload::Payload;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use std::io;

const BYTES_KEY: &str = "$bytes";

/// What stands for binary data, and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`$bytes` must be standard base64: {why}")]
pub struct BadBytes {
    /// Where it stands: a JSON pointer into the document.
    pub pointer: String,
    /// What is wrong with it.
    pub why: String,
}

/// A payload that cannot be written as a document.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// There is more binary data in it than may be.
    #[error("it holds more than {0} bytes of binary data")]
    TooLarge(u64),
    /// Its binary data cannot be read.
    #[error("its binary data cannot be read: {0}")]
    Blob(#[from] io::Error),
}

impl Payload {
    /// The payload that a document is.
    pub fn from_json(document: Value) -> Result<Self, BadBytes> {
        // Most documents hold no binary data, and taking a large one apart would be for nothing.
        if !holds_bytes(&document) {
            return Ok(Self::literal(document));
        }
        convert(document).map_err(|bad| {
            let parts = bad.path.iter().rev();
            let pointer = parts.fold(String::new(), |pointer, part| format!("{pointer}/{part}"));
            BadBytes { pointer, why: bad.why }
        })
    }

    /// The document that a payload is, with at most `bytes_max` bytes of binary data in it.
    pub fn into_json(self, bytes_max: u64) -> Result<Value, Unwritable> {
        let mut bytes = 0_u64;
        self.into_document(&mut |blob: &Blob| {
            bytes = bytes.saturating_add(blob.len());
            if bytes > bytes_max {
                return Err(Unwritable::TooLarge(bytes_max));
            }
            Ok(blob.to_json()?)
        })
    }
}

impl Blob {
    /// Binary data as it stands in a document.
    pub fn to_json(&self) -> io::Result<Value> {
        let text = BASE64_STANDARD.encode(self.to_bytes()?);
        Ok(Value::Object(Map::from_iter([(BYTES_KEY.to_owned(), Value::from(text))])))
    }
}

/// Whether an object stands for binary data.
pub fn is_bytes(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.contains_key(BYTES_KEY)
}

/// A name as it stands in a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Object(fields) => is_bytes(fields) || fields.values().any(holds_bytes),
        Value::Array(items) => items.iter().any(holds_bytes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

struct Bad {
    why: String,
    /// From the inside out.
    path: Vec<String>,
}

fn convert(value: Value) -> Result<Payload, Bad> {
    let inside = |part: String| {
        move |mut bad: Bad| {
            bad.path.push(part);
            bad
        }
    };
    match value {
        Value::Object(fields) if is_bytes(&fields) => {
            let bad = |why| Bad { why, path: vec![BYTES_KEY.to_owned()] };
            let bytes = decode(fields.get(BYTES_KEY)).map_err(bad)?;
            let blob = Blob::new(bytes.into());
            blob.map(Payload::blob).map_err(|e| bad(format!("the data cannot be passed on: {e}")))
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = convert(value).map_err(inside(escaped(&name)))?;
                Ok((name, value))
            });
            Ok(Payload::object(fields.collect::<Result<Vec<_>, Bad>>()?))
        }
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(at, item)| convert(item).map_err(inside(at.to_string())));
            Ok(Payload::list(items.collect::<Result<Vec<_>, Bad>>()?))
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Ok(Payload::literal(plain))
        }
    }
}

fn decode(text: Option<&Value>) -> Result<Vec<u8>, String> {
    let text = text.and_then(Value::as_str).ok_or("it is not a string")?;
    BASE64_STANDARD.decode(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_document_comes_back_as_it_went() {
        let large = BASE64_STANDARD.encode(vec![7u8; 100_000]);
        let documents = [
            json!({}),
            json!({"a": [1, 2.5, null, true, "$bytes"]}),
            json!({"$bytes": "AAEC"}),
            json!({"a": {"$bytes": "AAECAw=="}, "b": [{"$bytes": ""}, {"$bytes": large}]}),
            json!({"a": {"$bytes": "AA==", "other": 1}}),
            json!([{"$bytes": "AAEC", "and": "more"}]),
            json!({"list": [{"$bytes": "AAEC"}, {"deep": {"$bytes": ""}}], "n": 1.5}),
            json!({"a": {"$blob": 0}, "b": {"$value": {"$blob": 7}}, "c": [{"$value": 1}]}),
            json!({"a": {"$blob": 0}, "b": {"$bytes": "AAE="}}),
            json!({"$blob": 0}),
        ];
        for document in documents {
            let payload = Payload::from_json(document.clone()).unwrap();
            assert_eq!(payload.into_json(u64::MAX).unwrap(), document);
        }
    }

    #[test]
    fn what_is_no_base64_is_named_by_its_place() {
        for (document, pointer) in [
            (json!({"$bytes": "!"}), "/$bytes"),
            (json!({"a": [1, {"$bytes": "AAA"}]}), "/a/1/$bytes"),
            (json!({"a/b~": {"$bytes": 1}}), "/a~1b~0/$bytes"),
            (json!([{"$bytes": null}]), "/0/$bytes"),
        ] {
            let bad = Payload::from_json(document).unwrap_err();
            assert_eq!(bad.pointer, pointer);
            assert!(bad.to_string().starts_with("`$bytes` must be standard base64: "), "{bad}");
        }
    }

    #[test]
    fn a_document_holds_no_more_binary_data_than_it_may() {
        let document = json!([{"$bytes": "AAEC"}, {"$bytes": "AAEC"}]);
        let payload = || Payload::from_json(document.clone()).unwrap();
        assert_eq!(payload().into_json(6).unwrap(), document);
        assert!(matches!(payload().into_json(5), Err(Unwritable::TooLarge(5))));
    }
}
