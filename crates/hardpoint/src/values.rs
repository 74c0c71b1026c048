//! JSON documents in which `{"$bytes": base64}` stands for binary data, and the payloads that they are.
//!
//! Owns that notation, in both directions. Must not know where a document came from or goes.

use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardpoint_wire::{Blob, Payload};
use serde_json::{Map, Value, json};

const BYTES: &str = "$bytes";

/// A JSON value as a payload.
pub(crate) fn from_json(value: Value) -> Result<Payload, Failure> {
    // Most values hold no binary data, and taking a large one apart would be for nothing.
    if !holds_bytes(&value) {
        return Ok(Payload::literal(value));
    }
    match value {
        Value::Object(fields) if is_bytes(&fields) => blob(&fields),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((name, from_json(value)?)));
            Ok(Payload::object(fields.collect::<Result<Vec<_>, Failure>>()?))
        }
        Value::Array(items) => {
            Ok(Payload::list(items.into_iter().map(from_json).collect::<Result<Vec<_>, Failure>>()?))
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Ok(Payload::literal(plain))
        }
    }
}

/// A payload as a JSON value.
pub(crate) fn to_json(payload: Payload) -> Result<Value, Failure> {
    payload.into_document(&mut |blob| encoded(blob))
}

/// Binary data as it stands in a document.
pub(crate) fn encoded(blob: &Blob) -> Result<Value, Failure> {
    let bytes = blob.to_bytes().map_err(|e| Failure::host("binary data cannot be read", &e))?;
    Ok(json!({BYTES: STANDARD.encode(bytes)}))
}

fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Object(fields) => is_bytes(fields) || fields.values().any(holds_bytes),
        Value::Array(items) => items.iter().any(holds_bytes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_bytes(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.contains_key(BYTES)
}

fn blob(fields: &Map<String, Value>) -> Result<Payload, Failure> {
    let text = fields.get(BYTES).and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(text).map_err(|e| {
        Failure::request(format!("`$bytes` is not base64: {e}"), "encode the data as standard base64")
    })?;
    let blob = Blob::new(bytes.into()).map_err(|e| Failure::host("the data cannot be passed on", &e))?;
    Ok(Payload::blob(blob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_with_binary_data_anywhere_comes_back_as_it_was() {
        for document in [
            json!({"a": 1, "b": [null, true, "x"]}),
            json!({"$bytes": "AAEC"}),
            json!({"list": [{"$bytes": "AAEC"}, {"deep": {"$bytes": ""}}], "n": 1.5}),
            json!([{"$bytes": "AAEC", "and": "more"}]),
        ] {
            assert_eq!(to_json(from_json(document.clone()).unwrap()).unwrap(), document);
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        let told = from_json(json!([{"$bytes": "?"}])).unwrap_err().to_string();
        assert!(told.contains("not base64"), "{told}");
    }
}
