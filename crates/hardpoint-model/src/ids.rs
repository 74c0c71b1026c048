//! Owns the names of plugins and instances. Knows nothing of which ones exist.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::limits::{INSTANCE_ID_CHARS_MAX, PLUGIN_NAME_CHARS_MAX};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has other characters than a plugin name may have, none, or too many.
    #[error(
        "must start with a lower-case letter or a digit, then lower-case letters, digits, `_` or `-`, \
         {PLUGIN_NAME_CHARS_MAX} characters at most"
    )]
    Plugin,
    /// The text has other characters than an instance id may have, none, or too many.
    #[error("must be letters, digits, `_` or `-`, {INSTANCE_ID_CHARS_MAX} characters at most")]
    Instance,
    /// The text is no UUID.
    #[error("must be the id of a job, a UUID")]
    Job,
}

/// The name of a plugin: `[a-z0-9][a-z0-9_-]{0,63}`. It is safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(String);

impl PluginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that a foreign name becomes: lower case, odd characters as `_`.
    pub fn suggested_for(text: &str) -> Option<Self> {
        let fixed: String = text
            .trim()
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(PLUGIN_NAME_CHARS_MAX)
            .collect();
        fixed.trim_start_matches(['_', '-']).parse().ok()
    }
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first_fits = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest_fits =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if first_fits && rest_fits && text.len() <= PLUGIN_NAME_CHARS_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Plugin)
        }
    }
}

impl TryFrom<String> for PluginName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PluginName> for String {
    fn from(name: PluginName) -> Self {
        name.0
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an instance of a plugin: `[A-Za-z0-9_-]{1,64}`. The default instance is called like its plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

impl InstanceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id for one more instance of a plugin, `ocr-3fa94c`: the last six digits of `unique`, a hexadecimal number.
    pub fn generated(plugin: &str, unique: &str) -> Option<Self> {
        let digits = unique.get(unique.len().checked_sub(GENERATED_DIGITS)?..)?;
        let kept: String = plugin.chars().take(INSTANCE_ID_CHARS_MAX - GENERATED_DIGITS - 1).collect();
        format!("{kept}-{digits}").parse().ok()
    }
}

/// Digits at the end of an id that nobody chose.
const GENERATED_DIGITS: usize = 6;

impl FromStr for InstanceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits && (1..=INSTANCE_ID_CHARS_MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Instance)
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One instance of a plugin: `ocr` is the default one of that plugin, `fast` and `ocr@fast` are a further one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginRef {
    /// The plugin, when it is named.
    pub plugin: Option<PluginName>,
    /// The instance.
    pub instance: InstanceId,
}

impl PluginRef {
    /// The same instance by its id alone.
    #[must_use]
    pub fn by_id(self) -> Self {
        Self { plugin: None, ..self }
    }
}

impl FromStr for PluginRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (plugin, instance) = match text.split_once('@') {
            Some((plugin, instance)) => (Some(plugin.parse()?), instance),
            None => (None, text),
        };
        Ok(Self { plugin, instance: instance.parse()? })
    }
}

impl TryFrom<String> for PluginRef {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PluginRef> for String {
    fn from(reference: PluginRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{plugin}@{}", self.instance),
            None => write!(f, "{}", self.instance),
        }
    }
}

/// A text with a shape that editors check by `pattern` and we by `format`, whose message is better.
fn text_schema(format: &str, pattern: &str) -> Schema {
    json_schema!({"type": "string", "format": format, "pattern": pattern})
}

impl JsonSchema for PluginName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PluginName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text_schema("plugin-name", "^[a-z0-9][a-z0-9_-]{0,63}$")
    }
}

impl JsonSchema for PluginRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PluginRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text_schema("plugin-ref", "^([a-z0-9][a-z0-9_-]{0,63}@)?[A-Za-z0-9_-]{1,64}$")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_names_are_lower_case_and_short() {
        let long = "a".repeat(65);
        for (text, expected) in [
            ("ocr", true),
            ("7zip-reader_2", true),
            ("", false),
            ("-ocr", false),
            ("Ocr", false),
            ("ocr plugin", false),
            ("../ocr", false),
            ("öcr", false),
            (long.as_str(), false),
        ] {
            assert_eq!(text.parse::<PluginName>().is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn references_name_an_instance_and_perhaps_its_plugin() {
        let long = "a".repeat(65);
        for (text, expected) in [
            ("ocr", Some((None, "ocr"))),
            ("Fast_2-", Some((None, "Fast_2-"))),
            ("ocr@Fast", Some((Some("ocr"), "Fast"))),
            ("", None),
            ("a b", None),
            (long.as_str(), None),
            ("Ocr@fast", None),
            ("ocr@", None),
            ("@fast", None),
            ("ocr@a@b", None),
            ("ocr@a/b", None),
        ] {
            let parsed = text.parse::<PluginRef>().ok();
            let parts =
                parsed.as_ref().map(|r| (r.plugin.as_ref().map(PluginName::as_str), r.instance.as_str()));
            assert_eq!(parts, expected, "{text}");
            if let Some(reference) = parsed {
                assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_that_nobody_chose_fits_however_long_the_plugin_is_called() {
        let id =
            |plugin: &str| InstanceId::generated(plugin, "0195f3c2-0000-7000-8000-00aa11bb22cc").unwrap();
        assert_eq!(id("ocr").as_str(), "ocr-bb22cc");
        assert_eq!(id(&"a".repeat(64)).as_str().len(), 64);
        assert_eq!(InstanceId::generated("ocr", "cc"), None);
    }

    #[test]
    fn a_foreign_name_has_a_suggestion() {
        for (text, expected) in [("My Plugin", Some("my_plugin")), ("__init__", Some("init__")), ("", None)] {
            assert_eq!(PluginName::suggested_for(text).as_ref().map(PluginName::as_str), expected);
        }
    }
}
