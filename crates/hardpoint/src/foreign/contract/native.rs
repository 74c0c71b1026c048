//! Owns what a plugin of this host's own contract has to have.

use super::{Subject, counted};
use hardpoint_engine::probe::doctor::Finding;

pub(super) fn look(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let tools = &subject.ready.tools;
    found.push(if tools.is_empty() {
        let remedy = "mark a method of the class with `@tool`";
        Finding::warning("tools", "it has none, so nothing of it can be called", remedy)
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
        let remedy = "give the method a docstring, or describe it under `[tools.NAME]` in hardpoint.toml";
        found.push(Finding::warning("descriptions", what, remedy));
    }
    found.push(match subject.ready.config_schema.get("properties").and_then(|fields| fields.as_object()) {
        Some(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            Finding::ok("configuration", format!("its schema has the keys {}", counted(&names)))
        }
        None => Finding::ok("configuration", "it has no schema: any object will do"),
    });
    found.push(Finding::ok("hooks", "`initialize` and `validate` went well"));
}
