//! Owns what the contract of `forgesyte` asks for: a name, tools with words, and a manifest that agrees with them.

use super::{Subject, counted, tools};
use hardpoint_engine::probe::doctor::Finding;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn look(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    found.push(name(subject));
    let silent = "works here; the base class of its own host wants a `description` for each";
    tools(subject, ("name them in its `tools`", silent), found);
    schemas(subject, found);
    manifest(subject, found);
    let shims = subject.list("shims");
    if !shims.is_empty() {
        found.push(Finding::ok(
            "stand-ins",
            format!("it uses {} of its own host, which stand in here", shims.join(", ")),
        ));
    }
    found.push(Finding::ok("hooks", counted(&subject.list("hooks"))));
}

fn name(subject: &Subject<'_>) -> Finding {
    let (own, here) = (&subject.ready.plugin.name, &subject.manifest.name);
    if own == here.as_str() {
        Finding::ok("name", own.clone())
    } else {
        let remedy =
            format!("clients of its own host know it as `{own}`; rename it here if they have to find it");
        Finding::warning("name", format!("it calls itself `{own}`, here it is `{here}`"), remedy)
    }
}

fn schemas(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let schema = |tool: &str| subject.fact("tools")?.get(tool)?.get("input_schema")?.as_object();
    let open: Vec<&str> = subject
        .tool_names()
        .into_iter()
        .filter(|tool| schema(tool).is_none_or(serde_json::Map::is_empty))
        .collect();
    if !open.is_empty() {
        let remedy =
            "give the tool an `input_schema` if its arguments should be shown and bytes be told from text";
        found.push(Finding::warning(
            "schemas",
            format!("nothing says what {} takes", open.join(", ")),
            remedy,
        ));
    }
}

fn manifest(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if let Some(error) = subject.fact("manifest_error").and_then(Value::as_str) {
        found.push(Finding::warning(
            "other manifest",
            error,
            "correct manifest.json beside the plugin's class",
        ));
        return;
    }
    let Some(manifest) = subject.fact("manifest").filter(|manifest| !manifest.is_null()) else { return };
    if manifest.get("synthesised") == Some(&Value::Bool(true)) {
        found.push(Finding::ok("other manifest", "there is none; one is made from the tools"));
        return;
    }
    for warning in subject.list("manifest_warnings") {
        found.push(Finding::warning(
            "other manifest",
            warning,
            "correct manifest.json beside the plugin's class",
        ));
    }
    let listed = listed(manifest);
    let there: BTreeSet<&str> = subject.tool_names().into_iter().collect();
    let list =
        |names: Vec<&&str>| names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (extra, missing) =
        (list(listed.difference(&there).collect()), list(there.difference(&listed).collect()));
    if !extra.is_empty() {
        let what = format!("it lists {extra}, which the plugin does not have");
        found.push(Finding::warning(
            "other manifest",
            what,
            "what the plugin has counts; take it out of manifest.json",
        ));
    }
    if !missing.is_empty() && !listed.is_empty() {
        let what = format!("it does not list {missing}");
        found.push(Finding::warning(
            "other manifest",
            what,
            "what the plugin has counts; add it to manifest.json",
        ));
    }
    if extra.is_empty() && missing.is_empty() {
        found.push(Finding::ok("other manifest", "manifest.json agrees with the tools"));
    }
}

/// The tools of a manifest: a list of objects, or an object by name.
fn listed(manifest: &Value) -> BTreeSet<&str> {
    match manifest.get("tools") {
        Some(Value::Array(tools)) => tools.iter().filter_map(|tool| tool.get("id")?.as_str()).collect(),
        Some(Value::Object(tools)) => tools.keys().map(String::as_str).collect(),
        Some(_) | None => BTreeSet::new(),
    }
}
