//! `hardpoint secret set|delete`: a value that comes, and one that goes.

use super::value;
use super::{Delete, Keeper, Set, failure};
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::embedded::{Catalog, Failure};
use hardpoint_secrets::Place;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

pub(super) async fn set(args: Set, scene: Scene<'_>) -> Result<Code, Failure> {
    let place = args.whose.place()?;
    let value = value::read(&args).await?;
    let (name, restart) = (args.name, !args.no_restart);
    let (restarting, known) = match Keeper::find(&scene)? {
        Keeper::Server(client) => {
            let answer = patiently(client.set_secret(&place, &name, &value, restart)).await?;
            let known = patiently(client.get(&["v1", "plugins", place.plugin()], &[])).await.is_ok();
            (is_restarting(&answer), known)
        }
        Keeper::Here(store) => {
            store.set(&place, &name, value).map_err(|e| failure(&e))?;
            let found = Catalog::read(&scene.places.plugins);
            (false, found.is_ok_and(|found| found.iter().any(|one| one.name() == place.plugin())))
        }
    };
    tell(&scene, &place, &name, ("is kept for", restarting))?;
    if !known && !scene.shared.json {
        let text = format!("there is no plugin `{}` yet; it is kept for when there is one", place.plugin());
        terminal::say(format!("{} {text}", "warning:".yellow().bold()));
    }
    Ok(Code::Ok)
}

pub(super) async fn delete(args: &Delete, scene: Scene<'_>) -> Result<Code, Failure> {
    let place = args.whose.place()?;
    let restarting = match Keeper::find(&scene)? {
        Keeper::Server(client) => {
            is_restarting(&patiently(client.delete_secret(&place, &args.name, !args.no_restart)).await?)
        }
        Keeper::Here(store) => {
            if !store.delete(&place, &args.name).map_err(|e| failure(&e))? {
                let (name, plugin) = (&args.name, place.plugin());
                return Err(Failure::request(
                    format!("there is no secret `{name}` of plugin `{plugin}`"),
                    format!("`hardpoint secret list {plugin}` shows their names"),
                ));
            }
            false
        }
    };
    tell(&scene, &place, &args.name, ("is not kept any more for", restarting))?;
    Ok(Code::Ok)
}

fn tell(
    scene: &Scene<'_>,
    place: &Place,
    name: &str,
    (done, restarting): (&str, bool),
) -> Result<(), Failure> {
    let (plugin, scope) = (place.plugin(), place.scope());
    if scene.shared.json {
        let document =
            json!({"ok": true, "plugin": plugin, "name": name, "scope": scope, "restarting": restarting});
        return terminal::print_json(&document);
    }
    let apart = if place.is_default() { String::new() } else { format!(" in scope `{scope}`") };
    let anew = if restarting { "; it is started anew" } else { "" };
    terminal::print(format!("{} {done} {plugin}{apart}{anew}", name.bold()))
}

fn is_restarting(answer: &Value) -> bool {
    answer.get("restarting").and_then(Value::as_bool).unwrap_or_default()
}
