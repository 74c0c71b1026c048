//! Owns the text of the manifest that a plugin of another host gets here, and what of an older one stays.

use crate::embedded::{Failure, read_bounded};
use crate::foreign::{FILE_BYTES_MAX, Registration, cjm};
use hardpoint_model::limits::MANIFEST_BYTES_MAX;
use hardpoint_model::{Manifest, PluginName};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

pub(super) const MANIFEST: &str = "hardpoint.toml";
/// The other host's manifest, in its newest format.
pub(crate) const FOREIGN: &str = "manifest.json";

const HEAD: &str = "\
# Written by `hardpoint plugin add`. Adding the plugin again brings its version, entry, environment and the hash up to date;
# everything else that is changed here stays.
";

/// A new manifest.
pub(super) fn fresh(registration: &Registration, name: &PluginName) -> Result<String, Failure> {
    let mut document = DocumentMut::new();
    document.insert("name", value(name.as_str()));
    describe(&mut document, registration);
    let mut limits = Table::new();
    limits.insert("memory_mb", value(i64::try_from(registration.memory_mb).unwrap_or(i64::MAX)));
    limits.insert("startup_seconds", value(i64::from(registration.startup_seconds)));
    document.insert("limits", Item::Table(limits));
    let mut needs = Table::new();
    if registration.requires_gpu {
        needs.insert("requires_gpu", value(true));
    }
    let memory = [
        ("min_system_ram_mb", registration.min_system_ram_mb),
        ("min_gpu_vram_mb", registration.min_gpu_vram_mb),
    ];
    for (name, mb) in memory {
        if let Some(mb) = mb.and_then(|mb| i64::try_from(mb).ok()) {
            needs.insert(name, value(mb));
        }
    }
    if !registration.platforms.is_empty() {
        needs.insert("platforms", value(registration.platforms.iter().collect::<Array>()));
    }
    if !needs.is_empty() {
        document.insert("needs", Item::Table(needs));
    }
    checked(format!("{HEAD}{document}"), registration)
}

/// An older one, brought up to date.
pub(super) fn refreshed(old: &str, registration: &Registration) -> Result<String, Failure> {
    let mut document: DocumentMut =
        old.parse().map_err(|e| Failure::host("the manifest that is there cannot be read", &e))?;
    describe(&mut document, registration);
    checked(document.to_string(), registration)
}

/// The same under another name.
pub(super) fn renamed(text: &str, name: &PluginName) -> Result<String, Failure> {
    let mut document: DocumentMut =
        text.parse().map_err(|e| Failure::host("the new manifest cannot be read", &e))?;
    set(&mut document, "name", value(name.as_str()));
    Ok(document.to_string())
}

/// What the other host knows better than whoever edits the file.
fn describe(document: &mut DocumentMut, registration: &Registration) {
    let cut = |text: &str, chars| text.chars().take(chars).collect::<String>();
    set(document, "version", value(cut(&registration.version, 64)));
    set(document, "entry", value(registration.entry.as_str()));
    if !registration.description.is_empty() {
        set(document, "description", value(cut(&registration.description, 1000)));
    }
    set(document, "dialect", value(registration.dialect.as_str()));
    match &registration.schema_hash {
        Some(hash) => set(document, "config_schema_hash", value(hash.as_str())),
        None => drop(document.remove("config_schema_hash")),
    }
    let environment = registration.environment.to_string_lossy();
    if let Some(python) = table(document, "python") {
        python.insert("environment", value(environment.as_ref()));
    }
    let given = &registration.variables;
    if !given.is_empty()
        && let Some(variables) = table(document, "env")
    {
        for (name, text) in given {
            if variables.get(name).is_none() {
                variables.insert(name, value(text.as_str()));
            }
        }
    }
}

/// In its place, with the comment above it.
fn set(document: &mut DocumentMut, key: &str, item: Item) {
    match document.get_mut(key) {
        Some(there) => *there = item,
        None => drop(document.insert(key, item)),
    }
}

fn table<'a>(document: &'a mut DocumentMut, name: &str) -> Option<&'a mut dyn TableLike> {
    let item = document.entry(name).or_insert_with(|| Item::Table(Table::new()));
    item.as_table_like_mut()
}

/// Nothing is written that would not be read again.
fn checked(text: String, registration: &Registration) -> Result<String, Failure> {
    let file = format!("the manifest for `{}`", registration.name);
    Manifest::parse(&text, &file).map(|_| text).map_err(Failure::Diagnostics)
}

/// The text of a manifest that is there.
pub(super) fn text_in(dir: &Path) -> Result<String, Failure> {
    let file = dir.join(MANIFEST);
    read_bounded(&file, MANIFEST_BYTES_MAX)
        .map_err(|e| Failure::host(&format!("{} cannot be read", file.display()), &e))
}

/// The other host's manifest in a plugin's folder, if there is one.
pub(crate) fn foreign_in(dir: &Path) -> Option<Result<cjm::Manifest, Vec<String>>> {
    let text = read_bounded(&dir.join(FOREIGN), FILE_BYTES_MAX).ok()?;
    Some(cjm::Manifest::parse(&text))
}
