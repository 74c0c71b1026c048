//! Owns what a path is: the folder of a plugin, an environment, a manifest or a folder of them; and the search paths.

use super::Dialect;
use super::tell::Told;
use crate::embedded::{Failure, read_bounded};
use crate::foreign::{FILE_BYTES_MAX, cjm};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Manifests in one folder that are looked at: more than anybody has.
const MANIFESTS_MAX: usize = 1000;
const SEARCHED: &str = ".cjm/manifests";

/// Where a plugin may come from.
pub(super) enum Source {
    /// A folder with a hardpoint.toml.
    Folder(PathBuf),
    /// An environment, as it was named, and its interpreter.
    Environment { path: PathBuf, python: PathBuf },
    /// Another host's manifest.
    Manifest { file: PathBuf, manifest: Box<cjm::Manifest> },
}

/// All of them, and what cannot be one.
pub(super) struct Sources {
    pub(super) sources: Vec<Source>,
    pub(super) told: Vec<Told>,
}

pub(super) fn find(paths: &[PathBuf], dialect: Dialect, data: &Path) -> Result<Sources, Failure> {
    let mut found = Sources { sources: Vec::new(), told: Vec::new() };
    let mut names = BTreeMap::new();
    for path in paths {
        if let Err(failure) = found.path(path, dialect, &mut names) {
            found.told.push(Told::failed(path, failure));
        }
    }
    if paths.is_empty() {
        let searched = [PathBuf::from(SEARCHED), data.join("manifests")];
        for folder in &searched {
            found.folder(folder, &mut names);
        }
        if found.sources.is_empty() && found.told.is_empty() {
            let [here, data] = searched.map(|folder| folder.display().to_string());
            return Err(Failure::request(
                format!("there is nothing to add: neither {here} nor {data} holds a manifest"),
                "name an environment, the folder of a plugin or a manifest: `hardpoint plugin add PATH`",
            ));
        }
    }
    Ok(found)
}

/// Which file a name was first seen in.
type Names = BTreeMap<String, PathBuf>;

impl Sources {
    fn path(&mut self, path: &Path, dialect: Dialect, names: &mut Names) -> Result<(), Failure> {
        let shown = path.display();
        if !path.exists() {
            return Err(Failure::request(format!("there is nothing at {shown}"), "check the path"));
        }
        let is_folder = path.is_dir();
        if is_folder && path.join("hardpoint.toml").exists() && dialect.takes("native") {
            self.sources.push(Source::Folder(path.to_owned()));
            return Ok(());
        }
        if path.extension().is_some_and(|ending| ending == "json") {
            return self.manifest(path, names);
        }
        // It is started from another folder, and its manifest stands in another one.
        let path = &std::path::absolute(path)
            .map_err(|e| Failure::host(&format!("{shown} has no absolute path"), &e))?;
        if let Some(python) = hardpoint_env::interpreter_of(path).filter(|_| dialect != Dialect::Native) {
            self.sources.push(Source::Environment { path: path.to_owned(), python });
            return Ok(());
        }
        let folders = [path.to_owned(), path.join(SEARCHED)];
        if let Some(folder) = folders.iter().find(|folder| is_folder && !manifests_in(folder).is_empty()) {
            self.folder(folder, names);
            return Ok(());
        }
        let what = match dialect {
            Dialect::Native => "there is no hardpoint.toml in it",
            Dialect::Auto | Dialect::Cjm | Dialect::Forgesyte => {
                "there is no hardpoint.toml, no bin/python and no manifest (.json) in it"
            }
        };
        Err(Failure::request(
            format!("{shown} holds no plugin: {what}"),
            "name the folder of an environment or of a plugin, or a manifest: `hardpoint plugin add ./venv`",
        ))
    }

    /// Every manifest of a folder, by the names of the files; a name that was there before hides what comes later.
    fn folder(&mut self, folder: &Path, names: &mut Names) {
        for file in manifests_in(folder) {
            if let Err(failure) = self.manifest(&file, names) {
                self.told.push(Told::failed(&file, failure));
            }
        }
    }

    fn manifest(&mut self, file: &Path, names: &mut Names) -> Result<(), Failure> {
        let shown = file.display();
        let text = read_bounded(file, FILE_BYTES_MAX)
            .map_err(|e| Failure::request(format!("{shown} cannot be read: {e}"), "check the file"))?;
        if serde_json::from_str::<Value>(&text).is_ok_and(|value| cjm::Manifest::is_adapter(&value)) {
            return Err(Failure::request(
                format!("{shown} is the manifest of an adapter, which is no plugin"),
                "take an older release of its package, whose class has `execute` itself",
            ));
        }
        let manifest = cjm::Manifest::parse(&text).map_err(|mistakes| {
            let list: Vec<String> = mistakes.iter().map(|mistake| format!("\n  - {mistake}")).collect();
            Failure::request(
                format!("{shown} is no manifest that can be used:{}", list.concat()),
                format!("correct it, then look at it with `hardpoint plugin validate {shown}`"),
            )
        })?;
        if let Some(first) = names.get(manifest.name()) {
            self.told.push(Told::shadowed(file, manifest.name(), first));
            return Ok(());
        }
        names.insert(manifest.name().to_owned(), file.to_owned());
        self.sources.push(Source::Manifest { file: file.to_owned(), manifest: Box::new(manifest) });
        Ok(())
    }
}

fn manifests_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "json"))
        .take(MANIFESTS_MAX)
        .collect();
    files.sort();
    files
}
