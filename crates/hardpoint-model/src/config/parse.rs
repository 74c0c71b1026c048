//! Owns the way from the sources to a [`Loaded`] configuration: each is read, checked against the schema, and
//! laid on the one below. Every mistake in all of them comes back at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::Value;

use super::formats::FORMATS;
use super::layers::{Layer, Loaded, Origin, flatten};
use super::names::{self, OTHER_VARIABLES, PREFIX};
use super::{Config, text};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::document::{Document, Format};
use crate::limits::CONFIG_BYTES_MAX;
use crate::manifest::without_null;
use crate::schema::{FieldError, SchemaError, Validator, compile_with};
use crate::suggest::{closest, quoted};

/// A configuration file that has been read.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFile<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
    /// How it is written.
    pub format: Format,
    /// Its folder: relative paths in it start there.
    pub folder: &'a Path,
}

/// An option of the command line that sets a key.
#[derive(Debug, Clone)]
pub struct Flag {
    /// For example `--listen`.
    pub option: &'static str,
    /// The dotted key: `listen`.
    pub key: &'static str,
    /// What it was given.
    pub text: String,
}

/// Everything a configuration is made from.
#[derive(Debug, Clone, Default)]
pub struct Sources<'a> {
    /// Options, which beat everything else.
    pub flags: Vec<Flag>,
    /// The variables of the environment; those that do not begin with `HARDPOINT_` are not looked at. An empty
    /// one counts as not set.
    pub variables: Vec<(String, String)>,
    /// The file, if there is one.
    pub file: Option<ConfigFile<'a>>,
    /// What is the default on this machine, by key.
    pub defaults: Vec<(&'static str, String)>,
    /// The current folder, where relative paths of options and variables start.
    pub here: Option<&'a Path>,
}

/// The JSON Schema of `hardpoint.yaml`, as published for editors.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
static VALIDATOR: LazyLock<Result<Validator, SchemaError>> = LazyLock::new(|| compile_with(&SCHEMA, FORMATS));

/// Reads, checks and merges all sources.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Diagnostics> {
    let validator = VALIDATOR
        .as_ref()
        .map_err(|error| Diagnostics::of_file("the configuration", error.to_string(), error.hint()))?;
    let mut found = Vec::new();
    let mut merged = Layer::default();
    for (key, value) in &sources.defaults {
        merged.set(&[(*key).to_owned()], Value::from(value.as_str()), Origin::Default);
    }
    if let Some(file) = sources.file {
        match of_file(file, validator) {
            Ok(layer) => merged.put(layer),
            Err(mistakes) => found.extend(mistakes.items),
        }
    }
    for mut layer in [of_variables(sources, validator, &mut found), of_flags(sources, validator, &mut found)]
    {
        if let Some(here) = sources.here {
            layer.resolve_paths(here);
        }
        merged.put(layer);
    }
    if !found.is_empty() {
        return Err(Diagnostics::new(found));
    }
    let config = serde_json::from_value(Value::Object(merged.value));
    let config: Config = config.map_err(|error| {
        Diagnostics::of_file("the configuration", error.to_string(), "compare it with its reference")
    })?;
    Ok(Loaded::new(config, merged.origins))
}

fn of_file(file: ConfigFile<'_>, validator: &Validator) -> Result<Layer, Diagnostics> {
    let mut document = Document::parse(file.text, file.name, file.format, CONFIG_BYTES_MAX)?;
    // A file in which everything is commented out.
    if document.value.is_null() {
        document.value = Value::Object(serde_json::Map::new());
    }
    let mistakes: Vec<Diagnostic> =
        validator.check(&document.value).into_iter().map(|error| document.field_error(error)).collect();
    if !mistakes.is_empty() {
        return Err(Diagnostics::new(mistakes));
    }
    let mut leaves = BTreeMap::new();
    flatten(&document.value, "", &mut leaves);
    let line = |key: &str| {
        let pointer = format!("/{}", key.replace('.', "/"));
        document.diagnostic(&pointer, String::new(), "", None).line
    };
    let origins = leaves.into_keys().map(|key| {
        let origin = Origin::File { file: file.name.to_owned(), line: line(&key) };
        (key, origin)
    });
    let origins = origins.collect();
    let value = document.value.as_object().cloned().unwrap_or_default();
    let mut layer = Layer { value, origins };
    layer.resolve_paths(file.folder);
    Ok(layer)
}

