//! References in the arguments of a stage: `{"$from": "/stages/0/text"}`.
//!
//! Owns what they look like and what they may name. Must not know the values.

use serde_json::{Map, Value};
use std::fmt;

/// What stands for a part of something else.
const FROM: &str = "$from";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A field of the input.
    Input(String),
    /// A field of a stage's output, or all of it.
    Stage(usize, Option<String>),
    /// A field of what would be passed on.
    Document(String),
}

/// A reference that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It is not of the form.
    #[error("`$from` must be `/input/NAME`, `/document/NAME`, `/stages/N` or `/stages/N/NAME`, got `{0}`")]
    Form(String),
    /// It names a stage that is not over by then.
    #[error("`{reference}` is stage {}, which does not come before stage {}; `/stages/0` is the first", of.saturating_add(1), stage.saturating_add(1))]
    Later {
        /// The reference.
        reference: Reference,
        /// The stage that it names, from 0.
        of: usize,
        /// The stage that it is an argument of, from 0.
        stage: usize,
    },
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match self {
            Self::Input(name) => write!(f, "/input/{}", escaped(name)),
            Self::Document(name) => write!(f, "/document/{}", escaped(name)),
            Self::Stage(stage, None) => write!(f, "/stages/{stage}"),
            Self::Stage(stage, Some(name)) => write!(f, "/stages/{stage}/{}", escaped(name)),
        }
    }
}

impl Reference {
    /// The reference that a value is, if it is one. `stage`: of which stage it is an argument, from 0.
    pub fn of(value: &Value, stage: usize) -> Option<Result<Self, ReferenceError>> {
        let map: &Map<String, Value> = value.as_object().filter(|map| map.len() == 1)?;
        let named = map.get(FROM)?;
        let form = || ReferenceError::Form(named.as_str().map_or_else(|| named.to_string(), str::to_owned));
        let Some(text) = named.as_str() else { return Some(Err(form())) };
        let reference = Self::parse(text).ok_or_else(form);
        Some(reference.and_then(|reference| match reference {
            Self::Stage(of, _) if of >= stage => Err(ReferenceError::Later { reference, of, stage }),
            fine => Ok(fine),
        }))
    }

    /// A path of names; `~1` stands for `/` and `~0` for `~`, as in a JSON pointer.
    fn parse(text: &str) -> Option<Self> {
        let mut names =
            text.strip_prefix('/')?.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
        let (root, first, second) = (names.next()?, names.next()?, names.next());
        match (root.as_str(), second, names.next()) {
            ("input", None, None) => Some(Self::Input(first)),
            ("document", None, None) => Some(Self::Document(first)),
            ("stages", field, None) => first.parse().ok().map(|stage| Self::Stage(stage, field)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_names_the_input_an_earlier_stage_or_the_document() {
        let of = |from: &str| Reference::of(&json!({"$from": from}), 2).unwrap();
        assert_eq!(of("/input/image"), Ok(Reference::Input("image".to_owned())));
        assert_eq!(of("/document/a~1b"), Ok(Reference::Document("a/b".to_owned())));
        assert_eq!(of("/stages/1"), Ok(Reference::Stage(1, None)));
        assert_eq!(of("/stages/0/text"), Ok(Reference::Stage(0, Some("text".to_owned()))));
        let later = of("/stages/2/a~1b").unwrap_err();
        let told =
            "`/stages/2/a~1b` is stage 3, which does not come before stage 3; `/stages/0` is the first";
        assert_eq!(later.to_string(), told);
        for wrong in ["", "input", "/input", "/input/a/b", "/stages/x/y", "/stages/0/a/b", "/else/a"] {
            assert_eq!(of(wrong), Err(ReferenceError::Form(wrong.to_owned())), "{wrong}");
        }
        assert_eq!(Reference::of(&json!({"$from": "/input/a", "b": 1}), 0), None);
        assert_eq!(Reference::of(&json!("/input/a"), 0), None);
    }
}
