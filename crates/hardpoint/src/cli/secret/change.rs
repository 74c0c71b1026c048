//! `hardpoint secret set|delete`: a value that comes, and one that goes.

use super::value;
use super::{Delete, Keeper, Set, failure};
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::embedded::{Catalog, Failure};
use hardpoint_secrets::{Place, check_kept_name, check_name};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

/// How far a plugin is with what was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    None,
    GoesOn,
    Settled,
}

impl Restart {
    fn of(answer: &Value) -> Self {
        let flag = |name: &str| answer.get(name).and_then(Value::as_bool).unwrap_or_default();
        match (flag("restarting"), flag("settled")) {
            (false, _) => Self::None,
            (true, false) => Self::GoesOn,
            (true, true) => Self::Settled,
        }
    }
}

pub(super) async fn set(args: Set, scene: Scene<'_>) -> Result<Code, Failure> {
    let place = args.whose.place()?;
    value::refuse_shown(&args)?;
    check_name(&args.name).map_err(|e| failure(&e))?;
    let value = value::read(&args).await?;
    let wait = (!args.no_restart).then(|| args.settle.patience());
    let name = args.name;
    let (restart, known) = match Keeper::find(&scene)? {
        Keeper::Server(client) => {
            let answer = patiently(client.set_secret(&place, &name, &value, wait)).await?;
            let known = patiently(client.get(&["v1", "plugins", place.plugin()], &[])).await.is_ok();
            (Restart::of(&answer), known)
        }
        Keeper::Here(store) => {
            store.set(&place, &name, value).map_err(|e| failure(&e))?;
            let found = Catalog::read(&scene.places.plugins);
            (Restart::None, found.is_ok_and(|found| found.iter().any(|one| one.name() == place.plugin())))
        }
    };
    tell(&scene, &place, &name, ("is kept for", restart))?;
    if !known && !scene.shared.json {
        let text = format!("there is no plugin `{}` yet; it is kept for when there is one", place.plugin());
        terminal::say(format!("{} {text}", "warning:".yellow().bold()));
    }
    Ok(Code::Ok)
}

pub(super) async fn delete(args: &Delete, scene: Scene<'_>) -> Result<Code, Failure> {
    let place = args.whose.place()?;
    check_kept_name(&args.name).map_err(|e| failure(&e))?;
    let wait = (!args.no_restart).then(|| args.settle.patience());
    let restart = match Keeper::find(&scene)? {
        Keeper::Server(client) => match patiently(client.delete_secret(&place, &args.name, wait)).await {
            Err(Failure::Refused(refused)) if refused.code() == "unknown_secret" => {
                return Err(absent(&place, &args.name));
            }
            answer => Restart::of(&answer?),
        },
        Keeper::Here(store) => {
            if !store.delete(&place, &args.name).map_err(|e| failure(&e))? {
                return Err(absent(&place, &args.name));
            }
            Restart::None
        }
    };
    tell(&scene, &place, &args.name, ("is not kept any more for", restart))?;
    Ok(Code::Ok)
}

fn absent(place: &Place, name: &str) -> Failure {
    let plugin = place.plugin();
    Failure::request(
        format!("there is no secret `{name}` of plugin `{plugin}`"),
        format!("`hardpoint secret list {plugin}` shows their names"),
    )
}

fn tell(
    scene: &Scene<'_>,
    place: &Place,
    name: &str,
    (done, restart): (&str, Restart),
) -> Result<(), Failure> {
    let (plugin, scope) = (place.plugin(), place.scope());
    if scene.shared.json {
        let document = json!({"ok": true, "plugin": plugin, "name": name, "scope": scope,
                "restarting": restart != Restart::None, "settled": restart != Restart::GoesOn});
        return terminal::print_json(&document);
    }
    let apart = if place.is_default() { String::new() } else { format!(" in scope `{scope}`") };
    let anew = match restart {
        Restart::None => "",
        Restart::GoesOn => "; it is being started anew",
        Restart::Settled => "; it was started anew",
    };
    terminal::print(format!("{} {done} {plugin}{apart}{anew}", name.bold()))
}