/// A key that was given as a text.
struct Given {
    /// How messages call the source.
    name: String,
    path: Vec<String>,
    text: String,
    origin: Origin,
}

fn of_variables(sources: &Sources<'_>, validator: &Validator, found: &mut Vec<Diagnostic>) -> Layer {
    let mut given = Vec::new();
    for (variable, value) in &sources.variables {
        let foreign = OTHER_VARIABLES.contains(&variable.as_str()) || names::is_foreign(variable);
        if !variable.starts_with(PREFIX) || value.is_empty() || foreign {
            continue;
        }
        let name = format!("environment variable {}", quoted(variable));
        match names::of_variable(&SCHEMA, variable) {
            Some((_, node)) if text::is_group(&SCHEMA, node) => {
                found.push(mistake(name, group(variable, node)));
            }
            Some((path, _)) => {
                let origin = Origin::Environment { variable: variable.clone() };
                given.push(Given { name, path, text: value.clone(), origin });
            }
            None => found.push(mistake(name, unknown(variable))),
        }
    }
    checked(&given, validator, found)
}

fn of_flags(sources: &Sources<'_>, validator: &Validator, found: &mut Vec<Diagnostic>) -> Layer {
    let given = sources.flags.iter().filter_map(|flag| {
        let (path, _) = names::of_key(&SCHEMA, flag.key)?;
        let origin = Origin::CommandLine { option: flag.option.to_owned() };
        Some(Given { name: flag.option.to_owned(), path, text: flag.text.clone(), origin })
    });
    checked(&given.collect::<Vec<_>>(), validator, found)
}

fn checked(given: &[Given], validator: &Validator, found: &mut Vec<Diagnostic>) -> Layer {
    let mut layer = Layer::default();
    for one in given {
        let node = names::of_key(&SCHEMA, &one.path.join(".")).map_or(&Value::Null, |(_, node)| node);
        layer.set(&one.path, text::typed(&SCHEMA, node, &one.text), one.origin.clone());
    }
    for error in validator.check(&Value::Object(layer.value.clone())) {
        let at = error.pointer.trim_start_matches('/').replace('/', ".");
        let source = given.iter().find(|one| {
            let key = one.path.join(".");
            at == key || at.starts_with(&format!("{key}.")) || key.starts_with(&format!("{at}."))
        });
        let name = source.map_or_else(|| at.clone(), |one| one.name.clone());
        let text = source.map(|one| one.text.as_str()).unwrap_or_default();
        found.push(mistake(name, as_text(error, text)));
    }
    layer
}

/// A sentence about a value that was written as a text: there are no quotes to put or to leave out.
fn as_text(error: FieldError, text: &str) -> (String, Option<String>) {
    let hint = match error.problem.strip_prefix("must be a") {
        Some(rest) if rest.starts_with("n integer") || rest.starts_with(" number") => Some("write a number"),
        Some(rest) if rest.starts_with(" boolean") => Some("write `true` or `false`"),
        Some(_) | None => None,
    };
    match hint {
        Some(hint) => {
            let wanted = error.problem.split(", got").next().unwrap_or_default();
            (format!("{wanted}, got `{}`", quoted(text)), Some(hint.to_owned()))
        }
        None => (error.problem, error.hint),
    }
}

fn mistake(source: String, (message, hint): (String, Option<String>)) -> Diagnostic {
    Diagnostic { file: source, line: None, column: None, field: String::new(), message, hint }
}

fn unknown(variable: &str) -> (String, Option<String>) {
    let known = names::variables(&SCHEMA);
    // The prefix is the same in all of them: it would make every name look near.
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let candidates: Vec<String> = known.iter().map(|name| bare(name)).collect();
    let hint = match closest(&bare(variable), candidates.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{PREFIX}{meant}`?"),
        None => {
            "`hardpoint config show` lists the keys; `restart.policy` is HARDPOINT_RESTART__POLICY".to_owned()
        }
    };
    ("sets nothing that Hardpoint knows".to_owned(), Some(hint))
}

fn group(variable: &str, node: &Value) -> (String, Option<String>) {
    let node = names::resolve(&SCHEMA, node);
    let first = node.get("properties").and_then(Value::as_object).and_then(|fields| fields.keys().next());
    let hint = match first {
        Some(key) => format!("set its parts, for example `{variable}__{}`", key.to_ascii_uppercase()),
        None => format!("set a key of one plugin, for example `{variable}__NAME__ENABLED`"),
    };
    ("names a group of keys, not a key".to_owned(), Some(hint))
}
