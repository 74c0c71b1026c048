//! `hardpoint plugin check PLUGIN|PATH`: everything that can be known of a plugin without calling a tool.
//!
//! Owns the order of the report: manifest, environment, needs, import, and what its contract asks for.

use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, STOP_GRACE, stop, unless_interrupted};
use crate::cli::plugin::add::foreign_in;
use crate::cli::progress::Progress;
use crate::cli::signature::described;
use crate::cli::{Shared, findings, terminal};
use crate::embedded::{Failure, Host, Installed, Places, StartError};
use crate::foreign::contract::{self, Subject};
use clap::Args;
use hardpoint_engine::probe::doctor::{Finding, Level};
use hardpoint_model::Manifest;
use hardpoint_supervisor::Worker;
use hardpoint_wire::Ready;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long the worker may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// One check.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Name of the plugin, or its folder
    plugin: String,
}

pub(in crate::cli) async fn run(args: Check, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let is_path = args.plugin.contains('/') || args.plugin == ".";
    let host = if is_path { Host::without_plugins(places)? } else { Host::open(places)? };
    let installed = if is_path { of_path(&args.plugin)? } else { host.find(&args.plugin)?.clone() };
    let progress = Progress::new(shared.json, shared.verbose > 0);
    let checked = unless_interrupted(async {
        let worker = host.start_installed(&installed, &|event| progress.host(event)).await?;
        let pong = worker.ping(PING_TIMEOUT).await;
        progress.output(installed.name(), worker.output());
        Ok::<_, Failure>((worker, pong.is_some()))
    })
    .await;
    progress.clear();
    let said = match checked {
        Outcome::Done(Ok((worker, answers))) => tell(&installed, &worker, answers, shared.json),
        Outcome::Done(Err(failure)) => tell_failure(&installed, failure, shared.json),
        Outcome::Interrupted => Err(Failure::Interrupted),
    };
    stop(host.stop(STOP_GRACE)).await;
    said
}

fn of_path(path: &str) -> Result<Installed, Failure> {
    let dir = Path::new(path).canonicalize().ok().filter(|dir| dir.join("hardpoint.toml").exists());
    let dir = dir.ok_or_else(|| {
        Failure::request(
            format!("{path} is no folder with a hardpoint.toml"),
            "name a plugin of the plugins folder, or the folder of one; `hardpoint plugin add` takes environments",
        )
    })?;
    let installed = Installed::read(dir);
    match &installed.manifest {
        Ok(_) => Ok(installed),
        Err(diagnostics) => Err(Failure::Diagnostics(diagnostics.clone())),
    }
}

fn tell(installed: &Installed, worker: &Worker, answers: bool, json: bool) -> Result<Code, Failure> {
    let ready = &contract::said(worker);
    let findings = of_worker(installed, ready, answers);
    let is_well = findings.iter().all(|finding| finding.level < Level::Problem);
    let code = if is_well { Code::Ok } else { Code::Start };
    if json {
        let tools: Vec<Value> = worker.tools().iter().map(|tool| json!(tool.info)).collect();
        terminal::print_json(&json!({"ok": is_well, "plugin": ready.plugin, "python": ready.python,
            "sdk": ready.sdk, "protocol": ready.protocol, "import_ms": ready.import_ms,
            "answers_ping": answers, "tools": tools, "findings": findings}))?;
        return Ok(code);
    }
    let (plugin, sdk) = (&ready.plugin, &ready.sdk);
    terminal::print(format!("\n{} {}  {}", plugin.name.bold(), plugin.version, plugin.description))?;
    let python = ready.python.as_deref().unwrap_or("none");
    let import_ms = ready.import_ms;
    terminal::print(format!("Python {python}, {} {}, imported in {import_ms:.0} ms", sdk.name, sdk.version))?;
    for tool in worker.tools().iter() {
        terminal::print(format!("\n{}", described(&tool.info)))?;
    }
    terminal::print("")?;
    findings::tell(&findings)?;
    Ok(code)
}

/// A plugin that is up.
fn of_worker(installed: &Installed, ready: &Ready, answers: bool) -> Vec<Finding> {
    let Ok(manifest) = &installed.manifest else { return Vec::new() };
    let python = ready.python.as_deref().unwrap_or("none");
    let import_ms = ready.import_ms;
    let mut found = vec![
        of_manifest(manifest),
        Finding::ok("environment", format!("Python {python}{}", of_environment(manifest))),
        Finding::ok("needs", "nothing that it declares is missing"),
        Finding::ok("import", format!("`{}` in {import_ms:.0} ms", manifest.entry)),
    ];
    let subject = Subject { manifest, ready, foreign: foreign_in(&installed.dir) };
    found.extend(contract::findings(&subject));
    found.push(if answers {
        Finding::ok("answers", "it answers while it is idle")
    } else {
        let seconds = PING_TIMEOUT.as_secs();
        let remedy = "look for code of the plugin that never ends and never lets other threads run";
        Finding::problem("answers", format!("it did not answer a ping within {seconds} s"), remedy)
    });
    found
}

fn of_manifest(manifest: &Manifest) -> Finding {
    Finding::ok("manifest", format!("{} {}, dialect {}", manifest.name, manifest.version, manifest.dialect))
}

fn of_environment(manifest: &Manifest) -> String {
    let given = manifest.python.environment.as_ref();
    given.map_or_else(|| ", an environment of its own".to_owned(), |given| format!(" of {given}"))
}

/// What was well before the start failed, and where it did.
fn tell_failure(installed: &Installed, failure: Failure, json: bool) -> Result<Code, Failure> {
    let Ok(manifest) = &installed.manifest else { return Err(failure) };
    let mut found = vec![of_manifest(manifest)];
    let Failure::NotStarted { error, .. } = &failure else { return Err(failure) };
    let remedy = failure.hint().unwrap_or_default();
    let environment = || Finding::ok("environment", format!("it can be used{}", of_environment(manifest)));
    match &**error {
        StartError::Lock(diagnostics) => {
            found.push(Finding::problem("environment", diagnostics.to_string(), remedy));
        }
        StartError::Secrets(error) => {
            found.push(environment());
            found.push(Finding::problem("secrets", error.to_string(), remedy));
        }
        StartError::Environment(error) => {
            found.push(Finding::problem("environment", error.to_string(), remedy));
        }
        StartError::Missing(missing) => found.extend(
            missing
                .iter()
                .map(|missing| Finding::problem("needs", missing.what.clone(), missing.hint.clone())),
        ),
        StartError::Worker(worker) => {
            found.push(environment());
            found.push(Finding::ok("needs", "nothing that it declares is missing"));
            let is_import = worker.announced.is_none();
            if !is_import {
                found.push(Finding::ok("import", format!("`{}`", manifest.entry)));
            }
            let section = if is_import { "import" } else { "initialize" };
            found.push(Finding::problem(section, worker.error.message.clone(), remedy));
        }
    }
    let code = Code::of(&failure);
    if json {
        let mut document = failure.to_json();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("findings".to_owned(), json!(found));
        }
        terminal::print_json(&document)?;
        return Ok(code);
    }
    // Beside the error that it explains.
    findings::lines(&found).into_iter().for_each(terminal::say);
    Err(failure)
}
