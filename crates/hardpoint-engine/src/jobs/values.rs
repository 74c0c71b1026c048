//! Values of jobs: JSON documents on disk, payloads on their way to and from a worker.
//!
//! Owns the translation, and how large a value is.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use hardpoint_model::{Category, JobError};
use hardpoint_wire::{Blob, Payload};
use serde_json::{Map, Value};

const BYTES: &str = "$bytes";

/// Whether an object stands for binary data.
pub(super) fn is_bytes(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.contains_key(BYTES)
}

/// `{"$bytes": base64}` anywhere in the arguments is binary.
pub(super) fn arguments(value: Value) -> Result<Payload, JobError> {
    Ok(match value {
        Value::Object(map) if is_bytes(&map) => {
            let text = map.get(BYTES).and_then(Value::as_str).unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|e| bad_bytes(&e.to_string()))?;
            Payload::blob(Blob::new(bytes.into()).map_err(|e| bad_bytes(&e.to_string()))?)
        }
        Value::Object(map) => {
            let fields = map.into_iter().map(|(name, value)| Ok((name, arguments(value)?)));
            Payload::object(fields.collect::<Result<Vec<_>, JobError>>()?)
        }
        Value::Array(items) => {
            Payload::list(items.into_iter().map(arguments).collect::<Result<Vec<_>, JobError>>()?)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Payload::literal(plain)
        }
    })
}

fn bad_bytes(why: &str) -> JobError {
    JobError::new(Category::UserInput, "InvalidArgument", format!("`$bytes` cannot be used: {why}"))
}

/// About how many bytes a value takes as text, without writing it.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 24,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>(),
    }
}
