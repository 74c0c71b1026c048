//! `hardpoint doctor`: what this machine has for plugins, and what to do about the rest.
//!
//! Owns the choice of what is looked at, and the printing. The findings are the engine's.

use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::{Shared, findings, terminal};
use crate::embedded::{Catalog, Failure, Places};
use clap::Args;
use hardpoint_engine::Starter;
use hardpoint_engine::probe;
use hardpoint_engine::probe::doctor::{self, Finding, Level};
use hardpoint_process::{Launcher, MemoryMode};
use serde_json::json;

const AFTER: &str = "\
Nothing is installed or built to find out.

Exit codes:
  0  nothing is a problem; warnings may be there
  1  something is a problem
  2  a named plugin does not exist";

/// Look at this machine, and at what plugins need of it.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Doctor {
    /// Plugins whose needs are looked at, too
    #[arg(value_name = "PLUGIN")]
    named: Vec<String>,
    /// Look at the needs of every plugin
    #[arg(long)]
    plugins: bool,
}

pub(in crate::cli) async fn run(args: Doctor, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let findings = match unless_interrupted(Box::pin(examine(&args, places))).await {
        Outcome::Done(findings) => findings?,
        Outcome::Interrupted => return Err(Failure::Interrupted),
    };
    let is_well = findings.iter().all(|finding| finding.level < Level::Problem);
    if shared.json {
        terminal::print_json(&json!({"ok": is_well, "findings": findings}))?;
    } else {
        findings::tell(&findings)?;
    }
    Ok(if is_well { Code::Ok } else { Code::Tool })
}

/// What starts processes, in the data folder if that is of any use.
enum Hands {
    Usual(Box<Starter>),
    /// With a scratch folder that is removed with it.
    Makeshift {
        launcher: Launcher,
        _scratch: tempfile::TempDir,
    },
}

impl Hands {
    /// The data folder is only made for plugins: their environments lie in it.
    fn find(args: &Doctor, places: &Places) -> Result<Self, Failure> {
        if (args.plugins || !args.named.is_empty() || places.data.join("envs").is_dir())
            && let Ok(starter) = Starter::open(&places.data)
        {
            return Ok(Self::Usual(Box::new(starter)));
        }
        let failed = |e: &std::io::Error| Failure::host("no process can be started", e);
        let scratch = tempfile::Builder::new().prefix("hardpoint-doctor-").tempdir();
        let scratch = scratch.map_err(|e| failed(&e))?;
        let launcher = Launcher::new("/proc/self/exe".into(), scratch.path(), MemoryMode::detect());
        Ok(Self::Makeshift { launcher: launcher.map_err(|e| failed(&e))?, _scratch: scratch })
    }

    fn launcher(&self) -> &Launcher {
        match self {
            Self::Usual(starter) => starter.launcher(),
            Self::Makeshift { launcher, .. } => launcher,
        }
    }
}

async fn examine(args: &Doctor, places: &Places) -> Result<Vec<Finding>, Failure> {
    let catalog = Catalog::read(&places.plugins).map_err(Failure::from);
    // A name that is wrong is told before the seconds that the rest takes.
    for name in &args.named {
        match &catalog {
            Ok(catalog) => drop(catalog.find(name)?),
            Err(_) => return Err(catalog.err().unwrap_or(Failure::Interrupted)),
        }
    }
    let hands = Hands::find(args, places)?;
    let mut findings = doctor::machine(&places.data, hands.launcher()).await;
    match &catalog {
        Ok(catalog) => {
            findings.push(doctor::plugins(Ok(catalog)));
            findings.extend(look_at_plugins(args, catalog, &hands).await);
        }
        Err(failure) => {
            let (why, remedy) = (failure.to_string(), failure.hint().unwrap_or_default());
            findings.push(doctor::plugins(Err((&why, &remedy))));
        }
    }
    hands.launcher().all_gone().await;
    Ok(findings)
}

async fn look_at_plugins(args: &Doctor, catalog: &Catalog, hands: &Hands) -> Vec<Finding> {
    let mut findings = Vec::new();
    for installed in catalog.iter() {
        let Ok(manifest) = &installed.manifest else { continue };
        if !args.plugins && !args.named.iter().any(|name| name == manifest.name.as_str()) {
            continue;
        }
        let (missing, looked_inside) = match hands {
            Hands::Usual(starter) => starter.lacks(installed, manifest).await,
            Hands::Makeshift { launcher, .. } => {
                (probe::machine(manifest, &installed.dir, launcher).await, false)
            }
        };
        findings.push(doctor::plugin(manifest.name.as_str(), &missing, looked_inside));
    }
    findings
}
