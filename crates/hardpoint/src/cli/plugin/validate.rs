//! `hardpoint plugin validate FILE...`: whether manifests are well formed, ours and those of other hosts.
//!
//! Owns the printing. What may stand in a manifest is not known here.

use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::{Failure, read_bounded};
use crate::foreign::{FILE_BYTES_MAX, cjm};
use clap::Args;
use hardpoint_model::Manifest;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const AFTER: &str = "\
Examples:
  hardpoint plugin validate .cjm/manifests/*.json
  hardpoint plugin validate plugins/ocr/hardpoint.toml

Exit codes:
  0  every file is valid
  1  a file is not";

/// Manifests to look at.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Validate {
    /// Manifests: .json of another host, .toml of this one
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// What was found in one file.
struct Checked {
    file: PathBuf,
    mistakes: Vec<String>,
}

pub(in crate::cli) fn run(args: Validate, shared: &Shared) -> Result<Code, Failure> {
    let checked: Vec<Checked> = args.files.into_iter().map(checked).collect();
    let is_valid = checked.iter().all(|checked| checked.mistakes.is_empty());
    if shared.json {
        let files = checked.iter().map(|Checked { file, mistakes }| {
            json!({"file": file.display().to_string(), "format": "manifest", "ok": mistakes.is_empty(),
                "errors": mistakes})
        });
        terminal::print_json(&json!({"ok": is_valid, "files": files.collect::<Vec<Value>>()}))?;
    } else {
        checked.iter().try_for_each(tell)?;
    }
    Ok(if is_valid { Code::Ok } else { Code::Tool })
}

fn tell(checked: &Checked) -> Result<(), Failure> {
    let Checked { file, mistakes } = checked;
    let file = file.display();
    if mistakes.is_empty() {
        return terminal::print(format!("{} {file} (manifest): valid", "✓".green()));
    }
    terminal::say(format!("{} {file} (manifest): {} error(s)", "✗".red(), mistakes.len()));
    for mistake in mistakes {
        terminal::say(format!("  - {mistake}"));
    }
    Ok(())
}

fn checked(file: PathBuf) -> Checked {
    let mistakes = mistakes(&file).err().unwrap_or_default();
    Checked { file, mistakes }
}

fn mistakes(file: &Path) -> Result<(), Vec<String>> {
    let shown = file.display();
    let text = read_bounded(file, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        ErrorKind::NotFound => vec![format!("File not found: {shown}")],
        _ => vec![format!("{shown} cannot be read: {error}")],
    })?;
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![format!("{shown} is longer than {FILE_BYTES_MAX} bytes")]);
    }
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => match serde_json::from_str(&text) {
            Ok(value) => cjm::Manifest::of(value).map(drop),
            Err(error) => Err(vec![format!("Parse error in {shown}: {error}")]),
        },
        Some("toml") => Manifest::parse(&text, &shown.to_string())
            .map(drop)
            .map_err(|found| found.items.iter().map(ToString::to_string).collect()),
        other => Err(vec![format!(
            "Cannot detect format from extension '{}': a manifest is a .json or .toml file",
            other.map_or_else(String::new, |ending| format!(".{ending}"))
        )]),
    }
}
