//! Arguments from the command line: `name=value`, `name=@file`, JSON.
//!
//! Owns how a text becomes a value: the tool's input schema says what kind it is to be. Must not know
//! where the value goes.

use crate::embedded::{Document, Failure};
use hardpoint_wire::{Blob, Payload};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::str::FromStr;

/// One `name=value` of the command line, not yet typed.
#[derive(Debug, Clone)]
pub(super) struct Field {
    name: String,
    text: String,
}

/// How it is written, for help texts.
pub(super) const FIELD_HELP: &str = "\
name=value (text, or JSON where the tool wants a number, list or object), name=@file (the file's content), \
name=@- (stdin), name=@@text (a text that begins with @)";

/// Largest file or stdin that becomes an argument.
const FILE_BYTES_MAX: u64 = hardpoint_wire::limits::BLOB_BYTES_MAX;

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, text)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), text: text.to_owned() })
            }
            Some(_) | None => Err(format!("`{text}` is not of the form name=value")),
        }
    }
}

/// What a value is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Text,
    Json,
    Unknown,
}

/// Types the fields, each by the schema that `schema_of` knows for its name.
pub(super) fn typed<'a>(
    fields: &[Field],
    schema_of: impl Fn(&str) -> Option<&'a Value>,
) -> Result<Document, Failure> {
    let typed = fields.iter().map(|field| {
        let kind = schema_of(&field.name).map_or(Kind::Unknown, kind_of);
        Ok((field.name.clone(), field.value(kind)?))
    });
    typed.collect()
}

/// Files that cannot be read are found out before anything is started.
pub(super) fn check_files(fields: &[Field]) -> Result<(), Failure> {
    let files = fields.iter().filter_map(|field| field.text.strip_prefix('@'));
    for file in files.filter(|file| !file.starts_with('@') && *file != "-") {
        let opened = File::open(file).and_then(|file| file.metadata());
        let problem = match opened {
            Ok(metadata) if metadata.is_dir() => "it is a folder".to_owned(),
            Ok(_) => continue,
            Err(e) => e.to_string(),
        };
        return Err(Failure::request(
            format!("`{file}` cannot be read: {problem}"),
            "check the name of the file",
        ));
    }
    Ok(())
}

/// The arguments of a call or a run: those of a JSON file, if one is named, and those of the command line.
/// None may be in both.
pub(super) fn document<'a>(
    file: Option<&str>,
    fields: &[Field],
    schema_of: impl Fn(&str) -> Option<&'a Value>,
) -> Result<Document, Failure> {
    let mut document = read_json(file, fields)?;
    document.extend(typed(fields, schema_of)?);
    Ok(document)
}

/// The fields of the JSON file, if one is named. What is wrong with them or with the names of the others is found out
/// before anything is started.
pub(super) fn read_json(file: Option<&str>, fields: &[Field]) -> Result<Document, Failure> {
    check_files(fields)?;
    let document = file.map(from_json_file).transpose()?.unwrap_or_default();
    let mut names = BTreeSet::new();
    for Field { name, .. } in fields {
        if document.contains_key(name) {
            let message = format!("`{name}` is given twice: in the file and as an argument");
            return Err(Failure::request(message, "leave one of them out"));
        }
        if !names.insert(name) {
            let message = format!("`{name}` is given twice");
            return Err(Failure::request(message, "give every argument once; a list is written as JSON"));
        }
    }
    Ok(document)
}

/// The fields of a JSON object in a file, or on stdin when the name is `-`. `{"$bytes": base64}` is binary.
fn from_json_file(name: &str) -> Result<Document, Failure> {
    let bytes = read(name)?;
    let wrong = |message: String| Failure::request(message, "write one JSON object: {\"name\": value, …}");
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|e| wrong(format!("{name} is not JSON: {e}")))?;
    let Value::Object(map) = value else { return Err(wrong(format!("{name} is not a JSON object"))) };
    map.into_iter().map(|(name, value)| Ok((name, Payload::from_json(value)?))).collect()
}

