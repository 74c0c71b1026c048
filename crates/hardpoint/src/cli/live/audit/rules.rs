//! What must hold of the documents about a plugin. Pure: documents go in, findings come out.

use hardpoint_model::PluginState;
use serde::Serialize;
use serde_json::Value;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The plugin; null for what is about the host.
    pub(super) plugin: Option<String>,
    /// The name of the rule, for programs.
    pub(super) rule: &'static str,
    /// What was seen.
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn of(plugin: &str, rule: &'static str, detail: impl Into<String>) -> Self {
        Self { plugin: Some(plugin.to_owned()), rule, detail: detail.into() }
    }

    pub(super) fn of_host(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { plugin: None, rule, detail: detail.into() }
    }
}

/// Fields that are always there.
const FIELDS: [&str; 26] = [
    "name",
    "state",
    "reason",
    "hint",
    "version",
    "description",
    "uptime_seconds",
    "last_used",
    "success_count",
    "error_count",
    "instance",
    "incarnation",
    "pid",
    "exit_reason",
    "restarts",
    "restart_at",
    "enabled",
    "starting",
    "calls_in_flight",
    "liveness",
    "unresponsive_since",
    "main_thread_stuck_since",
    "last_execution_time_ms",
    "avg_execution_time_ms",
    "p95_execution_time_ms",
    "memory_enforced_by",
];
/// Whole numbers that never are below zero.
const COUNTS: [&str; 5] = ["success_count", "error_count", "incarnation", "restarts", "calls_in_flight"];
/// Measured figures: null or not below zero.
const FIGURES: [&str; 4] =
    ["uptime_seconds", "last_execution_time_ms", "avg_execution_time_ms", "p95_execution_time_ms"];
/// What does not change as long as a plugin's manifest does not.
const STABLE: [&str; 4] = ["name", "instance", "memory_limit_bytes", "memory_enforced_by"];
/// What does not change within one incarnation once it is down.
const FINAL: [&str; 3] = ["state", "reason", "exit_reason"];

pub(super) fn name_of(document: &Value) -> String {
    document.get("name").and_then(Value::as_str).unwrap_or("(without a name)").to_owned()
}

pub(super) fn state_of(document: &Value) -> Option<PluginState> {
    let text = document.get("state")?.as_str()?;
    PluginState::ALL.into_iter().find(|state| state.as_str() == text)
}

/// What is wrong with one health document by itself.
pub(super) fn sound(document: &Value) -> Vec<Finding> {
    let name = name_of(document);
    let mut found = Vec::new();
    let mut say = |rule, detail: String| found.push(Finding::of(&name, rule, detail));
    for field in FIELDS.iter().filter(|field| document.get(**field).is_none()) {
        say("field_missing", format!("`{field}` is missing"));
    }
    let at = |field: &str| document.get(field).unwrap_or(&Value::Null);
    for field in COUNTS.iter().filter(|field| !at(field).is_u64()) {
        say("count", format!("`{field}` is {}, not a count", at(field)));
    }
    for field in FIGURES {
        let value = at(field);
        if !value.is_null() && value.as_f64().is_none_or(|number| number < 0.0) {
            say("figure", format!("`{field}` is {value}"));
        }
    }
    if at("incarnation").as_u64() == Some(0) {
        say("count", "`incarnation` is 0: it counts from 1".to_owned());
    }
    let Some(state) = state_of(document) else {
        say("state", format!("its state is {}, which is none of the five", at("state")));
        return found;
    };
    let reason = at("reason").as_str().is_some_and(|reason| !reason.trim().is_empty());
    match (state.is_final(), reason) {
        (true, false) => say("reason", format!("it is {state} without a reason")),
        (false, true) => say("reason", format!("it is {state} and has a reason: {}", at("reason"))),
        (true, true) | (false, false) => {}
    }
    if state.takes_calls() && at("pid").is_null() {
        say("worker", format!("it is {state} without a worker"));
    }
    if state.takes_calls() == at("uptime_seconds").is_null() {
        say("uptime", format!("it is {state} and `uptime_seconds` is {}", at("uptime_seconds")));
    }
    found
}

