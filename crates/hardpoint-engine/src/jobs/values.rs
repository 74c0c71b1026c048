//! Values of jobs: what makes arguments of a document, and how large a value is.
//!
//! Owns the words for a document that is none. Must not know where a value is kept.

use hardpoint_model::{Category, JobError};
use hardpoint_wire::Payload;
use serde_json::Value;
use std::io;

/// A document as it is given to a worker.
pub(super) fn arguments(document: Value) -> Result<Payload, JobError> {
    let bad = |bad: hardpoint_wire::BadBytes| {
        let message = format!("{bad} (at {})", bad.pointer);
        JobError::new(Category::UserInput, "InvalidArgument", message)
    };
    Payload::from_json(document).map_err(bad)
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

/// Whether a value takes at most `max` bytes as text.
pub(super) fn fits(value: &Value, max: usize) -> bool {
    // A byte takes six at most, as `\u0001`. What is smaller than that needs no second look.
    size(value) <= max / 6 || text_bytes(value) <= max
}

/// How many bytes a value takes as text, which is written nowhere.
fn text_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_too_large_is_measured_to_the_byte() {
        let text = |bytes: usize| json!("x".repeat(bytes - 2));
        let check = |value: &Value, max: usize, expected: bool| {
            assert_eq!(fits(value, max), expected, "{} bytes of {max}", value.to_string().len());
        };
        check(&text(1000), 1000, true);
        check(&text(1001), 1000, false);
        check(&json!(vec![1; 400]), 801, true);
        check(&json!(vec![1; 400]), 800, false);
        check(&json!("\u{1}".repeat(166)), 998, true);
        check(&json!("\u{1}".repeat(167)), 1000, false);
        check(&json!({"a": 1e15}), 23, false);
        check(&json!({"a": 1e15}), 24, true);
    }
}
