//! `hardpoint config show`: every key with its value and, on request, where that came from.

use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::Failure;
use clap::Args;
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use hardpoint_model::config::{Loaded, Origin};
use serde_json::Value;

/// What is shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Say where each value came from
    #[arg(long)]
    origin: bool,
}

pub(in crate::cli) fn run(args: &Show, shared: &Shared, loaded: &Loaded) -> Result<Code, Failure> {
    let entries = loaded.entries();
    if shared.json {
        return terminal::print_json(&entries).map(|()| Code::Ok);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(if args.origin { vec!["KEY", "VALUE", "ORIGIN"] } else { vec!["KEY", "VALUE"] });
    for entry in entries {
        let mut row = vec![Cell::new(&entry.key), Cell::new(shown(&entry.value))];
        if args.origin {
            let origin = Cell::new(&entry.origin);
            row.push(match entry.origin {
                Origin::Default => origin.add_attribute(Attribute::Dim),
                Origin::CommandLine { .. } | Origin::Environment { .. } | Origin::File { .. } => origin,
            });
        }
        table.add_row(row);
    }
    terminal::print(table)?;
    Ok(Code::Ok)
}

/// A value as it would be written in a variable.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        Value::Object(_) | Value::Bool(_) => value.to_string(),
    }
}
