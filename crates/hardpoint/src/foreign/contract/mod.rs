//! What a plugin that has started keeps of its contract, and what it will not do here.
//!
//! Owns the findings of each dialect; pure. Must not know who shows them.

mod cjm;
mod forgesyte;
mod native;

use super::cjm::Manifest as Foreign;
use hardpoint_engine::probe::doctor::Finding;
use hardpoint_model::Manifest;
use hardpoint_model::plugin_config::Object;
use hardpoint_supervisor::Worker;
use hardpoint_wire::Ready;
use serde_json::Value;

/// A plugin that is up.
pub(crate) struct Subject<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) ready: &'a Ready,
    /// The other host's manifest that is kept beside ours, or what is wrong with it.
    pub(crate) foreign: Option<Result<Foreign, Vec<String>>>,
}

impl Subject<'_> {
    fn fact(&self, name: &str) -> Option<&Value> {
        self.ready.facts.as_ref()?.get(name)
    }

    /// The texts of a fact that is a list of them.
    fn list(&self, name: &str) -> Vec<&str> {
        let items = self.fact(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn tool_names(&self) -> Vec<&str> {
        self.ready.tools.iter().map(|tool| tool.name.as_str()).collect()
    }
}

/// What a worker said when it was ready, what only a dialect has included.
pub(crate) fn said(worker: &Worker) -> Ready {
    let facts = worker.announced().facts.map(|facts| (*facts).clone());
    Ready { facts, ..worker.ready().clone() }
}

/// Everything that was looked at, in the order of the contract.
pub(crate) fn findings(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    match subject.manifest.dialect.as_str() {
        "cjm" => cjm::look(subject, &mut found),
        "forgesyte" => forgesyte::look(subject, &mut found),
        // A contract without a page of its own has what every worker has.
        _ => native::look(subject, &mut found),
    }
    found.extend(variables(subject));
    found
}

/// One variable that a plugin reads at its start.
pub(crate) fn worker_env(facts: Option<&Object>) -> Vec<&Object> {
    let entries = facts.and_then(|facts| facts.get("worker_env")?.as_array());
    entries.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// The variables that have no value.
fn variables(subject: &Subject<'_>) -> Vec<Finding> {
    let plugin = &subject.manifest.name;
    let entries = worker_env(subject.ready.facts.as_ref());
    let is = |entry: &Object, key: &str| entry.get(key).and_then(Value::as_bool) == Some(true);
    let missing = entries.iter().filter(|entry| !is(entry, "satisfied"));
    let missing = missing.filter_map(|entry| {
        let name = entry.get("name")?.as_str()?;
        let remedy = if is(entry, "secret") {
            format!("`hardpoint secret set {plugin} {name}`")
        } else {
            format!(
                "set it under `[env]` in {plugin}/hardpoint.toml, or `hardpoint secret set {plugin} {name}`"
            )
        };
        let what = if is(entry, "required") { "needs" } else { "may be given" };
        let said = format!("the plugin {what} the variable `{name}`, which is not set");
        Some(if is(entry, "required") {
            Finding::warning("variables", said, remedy)
        } else {
            Finding::ok("variables", format!("{said}: {remedy}"))
        })
    });
    missing.collect()
}

/// Which tools it has, and which of them are not described; the remedies for none, and for those.
fn tools(subject: &Subject<'_>, (none, undescribed): (&str, &str), found: &mut Vec<Finding>) {
    let tools = &subject.ready.tools;
    found.push(if tools.is_empty() {
        Finding::warning("tools", "it has none, so nothing of it can be called", none)
    } else {
        Finding::ok("tools", counted(&subject.tool_names()))
    });
    let silent: Vec<&str> = tools
        .iter()
        .filter(|tool| tool.description.trim().is_empty())
        .map(|tool| tool.name.as_str())
        .collect();
    if !silent.is_empty() {
        let what = format!("nothing says what {} does", silent.join(", "));
        found.push(Finding::warning("descriptions", what, undescribed));
    }
}

fn counted(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
