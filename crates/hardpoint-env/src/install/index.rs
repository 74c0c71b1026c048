//! Owns telling uv where packages come from when only pip was told: on many networks the package index
//! is set in pip's files or variables and nowhere else. uv's own settings always win.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::patience::Patience;
use super::run::Program;
use super::word;
use crate::limits::INTERPRETER_ANSWER;
use crate::machine::Machine;
use crate::settings::Settings;

/// What uv is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    pub(super) arguments: Vec<OsString>,
    /// Addresses may carry passwords, so they go where `ps` does not show them.
    pub(super) variables: Vec<(&'static str, OsString)>,
}

/// uv's own variables for the same thing.
const UV_VARIABLES: [&str; 6] =
    ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"];

/// pip's settings of this machine, as uv takes them.
pub(super) async fn of_pip(machine: &Machine, python: &Path) -> Index {
    let settings = &machine.settings;
    if UV_VARIABLES.iter().any(|name| settings.get(name).is_some()) || has_uv_file(settings) {
        return translate(settings, &BTreeMap::new());
    }
    translate(settings, &pip_settings(machine, python).await)
}

fn has_uv_file(settings: &Settings) -> bool {
    let home = settings.get("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = settings.get("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
    let user = folder.is_some_and(|folder| folder.join("uv/uv.toml").exists());
    user || settings.get("UV_CONFIG_FILE").is_some() || Path::new("/etc/uv/uv.toml").exists()
}

/// pip's settings from its files, with its variables over them. An interpreter without pip has variables only.
async fn pip_settings(machine: &Machine, python: &Path) -> BTreeMap<String, String> {
    let program = Program::new(machine, python, Patience::Total(INTERPRETER_ANSWER))
        .args(["-I", "-m", "pip", "config", "list"]);
    let mut found = BTreeMap::new();
    let mut variables = BTreeMap::new();
    let listed = program
        .run(|line| {
            if let Some((variable, name, value)) = pip_line(line) {
                if variable { &mut variables } else { &mut found }.insert(name, value);
            }
        })
        .await;
    if listed.is_err() {
        found.clear();
    }
    for name in ["index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host"] {
        let variable = format!("PIP_{}", name.replace('-', "_").to_uppercase());
        if let Some(value) = machine.settings.get(&variable).and_then(|value| value.to_str()) {
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    found.append(&mut variables);
    found
}

/// `global.index-url='https://…'` as (is a variable, name, value). pip writes values as Python does.
fn pip_line(line: &str) -> Option<(bool, String, String)> {
    let (key, value) = line.split_once('=')?;
    let (section, name) = key.rsplit_once('.')?;
    if !matches!(section, "global" | "install" | ":env:") {
        return None;
    }
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = quoted('\'').or_else(|| quoted('"')).unwrap_or(value).replace("\\n", " ");
    Some((section == ":env:", name.to_owned(), value.trim().to_owned()))
}

fn translate(settings: &Settings, pip: &BTreeMap<String, String>) -> Index {
    let mut index = Index::default();
    let get = |name: &str| pip.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let Some(address) = get("index-url") {
        index.variables.push(("UV_DEFAULT_INDEX", word(address)));
    }
    if let Some(addresses) = get("extra-index-url") {
        index.variables.push(("UV_INDEX", word(addresses)));
        // pip takes the best version of all indexes, and the user wrote these settings for pip.
        index.variables.push(("UV_INDEX_STRATEGY", word("unsafe-best-match")));
    }
    for place in get("find-links").unwrap_or_default().split_whitespace() {
        // pip shrugs at a folder that is not there; uv stops.
        if place.contains("://") || Path::new(place).is_dir() {
            index.arguments.extend([word("--find-links"), word(place)]);
        }
    }
    if get("no-index")
        .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    {
        index.arguments.push(word("--no-index"));
    }
    for host in get("trusted-host").unwrap_or_default().split_whitespace() {
        index.arguments.extend([word("--allow-insecure-host"), word(host)]);
    }
    let certificates = get("cert").map(word).or_else(|| settings.get("PIP_CERT").map(OsString::from));
    if let Some(file) = certificates.filter(|_| settings.get("SSL_CERT_FILE").is_none()) {
        index.variables.push(("SSL_CERT_FILE", file));
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_pip_prints_is_understood() {
        for (line, expected) in [
            ("global.index-url='https://a/simple'", Some((false, "index-url", "https://a/simple"))),
            (":env:.cert=\"/etc/x.pem\"", Some((true, "cert", "/etc/x.pem"))),
            ("install.find-links='\\n/a\\n/b'", Some((false, "find-links", "/a /b"))),
            ("freeze.timeout='10'", None),
            ("nonsense", None),
        ] {
            let found = pip_line(line);
            let parts = found.as_ref().map(|(v, name, value)| (*v, name.as_str(), value.as_str()));
            assert_eq!(parts, expected, "{line}");
        }
    }

    #[test]
    fn settings_become_what_uv_takes() {
        let settings = Settings::from_process().without("SSL_CERT_FILE").without("PIP_CERT");
        let pip = [
            ("index-url", "https://user:pw@a/simple"),
            ("extra-index-url", "https://b/simple https://c/simple"),
            ("find-links", "/nowhere https://d/links"),
            ("no-index", "false"),
            ("trusted-host", "a"),
            ("cert", "/etc/x.pem"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let index = translate(&settings, &pip.into_iter().collect());
        assert_eq!(index.arguments, ["--find-links", "https://d/links", "--allow-insecure-host", "a"]);
        assert_eq!(
            index.variables,
            [
                ("UV_DEFAULT_INDEX", "https://user:pw@a/simple".into()),
                ("UV_INDEX", "https://b/simple https://c/simple".into()),
                ("UV_INDEX_STRATEGY", "unsafe-best-match".into()),
                ("SSL_CERT_FILE", "/etc/x.pem".into()),
            ]
        );
    }
}
