//! Payloads: a JSON value together with the blobs it refers to.
//!
//! Owns the `{"$blob": i}` and `{"$value": …}` markers. Must not know frames or messages.

use crate::blob::Blob;
use crate::frame::contains;
use crate::limits::NESTING_MAX;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

const BLOB_KEY: &str = "$blob";
const LITERAL_KEY: &str = "$value";

/// A value as it travels: JSON in wire form, and its blobs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload {
    /// The JSON part; markers are left in place.
    pub value: Value,
    /// What the markers refer to.
    pub blobs: Vec<Blob>,
}

/// A value that cannot be carried; its call fails, the connection goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The text is not JSON that this host can hold.
    #[error("it cannot be read ({0})")]
    Json(String),
    /// Too many arrays and objects inside each other.
    #[error("it is nested deeper than {NESTING_MAX} levels")]
    Nesting,
    /// A marker names a blob that is not there.
    #[error("it refers to blob {0}, which is not there")]
    MissingBlob(u64),
}

impl Payload {
    /// A value without binary parts, taken literally.
    pub fn literal(value: Value) -> Self {
        Self { value: escape(value), blobs: Vec::new() }
    }

    /// One binary value.
    pub fn blob(blob: Blob) -> Self {
        Self { value: marker(0), blobs: vec![blob] }
    }

    /// Reads the value part of a message.
    pub(crate) fn from_raw(raw: &RawValue, blobs: Vec<Blob>) -> Result<Self, ValueError> {
        let value: Value = serde_json::from_str(raw.get()).map_err(|e| {
            if e.to_string().contains("recursion limit") {
                ValueError::Nesting
            } else {
                ValueError::Json(e.to_string())
            }
        })?;
        // Only deep or marked values need a walk, and both show in the text.
        let text = raw.get().as_bytes();
        if memchr::memchr2_iter(b'[', b'{', text).take(NESTING_MAX + 1).count() > NESTING_MAX {
            check_depth(&value, NESTING_MAX)?;
        }
        if contains(text, b"\"$blob\"") {
            check_markers(&value, blobs.len() as u64)?;
        }
        Ok(Self { value, blobs })
    }

    /// An object whose fields are payloads of their own; their blobs are renumbered.
    pub fn object(fields: impl IntoIterator<Item = (String, Payload)>) -> Self {
        let mut map = Map::new();
        let mut blobs = Vec::new();
        for (name, mut field) in fields {
            if !field.blobs.is_empty() {
                shift(&mut field.value, blobs.len() as u64);
                blobs.append(&mut field.blobs);
            }
            map.insert(name, field.value);
        }
        Self { value: escape_markers(map), blobs }
    }

    /// A list of payloads; their blobs are renumbered.
    pub fn list(items: impl IntoIterator<Item = Payload>) -> Self {
        let (mut values, mut blobs) = (Vec::new(), Vec::new());
        for mut item in items {
            if !item.blobs.is_empty() {
                shift(&mut item.value, blobs.len() as u64);
                blobs.append(&mut item.blobs);
            }
            values.push(item.value);
        }
        Self { value: Value::Array(values), blobs }
    }

    /// The fields of an object, each with just the blobs it refers to; `None` when it is not an object.
    pub fn into_fields(self) -> Option<Vec<(String, Payload)>> {
        if self.as_blob().is_some() {
            return None;
        }
        let Value::Object(map) = unescape(self.value) else { return None };
        let blobs = self.blobs;
        let split = map.into_iter().map(|(name, mut value)| {
            let mut own = Vec::new();
            if !blobs.is_empty() {
                collect(&mut value, &blobs, &mut own);
            }
            (name, Payload { value, blobs: own })
        });
        Some(split.collect())
    }

    /// The blob, when the whole value is one.
    pub fn as_blob(&self) -> Option<&Blob> {
        self.blobs.get(usize::try_from(marker_index(&self.value)?).ok()?)
    }

    /// The value as a JSON document for people and scripts: each blob replaced by `on_blob(blob)`.
    /// What has no blobs is moved, not copied.
    pub fn into_document<E>(self, on_blob: &mut impl FnMut(&Blob) -> Result<Value, E>) -> Result<Value, E> {
        document(self.value, &self.blobs, on_blob)
    }

