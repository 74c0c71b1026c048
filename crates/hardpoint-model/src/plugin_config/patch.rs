//! Owns how a change is merged into what is kept: JSON merge patch, RFC 7396.

use super::Object;
use serde_json::Value;

/// Takes over what `patch` says: objects are merged, everything else is replaced, and null removes a key.
pub fn merge(kept: &mut Object, patch: &Object) {
    for (name, change) in patch {
        match change {
            Value::Null => drop(kept.remove(name)),
            Value::Object(change) => {
                let below = kept.entry(name.clone()).or_insert_with(|| Value::Object(Object::new()));
                if !below.is_object() {
                    *below = Value::Object(Object::new());
                }
                if let Value::Object(below) = below {
                    merge(below, change);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                kept.insert(name.clone(), change.clone());
            }
        }
    }
}
