//! Owns how the outcome of `plugin add` is shown, to people and to scripts, and its exit code.

use super::Tried;
use super::place::How;
use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::{Failure, StartError};
use crate::foreign::contract::worker_env;
use hardpoint_engine::probe::doctor::Level;
use hardpoint_model::{PluginEvent, PluginName};
use hardpoint_wire::Ready;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What became of one plugin, or of a path that holds none.
pub(super) struct Told {
    pub(super) name: String,
    pub(super) from: PathBuf,
    pub(super) dialect: String,
    pub(super) added: Result<Added, Failure>,
}

/// A plugin that is there.
pub(super) struct Added {
    pub(super) name: PluginName,
    pub(super) dir: PathBuf,
    pub(super) how: How,
    pub(super) tried: Tried,
    /// What did not come along.
    pub(super) warnings: Vec<String>,
}

impl Told {
    pub(super) fn failed(from: &Path, failure: Failure) -> Self {
        let name = from.display().to_string();
        Self { name, from: from.to_owned(), dialect: String::new(), added: Err(failure) }
    }

    /// A manifest whose name another one has.
    pub(super) fn shadowed(file: &Path, name: &str, by: &Path) -> Self {
        let message = format!("{} is not looked at: `{name}` is in {} already", file.display(), by.display());
        Self::failed(file, Failure::request(message, "take one of the two away"))
    }

    /// What to do about what went wrong with it. Nothing can be corrected in a folder that was not added, nor can what
    /// would be there be checked: then its package is what can be mended.
    fn hint(&self) -> Option<String> {
        let (failure, is_there) = match &self.added {
            Err(failure) => (failure, false),
            Ok(Added { tried: Tried::Down(failure), how, .. }) => (failure, *how != How::Tried),
            Ok(Added { tried: Tried::Up(..), .. }) => return None,
        };
        match failure {
            Failure::NotStarted { error, .. } if !is_there && matches!(&**error, StartError::Worker(_)) => {
                let from = self.from.display();
                Some(format!(
                    "mend the plugin's code or packages that {from} names, then add it again; with `--force` it is added as it is"
                ))
            }
            failure => failure.hint(),
        }
    }

    /// The failure for scripts, with that remedy.
    fn failed_json(&self, failure: &Failure) -> Value {
        let mut document = failure.to_json();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("hint".to_owned(), json!(self.hint()));
        }
        document
    }

    fn code(&self) -> Code {
        match &self.added {
            Err(failure) => Code::of(failure),
            Ok(Added { tried: Tried::Down(failure), .. }) => Code::of(failure),
            Ok(Added { tried: Tried::Up(..), .. }) => Code::Ok,
        }
    }
}

/// What came of those that were dealt with before Ctrl-C.
pub(super) fn interrupted(told: &[Told], shared: &Shared, dry_run: bool) -> Result<Code, Failure> {
    if told.is_empty() {
        return Err(Failure::Interrupted);
    }
    if shared.json {
        let plugins: Vec<Value> = told.iter().map(document).collect();
        terminal::print_json(
            &json!({"ok": false, "interrupted": true, "dry_run": dry_run, "plugins": plugins}),
        )?;
        return Ok(Code::Interrupted);
    }
    told.iter().try_for_each(one)?;
    terminal::say("\ninterrupted: what is shown here stays as it is shown; nothing else was added");
    Ok(Code::Interrupted)
}

/// Everything, and the code of the first that is not well.
pub(super) fn all(told: &[Told], shared: &Shared, dry_run: bool) -> Result<Code, Failure> {
    let code = told.iter().map(Told::code).find(|code| *code != Code::Ok).unwrap_or(Code::Ok);
    if shared.json {
        let plugins: Vec<Value> = told.iter().map(document).collect();
        terminal::print_json(&json!({"ok": code == Code::Ok, "dry_run": dry_run, "plugins": plugins}))?;
        return Ok(code);
    }
    for each in told {
        one(each)?;
    }
    if told.iter().any(|told| matches!(&told.added, Ok(added) if added.how != How::Tried)) {
        terminal::say("\na server that runs takes a new plugin up with `hardpoint plugin load NAME`");
    }
    Ok(code)
}

