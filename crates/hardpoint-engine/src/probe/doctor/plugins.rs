//! The plugins folder, and what single plugins lack. Pure.

use super::Finding;
use crate::catalog::{Catalog, Installed};
use crate::probe::{Missing, hint, reason};
use serde_json::json;

/// The folder as a whole; `unread` is why it cannot be read.
pub fn plugins(catalog: Result<&Catalog, (&str, &str)>) -> Finding {
    const NAME: &str = "plugins";
    let catalog = match catalog {
        Ok(catalog) => catalog,
        Err((why, remedy)) => return Finding::warning(NAME, why, remedy),
    };
    let all: Vec<&str> = catalog.iter().map(Installed::name).collect();
    let broken: Vec<&str> =
        catalog.iter().filter(|plugin| plugin.manifest.is_err()).map(Installed::name).collect();
    let facts = json!({"plugins": all, "broken": broken});
    let found = match (all.len(), broken.as_slice()) {
        (0, _) => Finding::warning(
            NAME,
            "the plugins folder holds no plugin",
            "make a first one with `hardpoint plugin new NAME`, or name another folder with `--plugins-dir DIR`",
        ),
        (count, []) => {
            Finding::ok(NAME, format!("{count} in the plugins folder, each with a sound manifest"))
        }
        (count, [first, ..]) => Finding::warning(
            NAME,
            format!("{} of {count} have a hardpoint.toml with mistakes: {}", broken.len(), broken.join(", ")),
            format!("`hardpoint plugin check {first}` shows the mistakes with their lines"),
        ),
    };
    found.with(facts)
}

/// What one plugin lacks; `looked_inside` says whether its environment was there to be looked into.
pub fn plugin(name: &str, missing: &[Missing], looked_inside: bool) -> Finding {
    let plugin = name;
    let name = format!("plugin {plugin}");
    let whats: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let facts = json!({"missing": whats, "environment_exists": looked_inside});
    let found = if !missing.is_empty() {
        Finding::problem(&name, format!("UNAVAILABLE: {}", reason(missing)), hint(missing))
    } else if looked_inside {
        Finding::ok(&name, "has all that its manifest says it needs")
    } else {
        let what = format!(
            "has all that can be told before its environment is built; `hardpoint plugin check {plugin}` builds it"
        );
        Finding::ok(&name, what)
    };
    found.with(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Need;
    use crate::probe::doctor::Level;

    #[test]
    fn a_plugin_that_was_asked_for_and_lacks_something_is_a_problem() {
        let missing =
            [Missing { need: Need::Model, what: "Model file: m".to_owned(), hint: "get it".to_owned() }];
        let found = plugin("ocr", &missing, false);
        let expected = "UNAVAILABLE: Missing dependencies: Model file: m";
        assert_eq!((found.level, found.what.as_str()), (Level::Problem, expected));
        assert_eq!(found.remedy.as_deref(), Some("get it"));
        assert_eq!(plugin("ocr", &[], true).level, Level::Ok);
        assert!(plugin("ocr", &[], false).what.contains("`hardpoint plugin check ocr` builds it"));
    }
}
