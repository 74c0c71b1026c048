//! Owns what the contract of `cjm` asks for: execute, a schema before `initialize`, and a manifest that says the truth.

use super::{Subject, counted};
use crate::foreign::cjm::Manifest as Foreign;
use hardpoint_engine::probe::doctor::Finding;
use serde_json::Value;

pub(super) fn look(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    match &subject.foreign {
        Some(Ok(foreign)) => agrees(subject, foreign, found),
        Some(Err(mistakes)) => {
            let what = format!("manifest.json beside hardpoint.toml: {}", mistakes.join("; "));
            found.push(Finding::problem(
                "other manifest",
                what,
                "add the plugin again: `hardpoint plugin add`",
            ));
        }
        None => {}
    }
    found.push(execute(subject));
    found.push(schema(subject));
    if let Some(drift) = drift(subject) {
        found.push(drift);
    }
    found.push(Finding::ok("actions", counted(&subject.list("actions"))));
    found.push(Finding::ok("hooks", counted(&subject.list("hooks"))));
}

/// The class as it is against what its manifest says of it.
fn agrees(subject: &Subject<'_>, foreign: &Foreign, found: &mut Vec<Finding>) {
    let entry = &subject.manifest.entry;
    found.push(if foreign.entry() == *entry {
        Finding::ok("other manifest", format!("of {} {}", foreign.name(), foreign.version()))
    } else {
        let what = format!("manifest.json names `{}`, hardpoint.toml `{entry}`", foreign.entry());
        Finding::warning("other manifest", what, "add the plugin again: `hardpoint plugin add`")
    });
    found.push(if foreign.interface().is_empty() || foreign.taxonomy("role").is_empty() {
        let remedy = "nothing here needs it; without it `plugin list --role` does not find the plugin";
        Finding::warning("interface", "its manifest has no taxonomy", remedy)
    } else {
        let (role, domain) = (foreign.taxonomy("role"), foreign.taxonomy("domain"));
        Finding::ok("interface", format!("{} ({role} of {domain})", foreign.interface()))
    });
}

fn execute(subject: &Subject<'_>) -> Finding {
    let class = subject.fact("class").and_then(Value::as_str).unwrap_or("the class");
    if subject.fact("executes") == Some(&Value::Bool(false)) {
        let remedy = "install an older release of its package, whose class still has it, for the other tools";
        return Finding::warning(
            "execute",
            format!("`{class}` has no `execute`: it is a monitor only"),
            remedy,
        );
    }
    Finding::ok("execute", format!("`{class}.execute`; tools: {}", counted(&subject.tool_names())))
}

fn schema(subject: &Subject<'_>) -> Finding {
    let schema = subject.fact("config_schema");
    match schema.and_then(|schema| schema.get("properties")?.as_object()) {
        Some(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            Finding::ok("schema", format!("told before `initialize`; keys: {}", counted(&names)))
        }
        None => Finding::ok("schema", "told before `initialize`; it names no key, so any is taken"),
    }
}

/// Whether the schema is still the one that was there when the plugin was added.
fn drift(subject: &Subject<'_>) -> Option<Finding> {
    let live = subject.fact("config_schema_hash")?.as_str()?;
    let recorded = subject.manifest.config_schema_hash.as_deref()?;
    Some(if recorded == live {
        Finding::ok("drift", "the schema is the one that was recorded")
    } else {
        let plugin = &subject.manifest.name;
        Finding::warning(
            "drift",
            format!("the schema is not the one that was recorded ({recorded}), but {live}"),
            format!(
                "look at `hardpoint plugin config {plugin}`, then add the plugin again: `hardpoint plugin add`"
            ),
        )
    })
}
