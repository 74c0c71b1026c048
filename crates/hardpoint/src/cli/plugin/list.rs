//! `hardpoint plugin list`: what is in the plugins folder, the broken ones with their mistakes; or those of a kind.
//!
//! Owns the choice and the printing. What a kind is, the manifest that another host has written says.

use super::add::foreign_in;
use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::{Catalog, Failure, Installed, Places};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

/// Which plugins are listed.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct List {
    /// Those of this role alone, as their manifests of another host say it: `GraphPlugin`
    #[arg(long)]
    role: Option<String>,
    /// Those of this domain alone: `graph`
    #[arg(long)]
    domain: Option<String>,
    /// Those of this category alone: `Graph`
    #[arg(long)]
    category: Option<String>,
}

impl List {
    /// Whether it asks for a kind.
    pub(in crate::cli) fn chooses(&self) -> bool {
        self.role.is_some() || self.domain.is_some() || self.category.is_some()
    }

    fn takes(&self, kind: Option<&Kind>) -> bool {
        let fits = |wanted: &Option<String>, of: fn(&Kind) -> &String| {
            wanted.as_ref().is_none_or(|wanted| kind.is_some_and(|kind| of(kind) == wanted))
        };
        fits(&self.role, |kind| &kind.role)
            && fits(&self.domain, |kind| &kind.domain)
            && fits(&self.category, |kind| &kind.category)
    }
}

/// What another host calls the kind of a plugin.
struct Kind {
    role: String,
    domain: String,
    category: String,
}

impl Kind {
    fn of(plugin: &Installed) -> Option<Self> {
        let foreign = foreign_in(&plugin.dir)?.ok()?;
        let (role, domain) = (foreign.taxonomy("role").to_owned(), foreign.taxonomy("domain").to_owned());
        Some(Self { role, domain, category: foreign.category() })
    }
}

pub(in crate::cli) fn run(args: &List, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let catalog = Catalog::read(&places.plugins)?;
    let all = catalog.iter().map(|plugin| (plugin, Kind::of(plugin)));
    let chosen: Vec<(&Installed, Option<Kind>)> = all.filter(|(_, kind)| args.takes(kind.as_ref())).collect();
    if shared.json {
        let documents = chosen.iter().map(|(plugin, kind)| document(plugin, kind.as_ref()));
        terminal::print_json(&Value::Array(documents.collect()))?;
        return Ok(Code::Ok);
    }
    if chosen.is_empty() && args.chooses() {
        terminal::say("no plugin in this folder is of that kind");
        return Ok(Code::Ok);
    }
    table(&chosen)?;
    for (plugin, _) in chosen {
        if let Err(diagnostics) = &plugin.manifest {
            terminal::say(format!("\n{diagnostics}"));
        }
    }
    Ok(Code::Ok)
}

fn table(chosen: &[(&Installed, Option<Kind>)]) -> Result<(), Failure> {
    let with_kinds = chosen.iter().any(|(_, kind)| kind.is_some());
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let mut head = vec!["NAME", "VERSION", "PYTHON", "DESCRIPTION"];
    if with_kinds {
        head.insert(3, "KIND");
    }
    table.set_header(head);
    for (plugin, kind) in chosen {
        let (version, python, description) = match &plugin.manifest {
            Ok(manifest) => {
                let description = manifest.description.clone().unwrap_or_default();
                (manifest.version.clone(), manifest.python.requires.clone(), description)
            }
            Err(_) => (String::new(), String::new(), "its manifest has mistakes".to_owned()),
        };
        let mut row = vec![plugin.name().to_owned(), version, python, description];
        if with_kinds {
            let kind = kind.as_ref().map(|kind| format!("{} {}", kind.category, kind.role));
            row.insert(3, kind.unwrap_or_default().trim().to_owned());
        }
        table.add_row(row);
    }
    terminal::print(table)
}

fn document(plugin: &Installed, kind: Option<&Kind>) -> Value {
    let dir = plugin.dir.display().to_string();
    let taxonomy = kind
        .map(|kind| json!({"role": kind.role, "domain": kind.domain, "category": kind.category}))
        .unwrap_or_default();
    match &plugin.manifest {
        Ok(manifest) => {
            json!({"name": plugin.name(), "dir": dir, "ok": true, "manifest": manifest, "taxonomy": taxonomy})
        }
        Err(diagnostics) => {
            json!({"name": plugin.name(), "dir": dir, "ok": false, "errors": diagnostics.items,
                "taxonomy": taxonomy})
        }
    }
}
