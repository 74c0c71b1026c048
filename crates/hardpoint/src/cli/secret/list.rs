//! `hardpoint secret list`: names, and what a plugin needs of them.

use super::{Keeper, List, failure};
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::{Catalog, Failure};
use comfy_table::{ContentArrangement, Table, presets};
use hardpoint_model::worker_env::EnvStatus;
use hardpoint_secrets::Place;
use owo_colors::OwoColorize as _;
use serde::{Deserialize, Serialize};

/// What there is: as a server tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    scope: String,
    names: Vec<String>,
    worker_env: Vec<EnvStatus>,
    missing_required: Vec<String>,
}

pub(super) async fn run(args: &List, scene: Scene<'_>) -> Result<Code, Failure> {
    let place = args.whose.place()?;
    let found = match Keeper::find(&scene)? {
        Keeper::Server(client) => typed(&patiently(client.secrets(&place)).await?)?,
        Keeper::Here(store) => {
            let names = store.names(&place).map_err(|e| failure(&e))?;
            in_manifest(&scene, &place, names)
        }
    };
    if scene.shared.json {
        return terminal::print_json(&found).map(|()| Code::Ok);
    }
    if found.names.is_empty() && found.worker_env.is_empty() {
        terminal::print(format!("No secrets stored for '{}'.", place.plugin()))?;
        return Ok(Code::Ok);
    }
    terminal::print(page(&found))?;
    for name in &found.missing_required {
        let text = format!("`hardpoint secret set {} {name}` sets what is missing", place.plugin());
        terminal::say(format!("{} {text}", "hint:".cyan().bold()));
    }
    Ok(Code::Ok)
}

/// Without a server nobody knows more of a plugin than its manifest.
fn in_manifest(scene: &Scene<'_>, place: &Place, names: Vec<String>) -> Found {
    let catalog = Catalog::read(&scene.places.plugins);
    let manifest = catalog.ok().and_then(|found| found.find(place.plugin()).ok().map(|(_, one)| one.clone()));
    let worker_env: Vec<EnvStatus> = manifest.map_or_else(Vec::new, |manifest| {
        let is_set = |name: &String| names.contains(name) || manifest.env.contains_key(name);
        manifest.worker_env.iter().map(|variable| variable.status(is_set(&variable.name))).collect()
    });
    let missing = worker_env.iter().filter(|variable| variable.required && !variable.satisfied);
    let missing_required = missing.map(|variable| variable.name.clone()).collect();
    Found { scope: place.scope().to_owned(), names, worker_env, missing_required }
}

fn page(found: &Found) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["NAME", "STATUS", "ABOUT"]);
    for variable in &found.worker_env {
        let status = match (found.names.contains(&variable.name), variable.satisfied, variable.required) {
            (true, _, _) => "set",
            (false, true, _) => "default",
            (false, false, true) => "missing",
            (false, false, false) => "not set",
        };
        let about = if variable.label.is_empty() { &variable.description } else { &variable.label };
        table.add_row([&variable.name, status, about]);
    }
    let declared = |name: &&String| found.worker_env.iter().any(|variable| variable.name == **name);
    for name in found.names.iter().filter(|name| !declared(name)) {
        table.add_row([name, "set", ""]);
    }
    table.to_string()
}