impl Field {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn value(&self, kind: Kind) -> Result<Payload, Failure> {
        match self.text.strip_prefix('@') {
            Some(escaped) if escaped.starts_with('@') => Ok(Payload::literal(escaped.into())),
            Some(file) => self.file(file, kind),
            None => Ok(self.plain(kind)),
        }
    }

    fn plain(&self, kind: Kind) -> Payload {
        let text = || Value::from(self.text.as_str());
        match kind {
            Kind::Text => Payload::literal(text()),
            // What is no JSON stays a text: the tool's schema then says what is wrong with it.
            Kind::Json | Kind::Unknown | Kind::Bytes => {
                let value: Value = serde_json::from_str(&self.text).unwrap_or_else(|_| text());
                Payload::from_json(value).unwrap_or_else(|_| Payload::literal(text()))
            }
        }
    }

    fn file(&self, file: &str, kind: Kind) -> Result<Payload, Failure> {
        let blob = |bytes: Vec<u8>| {
            let blob = Blob::new(bytes.into())
                .map_err(|e| Failure::host(&format!("{file} cannot be passed on"), &e));
            Ok(Payload::blob(blob?))
        };
        // What is large is in memory once.
        if kind == Kind::Bytes
            && let Some(file) = regular(file)?
        {
            return Ok(Payload::blob(file));
        }
        let bytes = read(file)?;
        match kind {
            Kind::Bytes => blob(bytes),
            Kind::Unknown => match String::from_utf8(bytes) {
                Ok(text) => Ok(Payload::literal(text.into())),
                Err(e) => blob(e.into_bytes()),
            },
            Kind::Text => match String::from_utf8(bytes) {
                Ok(text) => Ok(Payload::literal(text.into())),
                Err(_) => Err(Failure::request(
                    format!("`{}` is a text, but {file} is not UTF-8", self.name),
                    "name a text file",
                )),
            },
            Kind::Json => {
                let value = serde_json::from_slice(&bytes).map_err(|e| {
                    let message =
                        format!("`{}` is neither text nor bytes, but {file} is not JSON: {e}", self.name);
                    Failure::request(message, "name a JSON file")
                })?;
                Ok(Payload::from_json(value)?)
            }
        }
    }
}

fn kind_of(schema: &Value) -> Kind {
    if schema.get("format").is_some_and(|format| format == "bytes") {
        return Kind::Bytes;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Kind::Text,
        Some(_) => Kind::Json,
        None => {
            let branches =
                ["anyOf", "oneOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
            let kinds: Vec<Kind> = branches.map(kind_of).collect();
            [Kind::Bytes, Kind::Text, Kind::Json]
                .into_iter()
                .find(|kind| kinds.contains(kind))
                .unwrap_or(Kind::Unknown)
        }
    }
}

/// All of a regular file; `None`: it is something else, such as a pipe.
fn regular(name: &str) -> Result<Option<Blob>, Failure> {
    if name == "-" {
        return Ok(None);
    }
    let file = File::open(name).map_err(|e| unreadable(name, &e))?;
    let about = file.metadata().map_err(|e| unreadable(name, &e))?;
    if !about.is_file() {
        return Ok(None);
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(too_large(name));
    }
    Blob::of_file(&file).map(Some).map_err(|e| unreadable(name, &e))
}

fn too_large(name: &str) -> Failure {
    Failure::request(format!("{name} is larger than 2 GiB"), "pass its path as a text instead")
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::request(format!("{name} cannot be read: {error}"), "check the name of the file")
}

fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(name).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    let shown = if name == "-" { "stdin" } else { name };
    match read {
        Ok(count) if count as u64 > FILE_BYTES_MAX => Err(too_large(shown)),
        Ok(_) => Ok(bytes),
        Err(e) => Err(unreadable(shown, &e)),
    }
}