fn one(told: &Told) -> Result<(), Failure> {
    let from = told.from.display();
    match &told.added {
        Err(failure) => {
            terminal::say(format!("{} {}: not added", "✗".red(), told.name));
            complaint(failure, told.hint());
        }
        Ok(added) => {
            let done = match added.how {
                How::Added => "added to",
                How::Refreshed => "refreshed in",
                How::Tried => "would go to",
            };
            let (name, dir) = (added.name.as_str().bold().to_string(), added.dir.display());
            let (mark, but) = match added.tried {
                Tried::Up(..) => ("✓".green().to_string(), ""),
                Tried::Down(_) => ("!".yellow().to_string(), ", but it does not start"),
            };
            terminal::print(format!("{mark} {name} ({}) from {from}: {done} {dir}{but}", told.dialect))?;
            match &added.tried {
                Tried::Up(ready, _) => is_up(ready)?,
                Tried::Down(failure) => {
                    terminal::print(format!("    {:<9} {}", "state", state(failure).yellow()))?;
                    complaint(failure, told.hint());
                }
            }
            for (what, remedy) in warnings(added) {
                let remedy =
                    remedy.map_or_else(String::new, |remedy| format!("\n    {:<9} {remedy}", "hint"));
                terminal::print(format!("    {:<9} {what}{remedy}", "warning".yellow()))?;
            }
        }
    }
    Ok(())
}

fn complaint(failure: &Failure, hint: Option<String>) {
    terminal::say(format!("    {} {failure}", "error:".red()));
    if let Some(hint) = hint {
        terminal::say(format!("    {} {hint}", "hint:".cyan()));
    }
}

fn is_up(ready: &Ready) -> Result<(), Failure> {
    let python = ready.python.as_deref().unwrap_or("none");
    let row = |name: &str, text: String| terminal::print(format!("    {name:<9} {text}"));
    row("state", format!("it starts: Python {python}, imported in {:.0} ms", ready.import_ms))?;
    row("tools", listed(&tools(ready)))?;
    row("config", listed(&keys(ready)))?;
    let variables = worker_env(ready.facts.as_ref());
    let names: Vec<String> =
        variables.iter().filter_map(|entry| Some(entry.get("name")?.as_str()?.to_owned())).collect();
    if names.is_empty() { Ok(()) } else { row("variables", listed(&names)) }
}

fn tools(ready: &Ready) -> Vec<String> {
    ready.tools.iter().map(|tool| tool.name.clone()).collect()
}

fn keys(ready: &Ready) -> Vec<String> {
    let fields = ready.config_schema.get("properties").and_then(Value::as_object);
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What will not work as it did, each with what to do where something can be done.
fn warnings(added: &Added) -> Vec<(String, Option<String>)> {
    let plain = added.warnings.iter().map(|warning| (warning.clone(), None));
    let findings = match &added.tried {
        Tried::Up(_, findings) => findings.as_slice(),
        Tried::Down(_) => &[],
    };
    let found = findings.iter().filter(|finding| finding.level > Level::Ok);
    plain.chain(found.map(|finding| (finding.what.clone(), finding.remedy.clone()))).collect()
}

/// The state in which a server would show it.
fn state(failure: &Failure) -> &'static str {
    let event = match failure {
        Failure::NotStarted { error, .. } => StartError::event(error),
        Failure::Request { .. }
        | Failure::Diagnostics(_)
        | Failure::Mistakes(_)
        | Failure::Environment(_)
        | Failure::Unreachable { .. }
        | Failure::Refused(_)
        | Failure::Store(_)
        | Failure::Host { .. }
        | Failure::Secrets { .. }
        | Failure::Interrupted => PluginEvent::Broke,
    };
    if event == PluginEvent::NeedMissing { "UNAVAILABLE" } else { "FAILED" }
}

fn document(told: &Told) -> Value {
    let mut document = json!({"name": told.name, "from": told.from.display().to_string(), "dialect": told.dialect,
        "ok": told.code() == Code::Ok});
    let fields = match &told.added {
        Err(failure) => json!({"added": false, "failure": told.failed_json(failure)}),
        Ok(added) => of_added(told, added),
    };
    if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
        document.extend(fields);
    }
    document
}

fn of_added(told: &Told, added: &Added) -> Value {
    let warnings: Vec<Value> =
        warnings(added).into_iter().map(|(what, remedy)| json!({"what": what, "hint": remedy})).collect();
    let mut fields = json!({"name": added.name, "dir": added.dir.display().to_string(),
        "added": added.how != How::Tried, "refreshed": added.how == How::Refreshed, "warnings": warnings});
    let of_try = match &added.tried {
        Tried::Up(ready, _) => {
            json!({"state": "INITIALIZED", "python": ready.python, "import_ms": ready.import_ms,
            "plugin": ready.plugin, "tools": tools(ready), "config": keys(ready),
            "worker_env": worker_env(ready.facts.as_ref())})
        }
        Tried::Down(failure) => json!({"state": state(failure), "failure": told.failed_json(failure)}),
    };
    if let (Some(fields), Value::Object(of_try)) = (fields.as_object_mut(), of_try) {
        fields.extend(of_try);
    }
    fields
}
