//! From what is installed to what is missing.
//!
//! Owns what counts: a distribution of that name, one that is known to bring the same module, or a module
//! that an import would find. Pure.

use super::{Facts, aliases};
use crate::probe::ask::quote;
use crate::probe::{Missing, Need};
use hardpoint_model::Manifest;
use hardpoint_model::manifest::{Dependency, Requirement, normal_name};

/// Why a dependency is not there.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    Absent,
    /// Another version is: of the dependency itself, or of the named distribution.
    Version {
        found: String,
    },
    /// A module is, but nothing says which version it has.
    NoVersion,
}

pub(super) fn missing(manifest: &Manifest, facts: &Facts) -> Vec<Missing> {
    let faults = manifest.needs.dependencies.iter().filter_map(|needed| Some((needed, why(needed, facts)?)));
    faults.map(|(needed, why)| said(manifest, needed, &why)).collect()
}

fn why(needed: &Dependency, facts: &Facts) -> Option<Why> {
    let names = aliases::distributions(&needed.name);
    let by_name = names.iter().filter_map(|name| Some((name, facts.distributions.get(name)?)));
    let modules: Vec<_> =
        aliases::modules(&needed.name).iter().filter_map(|name| facts.modules.get(name)).collect();
    let found: Vec<_> = modules.into_iter().filter(|module| module.found).collect();
    let by_module = found.iter().flat_map(|module| &module.distributions);
    let versions: Vec<(&String, &String)> = by_name.chain(by_module).collect();
    let is_there = !versions.is_empty() || !found.is_empty();
    if versions.iter().any(|(_, version)| needed.accepts(version)) {
        return None;
    }
    match versions.first() {
        _ if is_there && needed.versions.is_empty() => None,
        Some((name, version)) => Some(Why::Version { found: named(needed, name, version) }),
        None if is_there => Some(Why::NoVersion),
        None => Some(Why::Absent),
    }
}

/// `1.2`, or `opencv-python 4.8` for another name than the one that is needed.
fn named(needed: &Dependency, name: &str, version: &str) -> String {
    let version = quote(version);
    if normal_name(&needed.name) == name { version } else { format!("{name} {version}") }
}

fn said(manifest: &Manifest, needed: &Dependency, why: &Why) -> Missing {
    let (name, versions) = (&needed.name, &needed.versions);
    let what = match why {
        Why::Absent => format!("Python package: {name}"),
        Why::Version { found } => format!("Python package: {name} (found {found}, needs {versions})"),
        Why::NoVersion => {
            format!("Python package: {name} (found in a version that cannot be told, needs {versions})")
        }
    };
    Missing { need: Need::Package, what, hint: remedy(manifest, needed) }
}

/// The environments are ours, so the remedy is a line of the manifest; the command is the one it stands for.
fn remedy(manifest: &Manifest, needed: &Dependency) -> String {
    let (name, versions) = (aliases::to_install(&needed.name), &needed.versions);
    let plugin = &manifest.name;
    let known = |requirement: &&String| {
        requirement.parse::<Requirement>().is_ok_and(|requirement| requirement.name == normal_name(name))
    };
    let requirements = &manifest.python.requirements;
    if let Some(listed) = requirements.iter().find(known) {
        return format!(
            "`{listed}` in `requirements` under `[python]` did not bring it: correct its versions or its \
             condition in {plugin}/hardpoint.toml"
        );
    }
    let package = format!("{name}{versions}").replace(' ', "");
    if let Some(environment) = &manifest.python.environment {
        return format!("install `{package}` into the plugin's own environment {environment}");
    }
    let place = match &manifest.python.lock {
        Some(lock) => format!("add `{name}` to {plugin}/{lock}"),
        None => format!(
            "add it under `[python]` in {plugin}/hardpoint.toml: `requirements = [{}\"{package}\"]`",
            if requirements.is_empty() { "" } else { "…, " }
        ),
    };
    format!("{place}; `hardpoint plugin check {plugin}` then installs it, as `pip install '{package}'` would")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::packages::Module;

    fn facts() -> Facts {
        let distributions = [("numpy", "2.1.0"), ("opencv-python-headless", "4.10.0"), ("pyyaml", "odd")];
        let owned = |found, owners: &[(&str, &str)]| Module {
            found,
            distributions: owners.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        let modules = [
            ("cv2", owned(true, &[("opencv-python-headless", "4.10.0")])),
            ("json", owned(true, &[])),
            ("beside", owned(true, &[])),
            ("thing", owned(true, &[("the-thing", "1.2")])),
            ("nothing", owned(false, &[])),
        ];
        Facts {
            distributions: distributions.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            modules: modules.map(|(n, m)| (n.to_owned(), m)).into(),
        }
    }

    #[test]
    fn distributions_their_relatives_and_modules_all_count() {
        let version = |found: &str| Some(Why::Version { found: found.to_owned() });
        for (needed, expected) in [
            ("numpy", None),
            ("NumPy>=2,<3", None),
            ("numpy<2", version("2.1.0")),
            ("opencv-python", None),
            ("opencv-python>=4.10", None),
            ("opencv-python>=4.11", version("opencv-python-headless 4.10.0")),
            ("cv2>=4", None),
            ("cv2<4", version("opencv-python-headless 4.10.0")),
            ("PyYAML", None),
            ("pyyaml>=6", version("odd")),
            ("json", None),
            ("beside>=2", Some(Why::NoVersion)),
            ("thing>=1", None),
            ("thing>=2", version("the-thing 1.2")),
            ("nothing", Some(Why::Absent)),
            ("never-heard-of", Some(Why::Absent)),
        ] {
            assert_eq!(why(&needed.parse().unwrap(), &facts()), expected, "{needed}");
        }
    }

    #[test]
    fn the_remedy_is_the_line_of_the_manifest_and_the_command_it_stands_for() {
        let check = |python: &str, needed: &str, words: &[&str]| {
            let text = format!(
                "name = \"p\"\nversion = \"1\"\nentry = \"p:P\"\n[python]\n{python}\n[needs]\ndependencies = [\"{needed}\"]\n"
            );
            let manifest = Manifest::parse(&text, "hardpoint.toml").unwrap();
            let missing = missing(&manifest, &facts());
            let hint = &missing.first().unwrap().hint;
            assert!(words.iter().all(|word| hint.contains(word)), "{hint}");
        };
        check(
            "",
            "rich>=13",
            &["`requirements = [\"rich>=13\"]`", "pip install 'rich>=13'", "p/hardpoint.toml"],
        );
        check("requirements = [\"x\"]", "bs4", &["`requirements = […, \"beautifulsoup4\"]`"]);
        check("requirements = [\"rich; python_version<'3'\"]", "rich", &["did not bring it", "condition"]);
        check("lock = \"r.lock\"", "rich", &["add `rich` to p/r.lock"]);
    }
}
