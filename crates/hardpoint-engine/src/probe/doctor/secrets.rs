//! What plugins could see of secrets that are not theirs: loose permissions, a host that is root, files of the same user.

use super::Finding;
use super::disk::in_time;
use hardpoint_secrets::SecretStore;
use rustix::process::geteuid;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Secrets {
    is_root: bool,
    /// Files that others may read, in words.
    loose: Vec<String>,
    /// Why they cannot be opened, and what to do about it.
    trouble: Option<(String, String)>,
}

pub(super) async fn facts(data: &Path) -> Secrets {
    let store = SecretStore::of(data);
    let looked = in_time(move || {
        let trouble = store.check().err().map(|error| (error.to_string(), error.hint()));
        Secrets { is_root: geteuid().is_root(), loose: store.warnings(), trouble }
    });
    looked.await.unwrap_or_default()
}

pub(super) fn finding(facts: Secrets) -> Finding {
    const NAME: &str = "secrets";
    let found = if let Some((what, remedy)) = &facts.trouble {
        Finding::problem(NAME, what.clone(), remedy.clone())
    } else if !facts.loose.is_empty() {
        let remedy = "take the rights away: `chmod go= FILE`; and replace what may have been read";
        Finding::warning(NAME, facts.loose.join("; "), remedy)
    } else if facts.is_root {
        let what = "this is root: plugins would run as root, and could read the secrets of others";
        Finding::warning(NAME, what, "run the host as a user of its own")
    } else {
        Finding::ok(NAME, "sealed; plugins run as this user and can still read its files, the key among them")
    };
    found.with(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    #[test]
    fn what_weighs_most_is_told_first() {
        let good = Secrets::default();
        assert!(finding(good.clone()).what.contains("can still read its files"));
        let root = Secrets { is_root: true, ..good };
        assert_eq!(finding(root.clone()).level, Level::Warning);
        let loose = Secrets { loose: vec!["x may be read by others (mode 640)".to_owned()], ..root };
        assert_eq!(finding(loose.clone()).what, "x may be read by others (mode 640)");
        let trouble = Some(("there is no key".to_owned(), "put it back".to_owned()));
        assert_eq!(finding(Secrets { trouble, ..loose }).level, Level::Problem);
    }
}
