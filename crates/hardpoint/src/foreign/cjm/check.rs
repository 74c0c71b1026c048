//! Owns what a manifest may say, in the order and the words of the contract; all mistakes at once.

use super::blocks;
use hardpoint_model::plugin_config::Object;
use serde_json::Value;

/// Fields that the code has to have.
pub(super) const CODE: [&str; 6] = ["name", "version", "description", "module", "class", "interface"];
const INSTALL_TEXTS: [&str; 5] =
    ["conda_env", "db_path", "installed_at", "installer_version", "package_source"];
const FLAT_TEXTS: [&str; 7] = [
    "category",
    "category_override",
    "conda_env",
    "db_path",
    "package_source",
    "installer_version",
    "installed_at",
];

/// Whether it is of the format without a version.
pub(super) fn is_flat(document: &Object) -> bool {
    document.get("format_version").is_none_or(Value::is_null)
}

/// Everything that is wrong.
pub(super) fn mistakes(value: &Value) -> Vec<String> {
    let Value::Object(document) = value else {
        return vec![format!("manifest must be a JSON object, got {}", kind(value))];
    };
    let mut found = Vec::new();
    match document.get("format_version") {
        None | Some(Value::Null) => flat(document, &mut found),
        Some(Value::String(version)) if version == "2.0" => nested(document, &mut found),
        Some(other) => found.push(format!(
            "unrecognized format_version {}; expected '2.0' or legacy (no format_version field)",
            repr(other)
        )),
    }
    found.into_iter().map(|mistake| format!("manifest: {mistake}")).collect()
}

fn nested(document: &Object, found: &mut Vec<String>) {
    let mut section = |name: &str| match document.get(name) {
        None => {
            found.push(format!("required section '{name}' is missing"));
            None
        }
        Some(Value::Object(section)) => Some(section),
        Some(other) => {
            found.push(format!("'{name}' must be an object, got {}", kind(other)));
            None
        }
    };
    let (install, code) = (section("install"), section("code"));
    for name in ["drift_tracking", "overrides"] {
        if let Some(other) = given(document, name).filter(|value| !value.is_object()) {
            found.push(format!("'{name}' must be an object when present, got {}", kind(other)));
        }
    }
    for key in CODE {
        required(code, key, &format!("'code.{key}'"), found);
    }
    required(install, "python_path", "'install.python_path'", found);
    dotted(code, "code.interface", "", found);
    for key in INSTALL_TEXTS {
        text_if_given(install, key, &format!("'install.{key}'"), found);
    }
    variables(install, "install.env_vars", found);
    text_if_given(code, "regenerated_at", "'code.regenerated_at'", found);
    config_schema(code, "code.", found);
    if let Some(code) = code {
        found.extend(blocks::mistakes(code).into_iter().map(|mistake| format!("code: {mistake}")));
    }
    let drift = document.get("drift_tracking").and_then(Value::as_object);
    text_if_given(drift, "config_schema_hash", "'drift_tracking.config_schema_hash'", found);
}

fn flat(document: &Object, found: &mut Vec<String>) {
    let all = Some(document);
    for key in CODE.into_iter().chain(["python_path"]) {
        required(all, key, &format!("field '{key}'"), found);
    }
    dotted(all, "interface", "field ", found);
    for key in FLAT_TEXTS {
        text_if_given(all, key, &format!("field '{key}'"), found);
    }
    variables(all, "env_vars", found);
    config_schema(all, "", found);
    found.extend(blocks::mistakes(document));
}

/// A value that is there and not null.
pub(super) fn given<'a>(section: &'a Object, key: &str) -> Option<&'a Value> {
    section.get(key).filter(|value| !value.is_null())
}

/// `named` is how the field is called when it is wrong: `'code.name'`, `field 'name'`.
fn required(section: Option<&Object>, key: &str, named: &str, found: &mut Vec<String>) {
    let Some(section) = section else { return };
    match given(section, key) {
        None => found.push(format!("required {} is missing or empty", field_word(named))),
        Some(Value::String(text)) if text.is_empty() => {
            found.push(format!("required {} is missing or empty", field_word(named)));
        }
        Some(Value::String(_)) => {}
        Some(other) => found.push(format!("{named} must be a string, got {}", kind(other))),
    }
}

fn field_word(named: &str) -> String {
    if named.starts_with('\'') { format!("field {named}") } else { named.to_owned() }
}

fn dotted(section: Option<&Object>, path: &str, word: &str, found: &mut Vec<String>) {
    let key = path.rsplit('.').next().unwrap_or(path);
    let text = section.and_then(|section| section.get(key)).and_then(Value::as_str);
    if let Some(text) = text.filter(|text| !text.is_empty() && !text.contains('.')) {
        found.push(format!(
            "{word}'{path}' '{text}' is not a dotted FQN (expected 'module.subpackage.ClassName')"
        ));
    }
}

fn text_if_given(section: Option<&Object>, key: &str, named: &str, found: &mut Vec<String>) {
    if section.and_then(|section| given(section, key)).is_some_and(|value| !value.is_string()) {
        found.push(format!("{named} must be a string when present"));
    }
}

fn variables(section: Option<&Object>, path: &str, found: &mut Vec<String>) {
    let word = if path.contains('.') { "" } else { "field " };
    match section.and_then(|section| given(section, "env_vars")) {
        None => {}
        Some(Value::Object(variables)) => {
            for (name, value) in variables.iter().filter(|(_, value)| !value.is_string()) {
                found.push(format!("{word}'{path}.{name}' must be a string, got {}", kind(value)));
            }
        }
        Some(_) => found.push(format!("{word}'{path}' must be an object when present")),
    }
}

fn config_schema(section: Option<&Object>, path: &str, found: &mut Vec<String>) {
    let word = if path.is_empty() { "field " } else { "" };
    match section.and_then(|section| given(section, "config_schema")) {
        None => {}
        Some(Value::Object(schema)) => {
            if given(schema, "properties").is_some_and(|properties| !properties.is_object()) {
                found.push(format!("'{path}config_schema.properties' must be an object when present"));
            } else if let Err(error) = hardpoint_model::schema::compile(&Value::Object(schema.clone())) {
                found.push(format!("'{path}config_schema' is no JSON Schema that can be used: {error}"));
            }
        }
        Some(_) => found.push(format!("{word}'{path}config_schema' must be an object when present")),
    }
}

/// What Python calls the type of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A text in single quotes, any other value as it is.
fn repr(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}
