//! Owns the names of keys: dotted (`restart.policy`), as a variable (`HARDPOINT_RESTART__POLICY`), and what
//! the schema says about each. Knows no values.

use serde_json::Value;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "HARDPOINT_";

/// Variables of ours that are no settings of the host.
pub(super) const OTHER_VARIABLES: [&str; 13] = [
    "HARDPOINT_CONFIG",
    "HARDPOINT_SERVER",
    "HARDPOINT_TOKEN",
    "HARDPOINT_PYTHON",
    "HARDPOINT_UV",
    "HARDPOINT_SECRETS_KEY_FILE",
    "HARDPOINT_NVML_LIBRARY",
    "HARDPOINT_PROBE_SECONDS",
    "HARDPOINT_UPDATE_DOCS",
    "HARDPOINT_CHAOS_PYTHON",
    // What a worker finds in its environment: it may call the command line, too.
    "HARDPOINT_FD",
    "HARDPOINT_PRIVATE",
    "HARDPOINT_TREE",
];

/// Variables that tests of this project use.
const TESTS: [&str; 2] = ["HARDPOINT_TEST_", "HARDPOINT_ENV_TEST_"];

/// Whether a variable is somebody else's business: a test's, or one that Kubernetes sets in every container
/// when a service is called `hardpoint`.
pub(super) fn is_foreign(variable: &str) -> bool {
    let kubernetes = variable.strip_prefix(PREFIX).is_some_and(|rest| {
        rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT") || rest.split('_').next() == Some("PORT")
    });
    kubernetes || TESTS.iter().any(|prefix| variable.starts_with(prefix))
}

/// The part of the schema that a reference leads to.
pub(super) fn resolve<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    let reference = node.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(node)
}

/// The path of a variable's key, and what the schema says about it. In a map of names, which may contain the
/// separator themselves, the longest rest that makes sense wins.
pub(super) fn of_variable<'a>(root: &'a Value, variable: &str) -> Option<(Vec<String>, &'a Value)> {
    let lower = variable.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split("__").collect();
    let mut path = Vec::new();
    let node = descend(root, root, &parts, &mut path)?;
    Some((path, node))
}

/// What the schema says about a dotted key.
pub(super) fn of_key<'a>(root: &'a Value, key: &str) -> Option<(Vec<String>, &'a Value)> {
    let parts: Vec<&str> = key.split('.').collect();
    let mut path = Vec::new();
    let node = descend(root, root, &parts, &mut path)?;
    Some((path, node))
}

fn descend<'a>(
    root: &'a Value,
    node: &'a Value,
    parts: &[&str],
    path: &mut Vec<String>,
) -> Option<&'a Value> {
    let node = resolve(root, node);
    let Some((first, rest)) = parts.split_first() else { return Some(node) };
    if let Some(below) = node.get("properties").and_then(|fields| fields.get(*first)) {
        path.push((*first).to_owned());
        return descend(root, below, rest, path);
    }
    let named = node.get("additionalProperties").filter(|below| below.is_object())?;
    for split in 1..=parts.len() {
        let (name, rest) = parts.split_at(split);
        let depth = path.len();
        path.push(name.join("__"));
        if let Some(found) = descend(root, named, rest, path) {
            return Some(found);
        }
        path.truncate(depth);
    }
    None
}

/// Every variable that sets something, for suggestions. Those of single plugins are left out.
pub(super) fn variables(root: &Value) -> Vec<String> {
    let mut found: Vec<String> = OTHER_VARIABLES.map(str::to_owned).to_vec();
    collect(root, root, PREFIX, &mut found);
    found
}

fn collect(root: &Value, node: &Value, name: &str, found: &mut Vec<String>) {
    let Some(fields) = resolve(root, node).get("properties").and_then(Value::as_object) else {
        return found.push(name.to_owned());
    };
    for (key, below) in fields {
        let separator = if name == PREFIX { "" } else { "__" };
        collect(root, below, &format!("{name}{separator}{}", key.to_ascii_uppercase()), found);
    }
}
