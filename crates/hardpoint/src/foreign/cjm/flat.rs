//! Owns the way from the flat format 1.0 to 2.0. What it does not know stays where it was.

use hardpoint_model::plugin_config::Object;
use serde_json::{Value, json};

const INSTALL: [&str; 7] = [
    "python_path",
    "conda_env",
    "db_path",
    "env_vars",
    "installed_at",
    "installer_version",
    "package_source",
];
/// The two labels have no place of their own in 2.0; lost they would be missed.
const CODE: [&str; 13] = [
    "name",
    "version",
    "description",
    "module",
    "class",
    "interface",
    "taxonomy",
    "resources",
    "config_schema",
    "worker_env",
    "regenerated_at",
    "category",
    "category_override",
];

pub(super) fn upgraded(mut flat: Object) -> Object {
    let mut section = |keys: &[&str]| -> Object {
        keys.iter().filter_map(|key| flat.remove_entry(*key)).filter(|(_, value)| !value.is_null()).collect()
    };
    let (install, code) = (section(&INSTALL), section(&CODE));
    flat.insert("format_version".to_owned(), json!("2.0"));
    flat.insert("install".to_owned(), Value::Object(install));
    flat.insert("code".to_owned(), Value::Object(code));
    flat
}
