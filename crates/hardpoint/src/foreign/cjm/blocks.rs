//! Owns what may stand in the blocks that both formats have: taxonomy, resources, variables of the worker.

use super::check::{given, kind};
use hardpoint_model::plugin_config::Object;
use serde_json::Value;

/// Everything that is wrong with them; `code` is what they stand in.
pub(super) fn mistakes(code: &Object) -> Vec<String> {
    let mut found = Vec::new();
    match given(code, "taxonomy") {
        None => {}
        Some(Value::Object(taxonomy)) => of_taxonomy(taxonomy, code, &mut found),
        Some(_) => found.push("'taxonomy' must be an object when present".to_owned()),
    }
    match given(code, "resources") {
        None => {}
        Some(Value::Object(resources)) => of_resources(resources, &mut found),
        Some(_) => found.push("'resources' must be an object when present".to_owned()),
    }
    match given(code, "worker_env") {
        None => {}
        Some(Value::Array(entries)) => {
            for (index, entry) in entries.iter().enumerate() {
                of_variable(index, entry, &mut found);
            }
        }
        Some(_) => found.push("'worker_env' must be a list when present".to_owned()),
    }
    found
}

fn of_taxonomy(taxonomy: &Object, code: &Object, found: &mut Vec<String>) {
    for key in ["domain", "role", "interface_fqcn"] {
        match taxonomy.get(key) {
            None => found.push(format!("'taxonomy.{key}' is required when taxonomy block present")),
            Some(Value::String(_)) => {}
            Some(_) => found.push(format!("'taxonomy.{key}' must be a string")),
        }
    }
    let named = taxonomy.get("interface_fqcn").and_then(Value::as_str);
    let sibling = code.get("interface").and_then(Value::as_str).filter(|text| !text.is_empty());
    if let (Some(named), Some(sibling)) = (named, sibling)
        && named != sibling
    {
        found.push(format!(
            "'taxonomy.interface_fqcn' ('{named}') disagrees with sibling 'interface' ('{sibling}')"
        ));
    }
}

fn of_resources(resources: &Object, found: &mut Vec<String>) {
    if resources.get("requires_gpu").is_some_and(|value| !value.is_boolean()) {
        found.push("'resources.requires_gpu' must be a boolean".to_owned());
    }
    for key in ["platforms", "accelerators"] {
        match resources.get(key) {
            None => {}
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {}
            Some(Value::Array(_)) => found.push(format!("'resources.{key}' must contain only strings")),
            Some(_) => found.push(format!("'resources.{key}' must be a list")),
        }
    }
}

fn of_variable(index: usize, entry: &Value, found: &mut Vec<String>) {
    let Value::Object(entry) = entry else {
        return found.push(format!("'worker_env[{index}]' must be an object, got {}", kind(entry)));
    };
    match given(entry, "name") {
        Some(Value::String(name)) if !name.is_empty() => {}
        Some(Value::String(_)) | None => {
            found.push(format!("required field 'worker_env[{index}].name' is missing or empty"));
        }
        Some(other) => {
            found.push(format!("'worker_env[{index}].name' must be a string, got {}", kind(other)));
        }
    }
    for key in ["secret", "required"] {
        if given(entry, key).is_some_and(|value| !value.is_boolean()) {
            found.push(format!("'worker_env[{index}].{key}' must be a boolean"));
        }
    }
    if entry.get("secret") == Some(&Value::Bool(true)) && given(entry, "default").is_some() {
        found.push(format!("'worker_env[{index}]' is a secret and has a default"));
    }
    if given(entry, "options").is_some_and(|options| !options.is_array()) {
        found.push(format!("'worker_env[{index}].options' must be a list when present"));
    }
}
