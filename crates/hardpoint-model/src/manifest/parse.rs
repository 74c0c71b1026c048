//! Owns the way from the text of a manifest to a [`Manifest`]: TOML, schema, what a schema cannot say.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::Manifest;
use super::formats::{FORMATS, entry_point, installed_name};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::document::{Document, Format};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::schema::{SchemaError, Validator, compile_with};
use crate::suggest::quoted;

/// The JSON Schema of `hardpoint.toml`, as published for editors.
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = false;
    let mut schema = settings.into_generator().into_root_schema_for::<Manifest>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

/// TOML has no null: an optional field is simply left out.
pub(crate) fn without_null(schema: &mut schemars::Schema) {
    let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) else { return };
    types.retain(|name| name != "null");
    if let [single] = types.as_slice() {
        let single = single.clone();
        schema.insert("type".to_owned(), single);
    }
}

static VALIDATOR: LazyLock<Result<Validator, SchemaError>> =
    LazyLock::new(|| compile_with(&schema(), FORMATS));

pub(super) fn parse(text: &str, file: &str) -> Result<Manifest, Diagnostics> {
    let document = Document::parse(text, file, Format::Toml, MANIFEST_BYTES_MAX)?;
    let validator =
        VALIDATOR.as_ref().map_err(|error| Diagnostics::of_file(file, error.to_string(), error.hint()))?;
    let mut found: Vec<Diagnostic> =
        validator.check(&document.value).into_iter().map(|error| document.field_error(error)).collect();
    entry_fits_dialect(&document, &mut found);
    lock_or_requirements(&document, &mut found);
    environment_is_whole(&document, &mut found);
    gpu_memory_needs_a_gpu(&document, &mut found);
    model_names_differ(&document, &mut found);
    worker_env_makes_sense(&document, &mut found);
    if !found.is_empty() {
        return Err(Diagnostics::new(found));
    }
    serde_json::from_value(document.value)
        .map_err(|error| Diagnostics::of_file(file, error.to_string(), "compare the file with its reference"))
}

fn entry_fits_dialect(document: &Document, found: &mut Vec<Diagnostic>) {
    let entry = document.value.get("entry").and_then(Value::as_str).filter(|entry| !entry.is_empty());
    let dialect = document.value.get("dialect").and_then(Value::as_str).unwrap_or("native");
    let fits = |entry: &str| match dialect {
        "exec" => true,
        // Its plugins are installed under a name, too, with `@` and the distribution where several have the same.
        "forgesyte" => entry_point(entry) || installed_name(entry),
        _ => entry_point(entry),
    };
    let Some(entry) = entry.filter(|entry| !fits(entry)) else { return };
    let message = format!("must be `module:Class`, got `{}`", quoted(entry));
    let hint = if entry.contains('/') || entry.contains(".py") {
        "name the module as in `import`, without `.py` and slashes: `my_plugin:Plugin`"
    } else {
        "write the module, a colon and the class: `my_plugin:Plugin`"
    };
    found.push(document.diagnostic("/entry", "entry".to_owned(), message, Some(hint.to_owned())));
}

fn lock_or_requirements(document: &Document, found: &mut Vec<Diagnostic>) {
    let lock = document.value.pointer("/python/lock");
    let listed = document.value.pointer("/python/requirements").and_then(Value::as_array);
    if lock.is_some() && listed.is_some_and(|list| !list.is_empty()) {
        found.push(document.diagnostic(
            "/python/lock",
            "python.lock".to_owned(),
            "cannot stand beside `python.requirements`",
            Some("keep one of them: the lock file already lists every package".to_owned()),
        ));
    }
}

/// What is there already is used as it is: nothing is installed into it.
fn environment_is_whole(document: &Document, found: &mut Vec<Diagnostic>) {
    if document.value.pointer("/python/environment").is_none() {
        return;
    }
    let is_given = |key: &str| match document.value.pointer(&format!("/python/{key}")) {
        Some(Value::Array(list)) => !list.is_empty(),
        other => other.is_some(),
    };
    for key in ["requirements", "lock"].into_iter().filter(|key| is_given(key)) {
        found.push(document.diagnostic(
            "/python/environment",
            "python.environment".to_owned(),
            format!("cannot stand beside `python.{key}`"),
            Some(
                "keep one of them: nothing is installed into an environment that is there already".to_owned(),
            ),
        ));
    }
}

fn gpu_memory_needs_a_gpu(document: &Document, found: &mut Vec<Diagnostic>) {
    let at = |name: &str| document.value.pointer(&format!("/needs/{name}"));
    if at("min_gpu_vram_mb").is_some() && at("requires_gpu") != Some(&Value::Bool(true)) {
        found.push(document.diagnostic(
            "/needs/min_gpu_vram_mb",
            "needs.min_gpu_vram_mb".to_owned(),
            "counts only beside `requires_gpu = true`".to_owned(),
            Some("add that, or leave this out".to_owned()),
        ));
    }
}

fn model_names_differ(document: &Document, found: &mut Vec<Diagnostic>) {
    let Some(models) = document.value.pointer("/needs/models").and_then(Value::as_array) else { return };
    let mut seen = std::collections::BTreeSet::new();
    for (index, model) in models.iter().enumerate() {
        let name = model.get("name").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| !seen.insert(*name)) {
            found.push(document.diagnostic(
                &format!("/needs/models/{index}/name"),
                format!("needs.models[{index}].name"),
                format!("`{}` names a second model", quoted(name)),
                Some("give each model a name of its own".to_owned()),
            ));
        }
    }
}

fn worker_env_makes_sense(document: &Document, found: &mut Vec<Diagnostic>) {
    let Some(variables) = document.value.get("worker_env").and_then(Value::as_array) else { return };
    let mut seen = std::collections::BTreeSet::new();
    for (index, variable) in variables.iter().enumerate() {
        let mut tell = |field: &str, message: String, hint: &str| {
            let (pointer, place) =
                (format!("/worker_env/{index}/{field}"), format!("worker_env[{index}].{field}"));
            found.push(document.diagnostic(&pointer, place, message, Some(hint.to_owned())));
        };
        let name = variable.get("name").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| !seen.insert(*name)) {
            tell("name", format!("`{}` names a second variable", quoted(name)), "name each variable once");
        }
        let Some(default) = variable.get("default").and_then(Value::as_str) else { continue };
        if variable.get("secret").and_then(Value::as_bool) == Some(true) {
            let hint = "leave it out: everybody can read it here; `hardpoint secret set` sets the value";
            tell("default", "a secret has no default".to_owned(), hint);
        }
        let options = variable.get("options").and_then(Value::as_array);
        if options.is_some_and(|options| !options.iter().any(|option| option.as_str() == Some(default))) {
            tell("default", "is not among the `options`".to_owned(), "use one of them");
        }
    }
}