/// What two documents about the same plugin say differently. `later` was asked for after `earlier`.
pub(super) fn agree(earlier: &Value, later: &Value, places: (&str, &str)) -> Vec<Finding> {
    let name = name_of(earlier);
    let at = |document: &Value, field: &str| document.get(field).cloned().unwrap_or_default();
    let differs = |field: &&&str| at(earlier, field) != at(later, field);
    let tell = |field: &&str| {
        let (first, second) = (at(earlier, field), at(later, field));
        let detail = format!("`{field}` is {first} in {} and {second} in {}", places.0, places.1);
        Finding::of(&name, "disagreement", detail)
    };
    let mut found: Vec<Finding> = STABLE.iter().filter(differs).map(tell).collect();
    let incarnations = (at(earlier, "incarnation").as_u64(), at(later, "incarnation").as_u64());
    if incarnations.0 > incarnations.1 {
        found.push(tell(&"incarnation"));
    }
    let is_down = state_of(earlier).is_some_and(PluginState::is_final);
    if incarnations.0 == incarnations.1 && is_down {
        found.extend(FINAL.iter().filter(differs).map(tell));
    }
    for field in ["success_count", "error_count", "restarts"] {
        if at(earlier, field).as_u64() > at(later, field).as_u64() {
            found.push(tell(&field));
        }
    }
    found
}

/// Whether a plugin is not as an operator wants it, and how.
pub(super) fn down(document: &Value) -> Option<String> {
    let state = state_of(document)?;
    let reason = document.get("reason").and_then(Value::as_str).unwrap_or_default();
    let liveness = document.get("liveness").and_then(Value::as_str).unwrap_or_default();
    let disabled = document.get("enabled") == Some(&Value::Bool(false));
    let is_back_with_a_call = document.get("made_room") == Some(&Value::Bool(true));
    let unloaded = document.get("starting") == Some(&Value::Null) && !is_back_with_a_call;
    match state {
        PluginState::Failed | PluginState::Unavailable => Some(format!("{state}: {reason}")),
        PluginState::Loaded if unloaded => Some(format!("{state}: it is not started")),
        PluginState::Loaded => None,
        PluginState::Initialized | PluginState::Running if disabled => Some("it is disabled".to_owned()),
        PluginState::Initialized | PluginState::Running => {
            matches!(liveness, "stuck" | "unresponsive").then(|| format!("its worker is {liveness}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn healthy() -> Value {
        let mut document = json!({"name": "a", "state": "INITIALIZED", "uptime_seconds": 1.5, "pid": 7,
            "liveness": "live", "enabled": true, "instance": "a", "memory_enforced_by": "sampler",
            "incarnation": 2, "success_count": 3, "error_count": 0, "restarts": 1, "calls_in_flight": 0});
        for field in FIELDS {
            if document.get(field).is_none() {
                document[field] = Value::Null;
            }
        }
        document
    }

    fn with(changes: &Value) -> Value {
        let mut document = healthy();
        for (field, value) in changes.as_object().into_iter().flatten() {
            document[field] = value.clone();
        }
        document
    }

    fn failed() -> Value {
        with(&json!({"state": "FAILED", "reason": "it broke", "uptime_seconds": null, "pid": null}))
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        for (document, rules) in [
            (healthy(), &[][..]),
            (failed(), &[]),
            (with(&json!({"state": "SLEEPING"})), &["state"]),
            (with(&json!({"success_count": -1})), &["count"]),
            (with(&json!({"success_count": 1.5, "error_count": null})), &["count", "count"]),
            (with(&json!({"avg_execution_time_ms": -0.1})), &["figure"]),
            (with(&json!({"incarnation": 0})), &["count"]),
            (with(&json!({"reason": "because"})), &["reason"]),
            (with(&json!({"state": "FAILED", "uptime_seconds": null})), &["reason"]),
            (with(&json!({"state": "UNAVAILABLE", "reason": " ", "uptime_seconds": null})), &["reason"]),
            (with(&json!({"pid": null})), &["worker"]),
            (with(&json!({"uptime_seconds": null})), &["uptime"]),
        ] {
            let found: Vec<&str> = sound(&document).iter().map(|finding| finding.rule).collect();
            assert_eq!(found, rules, "{document}");
        }
        let mut without = healthy();
        without.as_object_mut().map(|fields| fields.remove("restarts"));
        assert_eq!(sound(&without)[0].detail, "`restarts` is missing");
    }

    #[test]
    fn documents_agree_on_what_cannot_have_changed_in_between() {
        let later = |changes: &Value| agree(&healthy(), &with(changes), ("the list", "its health")).len();
        assert_eq!(later(&json!({"state": "RUNNING", "calls_in_flight": 1, "success_count": 4})), 0);
        assert_eq!(later(&json!({"state": "FAILED", "reason": "now", "incarnation": 2})), 0);
        assert_eq!(later(&json!({"success_count": 2})), 1);
        assert_eq!(later(&json!({"incarnation": 1})), 1);
        assert_eq!(later(&json!({"memory_enforced_by": "cgroup_v2"})), 1);
        let found = agree(&failed(), &healthy(), ("the list", "its health"));
        assert_eq!(found[0].detail, "`state` is \"FAILED\" in the list and \"INITIALIZED\" in its health");
        let restarted = with(&json!({"incarnation": 3}));
        assert!(agree(&failed(), &restarted, ("the list", "its health")).is_empty());
    }
}
