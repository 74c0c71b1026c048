//! Images as clients of other hosts send them: in base64, perhaps as a data URL; and the arguments that they become.
//!
//! Owns both. Must not know which door they came in by, and fetches nothing.

use super::tool::{self, IMAGE_BYTES, OPTIONS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hardpoint_model::pipeline::takes;
use hardpoint_wire::{Blob, Payload};
use serde_json::{Map, Value};

/// Why a text is no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoImage {
    /// It is an address, and whoever asks must not make this host ask others.
    #[error("images are not fetched from addresses; send the image itself, in base64")]
    Address,
    /// It is a data URL of another form.
    #[error("a data URL of an image has the form `data:image/png;base64,...`")]
    DataUrl,
    /// It is not base64.
    #[error("the image is not valid base64: {0}")]
    Base64(String),
    /// There is nothing in it.
    #[error("the image is empty")]
    Empty,
    /// It cannot be kept in memory.
    #[error("the image cannot be passed on: {0}")]
    Host(String),
}

/// The bytes of an image: base64, with or without line breaks, or a data URL of it.
pub(super) fn decoded(text: &str) -> Result<Blob, NoImage> {
    let scheme = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    if scheme.starts_with("http://") || scheme.starts_with("https://") {
        return Err(NoImage::Address);
    }
    let base64 = if scheme.starts_with("data:") {
        text.split_once(";base64,").map(|(_, data)| data).ok_or(NoImage::DataUrl)?
    } else {
        text
    };
    let compact: String;
    let base64 = if base64.bytes().any(|byte| byte.is_ascii_whitespace()) {
        compact = base64.split_ascii_whitespace().collect();
        &compact
    } else {
        base64
    };
    let bytes = BASE64_STANDARD.decode(base64).map_err(|e| NoImage::Base64(e.to_string()))?;
    if bytes.is_empty() {
        return Err(NoImage::Empty);
    }
    Blob::new(bytes.into()).map_err(|e| NoImage::Host(e.to_string()))
}

/// The arguments of a tool that is to look at an image. Tools that were written for clients like these are given it and
/// the options under their names; one that does not take `options` is given each of them as an argument of its own.
pub(super) fn arguments(schema: &Value, image: Blob, options: Map<String, Value>) -> Payload {
    let name = tool::image_argument(schema).unwrap_or(IMAGE_BYTES).to_owned();
    let mut fields = vec![(name, Payload::blob(image))];
    if takes(schema, OPTIONS) {
        fields.push((OPTIONS.to_owned(), Payload::literal(Value::Object(options))));
    } else {
        let own = options.into_iter().filter(|(name, _)| name != "tool");
        fields.extend(own.map(|(name, value)| (name, Payload::literal(value))));
    }
    Payload::object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_is_base64_and_nothing_that_has_to_be_fetched() {
        let read = |text: &str| decoded(text).map(|blob| blob.to_bytes().unwrap().to_vec());
        for text in ["AAEC", "AA\nEC\r\n", "data:image/png;base64,AAEC", "DATA:image/x;name=a;base64,AAEC"] {
            assert_eq!(read(text), Ok(vec![0, 1, 2]), "{text}");
        }
        for address in ["http://a/b.png", "HTTPS://a"] {
            assert_eq!(read(address), Err(NoImage::Address), "{address}");
        }
        assert_eq!(read("data:image/png,abc"), Err(NoImage::DataUrl));
        assert_eq!(read(""), Err(NoImage::Empty));
        for text in ["A", "AAE", "file:///etc/passwd", "AA-_", "ä", "====="] {
            assert!(matches!(read(text), Err(NoImage::Base64(_))), "{text}");
        }
    }

    #[test]
    fn a_tool_is_given_the_image_under_the_name_that_it_has_for_it() {
        let blob = || Blob::new(vec![7].into()).unwrap();
        let options = || json!({"tool": "t", "width": 3}).as_object().cloned().unwrap();
        let names = |schema: Value| {
            let fields = arguments(&schema, blob(), options()).into_fields().unwrap();
            fields.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({"type": "object", "properties": {}})), ["image_bytes", "options"]);
        let closed = |properties: Value| json!({"properties": properties, "additionalProperties": false});
        assert_eq!(names(closed(json!({"image_bytes": {}, "options": {}}))), ["image_bytes", "options"]);
        assert_eq!(names(closed(json!({"photo": {"format": "bytes"}, "width": {}}))), ["photo", "width"]);
    }
}
