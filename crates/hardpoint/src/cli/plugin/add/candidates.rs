//! Owns which plugins a source holds, asked of the environment's own Python where it is one.

use super::Dialect;
use super::sources::Source;
use crate::cli::progress::Progress;
use crate::embedded::{Failure, Host};
use crate::foreign::{Found, Registration, cjm, of_entry_point};
use hardpoint_model::manifest::normal_name;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A plugin that may be added.
pub(super) struct Candidate {
    pub(super) name: String,
    /// The path that was named, or the file that was found.
    pub(super) from: PathBuf,
    pub(super) dialect: String,
    pub(super) what: Result<What, Failure>,
}

impl Candidate {
    /// The word that chooses it among all.
    pub(super) fn choice(&self) -> &str {
        self.distribution().unwrap_or(&self.name)
    }

    fn goes_by(&self, wanted: &str) -> bool {
        let registered = match &self.what {
            Ok(What::Registration(registration)) => registration.name == wanted,
            Ok(What::Folder(_)) | Err(_) => false,
        };
        self.name == wanted || registered || self.distribution() == Some(wanted)
    }

    /// Where several packages have an entry point of this name.
    fn distribution(&self) -> Option<&str> {
        match &self.what {
            Ok(What::Registration(registration)) => Some(registration.entry.rsplit_once('@')?.1),
            Ok(What::Folder(_)) | Err(_) => None,
        }
    }
}

/// Those that somebody wants; all when nobody says which.
pub(super) fn only(candidates: Vec<Candidate>, wanted: &[String]) -> Result<Vec<Candidate>, Failure> {
    if let Some(unknown) = wanted.iter().find(|wanted| !candidates.iter().any(|one| one.goes_by(wanted))) {
        let names: Vec<String> = candidates.iter().map(|one| format!("`{}`", one.choice())).collect();
        return Err(Failure::request(
            format!("there is no plugin `{unknown}` among {}", names.join(", ")),
            "name one of these with `--only NAME`, or leave it out",
        ));
    }
    let is_wanted = |one: &Candidate| wanted.is_empty() || wanted.iter().any(|wanted| one.goes_by(wanted));
    Ok(candidates.into_iter().filter(is_wanted).collect())
}

pub(super) enum What {
    Folder(PathBuf),
    Registration(Box<Registration>),
}

pub(super) async fn of(source: Source, dialect: Dialect, host: &Host, progress: &Progress) -> Vec<Candidate> {
    let one = |from: PathBuf, name: String, dialect: &str, what| {
        vec![Candidate { name, from, dialect: dialect.to_owned(), what }]
    };
    match source {
        Source::Folder(folder) => {
            let name = folder.canonicalize().ok().and_then(|folder| Some(folder.file_name()?.to_owned()));
            let name = name.unwrap_or_default().to_string_lossy().into_owned();
            one(folder.clone(), name, "native", Ok(What::Folder(folder)))
        }
        Source::Manifest { file, manifest } => {
            let name = manifest.name().to_owned();
            let what = if dialect.takes("cjm") {
                Ok(What::Registration(Box::new(Registration::of_manifest(*manifest))))
            } else {
                let hint = "leave `--dialect` out, or say `--dialect cjm`";
                Err(Failure::request(format!("{} is a manifest of the dialect cjm", file.display()), hint))
            };
            one(file, name, "cjm", what)
        }
        Source::Environment { path, python } => {
            let place = Environment { path: &path, python: &python, host };
            progress.starting(&path.display().to_string(), "looking for plugins in it");
            match place.listed(dialect).await {
                Ok(found) => place.candidates(&found).await,
                Err(failure) => one(path.clone(), path.display().to_string(), "", Err(failure)),
            }
        }
    }
}

/// An environment that is asked.
struct Environment<'a> {
    path: &'a Path,
    python: &'a Path,
    host: &'a Host,
}

