//! What a plugin says about the variables that its worker reads: which there are, which of them are secret, and which
//! it cannot do without.
//!
//! Pure. Must not know values of secrets: only whether there is one.

use crate::manifest::check_env_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One variable of a plugin's worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EnvVar {
    /// Its name.
    #[schemars(extend("format" = "env-name"))]
    pub name: String,
    /// Whether its value is a secret, which is set by hand and never shown.
    #[serde(default)]
    pub secret: bool,
    /// Whether the plugin cannot do without.
    #[serde(default)]
    pub required: bool,
    /// What it is called for people.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub label: String,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Its value when none is set. A secret has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768), extend("format" = "env-value"))]
    pub default: Option<String>,
    /// The values that it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub options: Option<Vec<String>>,
}

/// Whether a variable has what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvStatus {
    /// Its name.
    pub name: String,
    /// Whether its value is a secret.
    pub secret: bool,
    /// Whether the plugin cannot do without.
    pub required: bool,
    /// Whether it has a value: one that is set, or a default.
    pub satisfied: bool,
    /// What it is called for people.
    pub label: String,
    /// What it is for.
    pub description: String,
}

impl EnvVar {
    /// Its status, when `is_set` says whether a value was set for it.
    pub fn status(&self, is_set: bool) -> EnvStatus {
        EnvStatus {
            name: self.name.clone(),
            secret: self.secret,
            required: self.required,
            satisfied: is_set || self.visible_default().is_some(),
            label: self.label.clone(),
            description: self.description.clone(),
        }
    }

    /// Its default, if it is one that everybody may see.
    pub fn visible_default(&self) -> Option<&str> {
        self.default.as_deref().filter(|_| !self.secret)
    }

    /// What is wrong with a value for it, without the value itself.
    pub fn refuses(&self, value: &str) -> Option<String> {
        let options = self.options.as_deref().filter(|options| !options.is_empty())?;
        let fits = options.iter().any(|option| option == value);
        (!fits).then(|| format!("`{}` must be one of {}", self.name, options.join(", ")))
    }
}

/// The declarations in what a worker said of its plugin. What is none of them is left out: it is a worker's word.
pub fn declared(facts: &Value) -> Vec<EnvVar> {
    let told = facts.as_array().into_iter().flatten();
    let readable = told.filter_map(|entry| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let flag = |name: &str| entry.get(name).and_then(Value::as_bool).unwrap_or_default();
        let options = entry.get("options").and_then(Value::as_array);
        Some(EnvVar {
            name: entry.get("name")?.as_str()?.to_owned(),
            secret: flag("secret"),
            required: flag("required"),
            label: text("label"),
            description: text("description"),
            default: entry.get("default").and_then(as_variable),
            options: options.map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        })
    });
    readable.take(crate::limits::WORKER_ENV_MAX).collect()
}

/// A default as it stands in an environment; whoever declares may write a number.
fn as_variable(default: &Value) -> Option<String> {
    match default {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(default.to_string()),
    }
}

/// Why a text is no name that may be set for a worker, and what to do about it.
pub fn check_name(name: &str) -> Result<(), (String, String)> {
    check_env_name(name)
}

/// The same for a secret, which changes neither what programs are found nor what is loaded into them.
pub fn check_secret_name(name: &str) -> Result<(), (String, String)> {
    const LOADERS: [&str; 3] = ["LD_", "DYLD_", "PYTHON"];
    check_name(name)?;
    let upper = name.to_ascii_uppercase();
    if upper == "PATH" || LOADERS.iter().any(|begin| upper.starts_with(begin)) {
        let why = "it changes how programs are found or loaded".to_owned();
        return Err((why, "set it in `[env]` of the manifest: it is no secret".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_variable_is_satisfied_by_a_value_or_by_a_default_that_everybody_may_see() {
        let variable = |secret, default: Option<&str>| EnvVar {
            name: "KEY".to_owned(),
            secret,
            required: true,
            label: String::new(),
            description: String::new(),
            default: default.map(str::to_owned),
            options: Some(vec!["a".to_owned(), "b".to_owned()]),
        };
        for (secret, default, is_set, satisfied) in [
            (true, None, false, false),
            (true, None, true, true),
            (true, Some("never"), false, false),
            (false, Some("a"), false, true),
            (false, None, false, false),
        ] {
            assert_eq!(variable(secret, default).status(is_set).satisfied, satisfied, "{secret} {default:?}");
        }
        assert_eq!(variable(false, None).refuses("a"), None);
        assert_eq!(variable(false, None).refuses("c").unwrap(), "`KEY` must be one of a, b");
    }

    #[test]
    fn what_a_worker_declares_is_read_as_far_as_it_can_be() {
        let told =
            json!([{"name": "KEY", "secret": true, "label": "Key", "options": null}, {"no": "name"}, 7]);
        let found = declared(&told);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].secret && !found[0].required && found[0].label == "Key" && found[0].options.is_none()
        );
        assert_eq!(declared(&json!("nothing")), []);
    }

    #[test]
    fn names_that_belong_to_the_host_cannot_be_set() {
        for name in ["", "1A", "A-B", "HARDPOINT_FD", "hardpoint_tree", "PYTHONPATH", "A=B", "A\0"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("API_KEY").is_ok());
    }
}
