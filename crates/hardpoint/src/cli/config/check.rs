//! `hardpoint config check`: mistakes have been told by now; what is left is what only this machine knows.

use crate::cli::exit_code::Code;
use crate::cli::{Shared, log, terminal};
use crate::embedded::{Catalog, Failure, Places};
use hardpoint_model::config::{Loaded, Origin};
use owo_colors::OwoColorize as _;
use serde_json::json;

pub(in crate::cli) fn run(shared: &Shared, loaded: &Loaded) -> Result<Code, Failure> {
    let places = Places::of(&loaded.config)?;
    log::filter(loaded)?;
    let catalog = Catalog::read(&places.plugins)?;
    let unknown: Vec<&String> = strangers(loaded, &catalog).collect();
    let set = loaded.entries().into_iter().filter(|entry| entry.origin != Origin::Default).count();
    if shared.json {
        terminal::print_json(
            &json!({"ok": unknown.is_empty(), "keys_set": set, "plugins_unknown": unknown}),
        )?;
    } else {
        for name in &unknown {
            let origin =
                loaded.entries().into_iter().find(|entry| entry.key.starts_with(&format!("plugins.{name}.")));
            let at = origin.map_or_else(String::new, |entry| format!(" ({})", entry.origin));
            let folder = places.plugins.display();
            terminal::say(format!("{} there is no plugin `{name}` in {folder}{at}", "error:".red().bold()));
        }
        if unknown.is_empty() {
            let keys = if set == 1 { "1 key is".to_owned() } else { format!("{set} keys are") };
            terminal::print(format!("the configuration is sound: {keys} set"))?;
        }
    }
    Ok(if unknown.is_empty() { Code::Ok } else { Code::Request })
}

/// The plugins that have settings but are not there.
pub(in crate::cli) fn strangers<'a>(
    loaded: &'a Loaded,
    catalog: &'a Catalog,
) -> impl Iterator<Item = &'a String> {
    loaded.config.plugins.keys().filter(|name| !catalog.iter().any(|plugin| plugin.name() == name.as_str()))
}
