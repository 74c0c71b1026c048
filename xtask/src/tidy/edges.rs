//! Which crate may know which. An arrow that is not in this table is a change of the design.

use anyhow::{Context as _, Result};
use toml::Table;

use crate::tree::SourceFile;

/// Every crate of the workspace with the crates it may depend on.
const EDGES: [(&str, &[&str]); 13] = [
    ("hardpoint-model", &[]),
    ("hardpoint-wire", &["hardpoint-model"]),
    ("hardpoint-process", &[]),
    ("hardpoint-secrets", &["hardpoint-model"]),
    ("hardpoint-supervisor", &["hardpoint-model", "hardpoint-process", "hardpoint-wire"]),
    ("hardpoint-env", &["hardpoint-model", "hardpoint-process"]),
    ("hardpoint-store", &["hardpoint-model"]),
    (
        "hardpoint-engine",
        &[
            "hardpoint-env",
            "hardpoint-model",
            "hardpoint-process",
            "hardpoint-secrets",
            "hardpoint-store",
            "hardpoint-supervisor",
            "hardpoint-wire",
        ],
    ),
    (
        "hardpoint-server",
        &[
            "hardpoint-engine",
            "hardpoint-model",
            "hardpoint-secrets",
            "hardpoint-store",
            "hardpoint-supervisor",
            "hardpoint-wire",
        ],
    ),
    (
        "hardpoint-testkit",
        &[
            "hardpoint-env",
            "hardpoint-model",
            "hardpoint-process",
            "hardpoint-store",
            "hardpoint-supervisor",
            "hardpoint-wire",
        ],
    ),
    (
        "hardpoint",
        &[
            "hardpoint-engine",
            "hardpoint-env",
            "hardpoint-model",
            "hardpoint-process",
            "hardpoint-secrets",
            "hardpoint-server",
            "hardpoint-store",
            "hardpoint-supervisor",
            "hardpoint-wire",
        ],
    ),
    (
        "hardpoint-bench",
        &[
            "hardpoint-engine",
            "hardpoint-env",
            "hardpoint-model",
            "hardpoint-process",
            "hardpoint-server",
            "hardpoint-store",
            "hardpoint-supervisor",
            "hardpoint-testkit",
            "hardpoint-wire",
        ],
    ),
    ("xtask", &[]),
];

/// What every crate may use in its tests besides.
const FOR_TESTS: &str = "hardpoint-testkit";

pub(super) fn check(files: &[SourceFile]) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| is_member(&file.path)) {
        let manifest: Table =
            file.text.parse().with_context(|| format!("{} is not valid TOML", file.path))?;
        check_manifest(&file.path, &manifest, &mut complaints);
    }
    Ok(complaints)
}

/// A Cargo.toml of the workspace; `fuzz` is a workspace of its own.
fn is_member(path: &str) -> bool {
    path.ends_with("/Cargo.toml") && !path.starts_with("fuzz/")
}

fn check_manifest(path: &str, manifest: &Table, complaints: &mut Vec<String>) {
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    let Some(name) = name else {
        complaints.push(format!("{path}: no package name"));
        return;
    };
    let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
        complaints.push(format!(
            "{path}: `{name}` is not in the table of crates; add it in xtask/src/tidy/edges.rs"
        ));
        return;
    };
    for (section, dependency) in own_dependencies(manifest) {
        let for_tests = section == "dev-dependencies" && dependency == FOR_TESTS;
        if !for_tests && !allowed.contains(&dependency.as_str()) {
            complaints.push(format!(
                "{path}: `{name}` may not depend on `{dependency}` ({section}); it may know {allowed:?}"
            ));
        }
    }
}

/// Section and name of every dependency on a crate of the workspace, platform sections included.
fn own_dependencies(manifest: &Table) -> Vec<(&'static str, String)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(|target| target.as_table()) {
        tables.extend(targets.values().filter_map(|target| target.as_table()));
    }
    let mut found = Vec::new();
    for table in tables {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(section).and_then(|section| section.as_table()) else {
                continue;
            };
            let ours = dependencies.keys().filter(|name| name.starts_with("hardpoint"));
            found.extend(ours.map(|name| (section, name.clone())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(manifest: &str) -> Vec<String> {
        let mut found = Vec::new();
        check_manifest("crates/x/Cargo.toml", &manifest.parse().unwrap(), &mut found);
        found
    }

    #[test]
    fn an_arrow_upwards_is_refused() {
        let found =
            complaints("[package]\nname = \"hardpoint-wire\"\n[dependencies]\nhardpoint-supervisor = {}\n");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn an_arrow_hidden_in_a_platform_section_is_found() {
        let manifest =
            "[package]\nname = \"hardpoint-model\"\n[target.'cfg(unix)'.dependencies]\nhardpoint-wire = {}\n";
        assert_eq!(complaints(manifest).len(), 1);
    }

    #[test]
    fn tests_may_use_the_testkit() {
        let manifest = "[package]\nname = \"hardpoint-wire\"\n[dev-dependencies]\nhardpoint-testkit = {}\n";
        assert!(complaints(manifest).is_empty());
    }

    #[test]
    fn a_new_crate_must_be_entered() {
        assert_eq!(complaints("[package]\nname = \"hardpoint-new\"\n").len(), 1);
    }
}
