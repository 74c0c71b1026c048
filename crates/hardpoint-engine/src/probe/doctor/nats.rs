//! `nats-server`, which only a managed message bus needs.

use super::Finding;
use crate::probe::ask::{Question, ask, quote};
use crate::probe::limits::VERSION_LIMIT;
use crate::probe::programs;
use hardpoint_process::{Launcher, Status};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Names the program, else `PATH` is searched.
const VARIABLE: &str = "NATS_SERVER_BIN";
const OLDEST: (u64, u64) = (2, 10);

#[derive(Debug, Clone, Serialize)]
pub(super) struct Facts {
    path: Option<PathBuf>,
    /// Whether the variable names it.
    named: bool,
    /// `2.10.7`, or why it did not say.
    version: Option<Result<String, String>>,
}

pub(super) async fn facts(launcher: &Launcher) -> Facts {
    let named = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from);
    let path = named.clone().or_else(|| programs::on_path("nats-server"));
    let version = match &path {
        None => None,
        Some(path) if !programs::is_program(path) => Some(Err("is no program".to_owned())),
        Some(path) => Some(version(path.clone(), launcher).await),
    };
    Facts { path, named: named.is_some(), version }
}

async fn version(path: PathBuf, launcher: &Launcher) -> Result<String, String> {
    let question = Question {
        title: "nats-server".to_owned(),
        program: std::path::absolute(&path).unwrap_or(path),
        args: vec!["--version".to_owned()],
        env: BTreeMap::new(),
        cwd: PathBuf::from("/"),
        limit: VERSION_LIMIT,
    };
    let reply = ask(question, launcher).await.map_err(|silence| silence.to_string())?;
    let version = reply.stdout.trim().rsplit([' ', ':']).next().unwrap_or_default().trim_start_matches('v');
    match reply.status {
        Status::Code(0) if number(version).is_some() => Ok(version.to_owned()),
        Status::Code(0) => Err(format!("says `{}` when it is asked for its version", quote(&reply.stdout))),
        _ => Err(reply.ending()),
    }
}

/// `2.10.7` as (2, 10).
fn number(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

pub(super) fn finding(facts: &Facts) -> Finding {
    const NAME: &str = "nats-server";
    let path = facts.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let remedy = if facts.named {
        "name a nats-server of version 2.10 or newer in NATS_SERVER_BIN, or unset it"
    } else {
        "install nats-server 2.10 or newer (https://github.com/nats-io/nats-server/releases) on PATH, or name \
         it in NATS_SERVER_BIN"
    };
    let found = match &facts.version {
        None => Finding::warning(
            NAME,
            "not there; plugins that need a message bus can only use one that runs elsewhere",
            remedy,
        ),
        Some(Err(why)) => Finding::warning(NAME, format!("{path} {why}"), remedy),
        Some(Ok(version)) if number(version) < Some(OLDEST) => {
            Finding::warning(NAME, format!("{path} has version {version}, 2.10 or newer is needed"), remedy)
        }
        Some(Ok(version)) => Finding::ok(NAME, format!("nats-server {version} at {path}")),
    };
    found.with(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    #[test]
    fn only_a_bus_that_is_new_enough_is_good() {
        let check = |version: Option<Result<&str, &str>>, level, words: &str| {
            let version = version.map(|v| v.map(str::to_owned).map_err(str::to_owned));
            let found = finding(&Facts { path: Some("/n".into()), named: false, version });
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{found:?}");
        };
        check(None, Level::Warning, "not there");
        check(Some(Ok("2.10.0")), Level::Ok, "nats-server 2.10.0 at /n");
        check(Some(Ok("2.9.25")), Level::Warning, "/n has version 2.9.25, 2.10 or newer is needed");
        check(Some(Ok("3.0.0-beta")), Level::Ok, "3.0.0-beta");
        check(Some(Err("is no program")), Level::Warning, "/n is no program");
    }
}