    /// Whether the value is nested deeper than the protocol allows.
    pub fn check(&self) -> Result<(), ValueError> {
        check_depth(&self.value, NESTING_MAX)?;
        check_markers(&self.value, self.blobs.len() as u64)
    }
}

fn marker(index: u64) -> Value {
    Value::Object(Map::from_iter([(BLOB_KEY.to_owned(), Value::from(index))]))
}

fn marker_index(value: &Value) -> Option<u64> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get(BLOB_KEY)?.as_u64()
}

/// A one-key object with a reserved name is wrapped, so that it is not read as a marker.
fn escape_markers(map: Map<String, Value>) -> Value {
    let reserved = map.len() == 1 && (map.contains_key(BLOB_KEY) || map.contains_key(LITERAL_KEY));
    let object = Value::Object(map);
    if reserved { Value::Object(Map::from_iter([(LITERAL_KEY.to_owned(), object)])) } else { object }
}

fn escape(value: Value) -> Value {
    match value {
        Value::Object(map) => escape_markers(map.into_iter().map(|(k, v)| (k, escape(v))).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(escape).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// Takes one `$value` wrapping off the top level.
fn unescape(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 1 => match map.remove(LITERAL_KEY) {
            Some(inner) => inner,
            None => Value::Object(map),
        },
        other => other,
    }
}

fn is_literal(map: &Map<String, Value>) -> Option<&Map<String, Value>> {
    if map.len() == 1 { map.get(LITERAL_KEY)?.as_object() } else { None }
}

fn check_depth(value: &Value, left: usize) -> Result<(), ValueError> {
    let deeper = left.checked_sub(1).ok_or(ValueError::Nesting);
    match value {
        Value::Array(items) => {
            let left = deeper?;
            items.iter().try_for_each(|item| check_depth(item, left))
        }
        Value::Object(map) => {
            let left = deeper?;
            map.values().try_for_each(|item| check_depth(item, left))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn check_markers(value: &Value, blobs: u64) -> Result<(), ValueError> {
    if let Some(index) = marker_index(value) {
        return if index < blobs { Ok(()) } else { Err(ValueError::MissingBlob(index)) };
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_markers(item, blobs)),
        Value::Object(map) => {
            is_literal(map).unwrap_or(map).values().try_for_each(|item| check_markers(item, blobs))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Applies `on_marker` to every marker in the value, with the `$value` wrappings respected.
fn for_each_marker(value: &mut Value, on_marker: &mut impl FnMut(u64) -> u64) {
    if let Some(index) = marker_index(value) {
        *value = marker(on_marker(index));
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_marker(item, on_marker)),
        Value::Object(map) => {
            let literal = is_literal(map).is_some();
            for item in map.values_mut() {
                match item {
                    Value::Object(inner) if literal => {
                        inner.values_mut().for_each(|item| for_each_marker(item, on_marker));
                    }
                    item => for_each_marker(item, on_marker),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn shift(value: &mut Value, by: u64) {
    for_each_marker(value, &mut |index| index + by);
}

fn collect(value: &mut Value, blobs: &[Blob], own: &mut Vec<Blob>) {
    for_each_marker(value, &mut |index| {
        if let Some(blob) = usize::try_from(index).ok().and_then(|index| blobs.get(index)) {
            own.push(blob.clone());
        }
        (own.len() as u64).saturating_sub(1)
    });
}

fn document<E>(
    value: Value,
    blobs: &[Blob],
    on_blob: &mut impl FnMut(&Blob) -> Result<Value, E>,
) -> Result<Value, E> {
    if let Some(blob) = marker_index(&value).and_then(|i| blobs.get(usize::try_from(i).ok()?)) {
        return on_blob(blob);
    }
    Ok(match unescape(value) {
        Value::Array(items) => Value::Array(
            items.into_iter().map(|item| document(item, blobs, on_blob)).collect::<Result<_, E>>()?,
        ),
        Value::Object(mut map) => {
            for item in map.values_mut() {
                *item = document(item.take(), blobs, on_blob)?;
            }
            Value::Object(map)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    })
}
