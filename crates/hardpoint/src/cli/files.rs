//! Binary results: written to files, or put into the JSON document.
//!
//! Owns file names and their endings. Must not know which command made the result.

use crate::embedded::Failure;
use hardpoint_wire::{Blob, Payload, Unwritable};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A result for scripts: binary values as base64, or written to `out` and named.
pub(super) fn to_json(result: Payload, out: Option<&Path>) -> Result<Value, Failure> {
    let mut written = 0;
    result.into_document(&mut |blob| match out {
        Some(folder) => {
            written += 1;
            let path = write(folder, &format!("result-{written}"), blob)?;
            Ok(json!({"$file": path, "bytes": blob.len()}))
        }
        None => blob.to_json().map_err(|e| Failure::from(Unwritable::from(e))),
    })
}

/// Writes one binary value to `folder/name.ending`, whole or not at all.
pub(super) fn write(folder: &Path, name: &str, blob: &Blob) -> Result<PathBuf, Failure> {
    let bytes = blob.to_bytes().map_err(|e| Failure::host("a result cannot be read", &e))?;
    let safe: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(64)
        .collect();
    let path = folder.join(format!("{safe}.{}", ending(&bytes)));
    let failed = |e| Failure::host(&format!("{} cannot be written", path.display()), &e);
    fs::create_dir_all(folder).map_err(failed)?;
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fs::write(file.path(), &bytes).map_err(failed)?;
    let file = file.persist(&path).map_err(|e| failed(e.error))?;
    // Temporary files are private; a result is an ordinary file.
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    Ok(path)
}

/// What the first bytes say that it is.
fn ending(bytes: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 9] = [
        (b"\x89PNG", "png"),
        (b"\xff\xd8\xff", "jpg"),
        (b"GIF8", "gif"),
        (b"%PDF", "pdf"),
        (b"PK\x03\x04", "zip"),
        (b"\x1f\x8b", "gz"),
        (b"OggS", "ogg"),
        (b"<!doctype html", "html"),
        (b"<html", "html"),
    ];
    let start = bytes.get(..16).unwrap_or(bytes).to_ascii_lowercase();
    if let Some((_, ending)) = MAGIC.iter().find(|(magic, _)| start.starts_with(&magic.to_ascii_lowercase()))
    {
        return ending;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => "json",
        Ok(text) if !text.is_empty() && !text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)) => {
            "txt"
        }
        Ok(_) | Err(_) => "bin",
    }
}

/// A folder for results that cannot be one is found out before the work, not after it.
pub(super) fn check_out(out: Option<&Path>) -> Result<(), Failure> {
    match out {
        Some(path) if path.exists() && !path.is_dir() => Err(Failure::request(
            format!("{} is not a folder", path.display()),
            "name a folder for the results with `--out DIR`",
        )),
        _ => Ok(()),
    }
}
