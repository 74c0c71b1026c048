//! `hardpoint plugin list`: what is in the plugins folder, the broken ones with their mistakes.

use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::{Catalog, Failure, Installed, Places};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

pub(in crate::cli) fn run(shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let catalog = Catalog::read(&places.plugins)?;
    if shared.json {
        terminal::print_json(&Value::Array(catalog.iter().map(document).collect()))?;
        return Ok(Code::Ok);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["NAME", "VERSION", "PYTHON", "DESCRIPTION"]);
    let mut broken = Vec::new();
    for plugin in catalog.iter() {
        match &plugin.manifest {
            Ok(manifest) => {
                let description = manifest.description.clone().unwrap_or_default();
                table.add_row([plugin.name(), &manifest.version, &manifest.python.requires, &description]);
            }
            Err(diagnostics) => {
                table.add_row([plugin.name(), "", "", "its manifest has mistakes"]);
                broken.push(diagnostics);
            }
        }
    }
    terminal::print(table)?;
    for diagnostics in broken {
        terminal::say(format!("\n{diagnostics}"));
    }
    Ok(Code::Ok)
}

fn document(plugin: &Installed) -> Value {
    let dir = plugin.dir.display().to_string();
    match &plugin.manifest {
        Ok(manifest) => json!({"name": plugin.name(), "dir": dir, "ok": true, "manifest": manifest}),
        Err(diagnostics) => {
            json!({"name": plugin.name(), "dir": dir, "ok": false, "errors": diagnostics.items})
        }
    }
}
