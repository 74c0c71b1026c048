//! What a person sees of a result.
//!
//! Owns layout. stdout is for results alone; everything else goes to stderr.

use super::{files, terminal};
use crate::embedded::Failure;
use hardpoint_wire::Payload;
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::path::Path;

const VALUE_CHARS_MAX: usize = 160;

/// A result, field by field; binary fields are written below `out` and their paths shown.
pub(super) fn result(result: Payload, skip: impl Fn(&str) -> bool, out: &Path) -> Result<(), Failure> {
    if let Some(blob) = result.as_blob() {
        let path = files::write(out, "result", blob)?;
        terminal::print(format!("{} ({})", path.display(), size(blob.len())))?;
        return Ok(());
    }
    if let Value::String(text) = &result.value {
        terminal::print(text)?;
        return Ok(());
    }
    if !result.value.is_object() {
        terminal::print(shown(result, out, "result")?)?;
        return Ok(());
    }
    let fields = result.into_fields().unwrap_or_default();
    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !skip(name)).collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields {
        terminal::print(format!("{:width$}  {}", name.bold(), shown(value, out, &name)?))?;
    }
    Ok(())
}

fn shown(value: Payload, out: &Path, name: &str) -> Result<String, Failure> {
    if let Some(blob) = value.as_blob() {
        let path = files::write(out, name, blob)?;
        return Ok(format!("{} ({})", path.display(), size(blob.len())));
    }
    let mut count = 0;
    let document = value.into_document(&mut |blob| {
        count += 1;
        let path = files::write(out, &format!("{name}-{count}"), blob)?;
        Ok::<_, Failure>(Value::from(path.display().to_string()))
    })?;
    let text = match document {
        // One field, one line.
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    Ok(cut(&text))
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{} … (use --json to see all)", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// For example `1.2 MB`.
#[expect(clippy::cast_precision_loss, reason = "a size for people has two digits")]
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A duration for people: `0.34 s`, `2 min 5 s`.
pub(super) fn duration(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.2} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