impl Environment<'_> {
    /// The plugins of the wanted dialects; never none.
    async fn listed(&self, dialect: Dialect) -> Result<Vec<Found>, Failure> {
        let shown = self.path.display();
        let answer = self.host.starter().installed(self.python).await.map_err(|silence| {
            Failure::request(
                format!("the environment {shown} cannot be asked for its plugins: its Python {silence}"),
                format!(
                    "try `{} -I -c 'import importlib.metadata'`; it has to be Python 3.9 or newer",
                    self.python.display()
                ),
            )
        })?;
        let all: Vec<Found> = answer
            .get("plugins")
            .and_then(|plugins| serde_json::from_value(plugins.clone()).ok())
            .unwrap_or_default();
        let (found, others): (Vec<Found>, Vec<Found>) =
            all.into_iter().partition(|found| dialect.takes(&found.dialect));
        if !found.is_empty() {
            return Ok(found);
        }
        if let Some(other) = others.first() {
            return Err(Failure::request(
                format!(
                    "the environment {shown} holds no plugin of this dialect, but `{}` of {}",
                    other.distribution, other.dialect
                ),
                "leave `--dialect` out",
            ));
        }
        Err(Failure::request(
            format!("the environment {shown} holds no plugin of another host"),
            format!(
                "install the plugin's package into it, for example `{} -m pip install PACKAGE`",
                self.python.display()
            ),
        ))
    }

    async fn candidates(&self, found: &[Found]) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for each in found {
            let name = each.entry_point.clone().unwrap_or_else(|| each.distribution.clone());
            let (from, dialect) = (self.path.to_owned(), each.dialect.clone());
            let twin = found.iter().find(|other| {
                other.dialect != each.dialect
                    && normal_name(&other.distribution) == normal_name(&each.distribution)
            });
            let what = match twin {
                Some(twin) => Err(claimed_twice(each, twin)),
                None => self.registration(each, found).await.map(|found| What::Registration(Box::new(found))),
            };
            candidates.push(Candidate { name, from, dialect, what });
        }
        candidates
    }

    async fn registration(&self, found: &Found, all: &[Found]) -> Result<Registration, Failure> {
        if found.entry_point.is_some() {
            let same = all
                .iter()
                .filter(|other| other.dialect == found.dialect && other.entry_point == found.entry_point);
            return Ok(of_entry_point(found, self.path, same.count() > 1));
        }
        let (manifest, warnings) = self.described(&found.distribution).await?;
        let mut registration = Registration::of_manifest(manifest);
        registration.warnings.extend(warnings);
        self.path.clone_into(&mut registration.environment);
        Ok(registration)
    }

    /// What the plugin's own code says of it.
    async fn described(&self, distribution: &str) -> Result<(cjm::Manifest, Vec<String>), Failure> {
        let failed = |why: String| {
            let hint = format!(
                "mend its package in {}, or write a manifest for it and add that: `hardpoint plugin add FILE.json`",
                self.path.display()
            );
            Failure::request(
                format!("`{distribution}` in {} cannot be described: {why}", self.path.display()),
                hint,
            )
        };
        let answer = self.host.starter().described(self.python, distribution).await;
        let answer = answer.map_err(|silence| failed(format!("its Python {silence}")))?;
        if let Some(error) = answer.get("error") {
            let text = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
            return Err(failed(format!("{}: {}", text("type"), text("message"))));
        }
        let manifest = answer.get("manifest").cloned().unwrap_or_default();
        let manifest = cjm::Manifest::of(manifest).map_err(|mistakes| failed(mistakes.join("; ")))?;
        let warnings = answer.get("warnings").and_then(Value::as_array).into_iter().flatten();
        Ok((manifest, warnings.filter_map(Value::as_str).map(str::to_owned).collect()))
    }
}

fn claimed_twice(one: &Found, other: &Found) -> Failure {
    Failure::request(
        format!("`{}` is a plugin of two dialects, {} and {}", one.distribution, one.dialect, other.dialect),
        format!("say which one: `--dialect {}` or `--dialect {}`", one.dialect, other.dialect),
    )
}
