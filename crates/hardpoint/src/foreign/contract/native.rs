//! Owns what a plugin of this host's own contract has to have.

use super::{Subject, counted, tools};
use hardpoint_engine::probe::doctor::Finding;

pub(super) fn look(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let none = "mark a method of the class with `@tool`";
    let silent = "give the method a docstring, or describe it under `[tools.NAME]` in hardpoint.toml";
    tools(subject, (none, silent), found);
    found.push(match subject.ready.config_schema.get("properties").and_then(|fields| fields.as_object()) {
        Some(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            Finding::ok("configuration", format!("its schema has the keys {}", counted(&names)))
        }
        None => Finding::ok("configuration", "it has no schema: any object will do"),
    });
    found.push(Finding::ok("hooks", "`initialize` and `validate` went well"));
}
