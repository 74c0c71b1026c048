//! Values as JSON carries them: `{"$bytes": BASE64}` for binary data, both ways.
//!
//! Pure, but for the memory files of large binary values.

use super::arguments::escaped;
use crate::limits::RESULT_BYTES_MAX;
use crate::problem::{Code, Problem};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hardpoint_wire::{Blob, Payload};
use serde_json::{Map, Value};

const BYTES_KEY: &str = "$bytes";

/// The arguments of a call, with the binary data in them decoded.
pub(super) fn to_payload(args: Value) -> Result<Payload, Problem> {
    convert(args).map_err(|bad| {
        let pointer = bad.path.iter().rev().fold("/args".to_owned(), |path, part| format!("{path}/{part}"));
        Problem::new(Code::InvalidArgument, format!("`$bytes` must be standard base64: {}", bad.why))
            .at(pointer)
    })
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
        Value::Object(map) if map.len() == 1 && map.contains_key(BYTES_KEY) => {
            decode(map.get(BYTES_KEY)).map_err(|why| Bad { why, path: vec![BYTES_KEY.to_owned()] })
        }
        Value::Object(map) => {
            let fields = map.into_iter().map(|(name, value)| {
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
            Ok(Payload { value: plain, blobs: Vec::new() })
        }
    }
}

fn decode(text: Option<&Value>) -> Result<Payload, String> {
    let text = text.and_then(Value::as_str).ok_or("it is not a string")?;
    let bytes = BASE64_STANDARD.decode(text).map_err(|e| e.to_string())?;
    Blob::new(bytes.into()).map(Payload::blob).map_err(|e| format!("the data cannot be passed on: {e}"))
}

/// A result cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("it holds more than {RESULT_BYTES_MAX} bytes of binary data")]
    TooLarge,
    #[error("its binary data cannot be read: {0}")]
    Blob(#[from] std::io::Error),
}

/// A value as a JSON document.
pub(crate) fn to_json(payload: Payload) -> Result<Value, Unwritable> {
    let mut bytes = 0;
    payload.into_document(&mut |blob: &Blob| {
        bytes += blob.len();
        if bytes > RESULT_BYTES_MAX {
            return Err(Unwritable::TooLarge);
        }
        let text = BASE64_STANDARD.encode(blob.to_bytes()?);
        Ok(Value::Object(Map::from_iter([(BYTES_KEY.to_owned(), Value::from(text))])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_comes_back_as_it_went() {
        let large = BASE64_STANDARD.encode(vec![7u8; 100_000]);
        let cases = [
            json!({}),
            json!({"a": [1, 2.5, null, true, "$bytes"]}),
            json!({"a": {"$bytes": "AAECAw=="}, "b": [{"$bytes": ""}, {"$bytes": large}]}),
            json!({"a": {"$bytes": "AA==", "other": 1}}),
            json!({"a": {"$blob": 0}, "b": {"$value": {"$blob": 7}}, "c": [{"$value": 1}]}),
            json!({"$blob": 0}),
        ];
        for value in cases {
            assert_eq!(to_json(to_payload(value.clone()).unwrap()).unwrap(), value);
        }
    }
}
