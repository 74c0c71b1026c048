//! `hardpoint plugin add [PATH]...`: plugins that are installed somewhere become plugins of this host.
//!
//! Owns the order of the steps for one plugin. A plugin is added whole or not at all; each is told apart.
//!
//! ```text
//! PATH ── sources ──> folder | environment | manifest ── candidates ──> what it will be
//!   ── place: written beside ──> tried once ──> one rename ──> told
//! ```

mod candidates;
mod draft;
mod link;
mod place;
mod sources;
mod tell;

pub(super) use draft::foreign_in;

use crate::cli::Shared;
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, STOP_GRACE, stop, unless_interrupted};
use crate::cli::progress::Progress;
use crate::embedded::{Failure, Host, Installed, Places, StartError};
use crate::foreign::Registration;
use crate::foreign::contract::{Subject, findings, said};
use candidates::Candidate;
use clap::{Args, ValueEnum};
use hardpoint_engine::probe::doctor::Finding;
use hardpoint_model::{Manifest, PluginName};
use hardpoint_wire::Ready;
use place::Target;
use sources::Sources;
use std::path::PathBuf;
use tell::Told;

const AFTER: &str = "\
PATH is an environment (its folder or its interpreter), the folder of a plugin with a hardpoint.toml, a manifest of another
host (.json), or a folder of them. Without PATH the manifests in ./.cjm/manifests and in the data folder's manifests/ are
added. A plugin that was added before is refreshed; what was changed by hand in its hardpoint.toml stays.

Examples:
  hardpoint plugin add ./venv
  hardpoint plugin add ./venv --dry-run --json
  hardpoint plugin add .cjm/manifests/cjm-graph-plugin-sqlite.json
  hardpoint plugin add ../my-plugin

Exit codes:
  0  everything was added and starts
  2  a path holds no plugin, a manifest has mistakes, or a name is taken
  3  an environment cannot be used
  4  a plugin does not start; where something is only missing it was added";

/// Plugins to add.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Add {
    /// Environments, folders of plugins, manifests [default: the manifests in the search paths]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The contract the code is written for
    #[arg(long, value_enum, default_value_t = Dialect::Auto)]
    dialect: Dialect,
    /// What the plugin is called here, where PATH holds one alone
    #[arg(long)]
    name: Option<String>,
    /// Try everything and write nothing into the plugins folder
    #[arg(long)]
    dry_run: bool,
    /// Take the place of another plugin that was added, and add what does not start
    #[arg(long)]
    force: bool,
}

/// Which contracts are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    Auto,
    Native,
    Cjm,
    Forgesyte,
}

impl Dialect {
    fn takes(self, dialect: &str) -> bool {
        match self {
            Self::Auto => true,
            Self::Native => dialect == "native",
            Self::Cjm => dialect == "cjm",
            Self::Forgesyte => dialect == "forgesyte",
        }
    }
}

/// How an attempt to start the plugin once went.
pub(super) enum Tried {
    Up(Box<Ready>, Vec<Finding>),
    Down(Failure),
}

pub(in crate::cli) async fn run(args: Add, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let name = args.name.as_deref().map(crate::cli::plugin::new::check_name).transpose()?;
    let host = Host::without_plugins(places)?;
    let progress = Progress::new(shared.json, shared.verbose > 0);
    let adding = Adding { host: &host, progress: &progress, places, args: &args, name };
    let told = match unless_interrupted(Box::pin(adding.everything())).await {
        Outcome::Done(told) => told,
        Outcome::Interrupted => Err(Failure::Interrupted),
    };
    progress.clear();
    let said = told.and_then(|told| tell::all(&told, shared, args.dry_run));
    stop(host.stop(STOP_GRACE)).await;
    said
}

/// What one command has at hand.
struct Adding<'a> {
    host: &'a Host,
    progress: &'a Progress,
    places: &'a Places,
    args: &'a Add,
    name: Option<PluginName>,
}

impl Adding<'_> {
    async fn everything(&self) -> Result<Vec<Told>, Failure> {
        let Sources { sources, mut told } =
            sources::find(&self.args.paths, self.args.dialect, &self.places.data)?;
        let mut candidates = Vec::new();
        for source in sources {
            candidates.extend(candidates::of(source, self.args.dialect, self.host, self.progress).await);
        }
        let several = candidates.iter().filter(|candidate| candidate.what.is_ok()).count() > 1;
        if several && self.name.is_some() {
            let names: Vec<String> =
                candidates.iter().map(|candidate| format!("`{}`", candidate.name)).collect();
            return Err(Failure::request(
                format!("`--name` is for one plugin, and here are {}", names.join(", ")),
                "leave it out, or name the manifest of one alone",
            ));
        }
        for candidate in candidates {
            told.push(self.one(candidate).await);
        }
        Ok(told)
    }

    async fn one(&self, candidate: Candidate) -> Told {
        let Candidate { name, from, dialect, what } = candidate;
        let added = match what {
            Ok(candidates::What::Folder(folder)) => Box::pin(self.link(folder)).await,
            Ok(candidates::What::Registration(registration)) => Box::pin(self.write(*registration)).await,
            Err(failure) => Err(failure),
        };
        Told { name, from, dialect, added }
    }

    /// A plugin of another host: its manifest here is written beside, tried, and put into its place.
    async fn write(&self, registration: Registration) -> Result<tell::Added, Failure> {
        let mut target = Target::find(&registration, self.name.clone(), self.places, self.args.force)?;
        let draft = target.draft(&registration, self.places, self.args.dry_run)?;
        let installed = draft.installed();
        let mut tried = self.tried(&installed, &registration.name).await?;
        if registration.name_is_a_guess
            && self.name.is_none()
            && let Tried::Up(ready, _) = &tried
        {
            target.knows_better(&ready.plugin.name);
        }
        tried.look(&installed, target.name());
        let (dir, how) = draft.place(&target, self.args.force, self.args.dry_run)?;
        Ok(tell::Added { name: target.name().clone(), dir, how, tried, warnings: registration.warnings })
    }

    /// A folder of this host's own plugins: a link to it.
    async fn link(&self, folder: PathBuf) -> Result<tell::Added, Failure> {
        let link = link::Link::to(&folder, self.places)?;
        if self.name.as_ref().is_some_and(|name| name != link.name()) {
            return Err(Failure::request(
                format!("the plugin in {} is called `{}`", folder.display(), link.name()),
                "change `name` in its hardpoint.toml instead of giving `--name`",
            ));
        }
        let installed = link.installed();
        let mut tried = self.tried(&installed, link.name().as_str()).await?;
        tried.look(&installed, link.name());
        let (dir, how) = link.place(self.args.force, self.args.dry_run)?;
        Ok(tell::Added { name: link.name().clone(), dir, how, tried, warnings: Vec::new() })
    }

    /// Starts the plugin once. What can be mended where it is may be added all the same; what is no plugin may not.
    async fn tried(&self, installed: &Installed, name: &str) -> Result<Tried, Failure> {
        let started = self.host.start_installed(installed, &|event| self.progress.host(event)).await;
        match started {
            Ok(worker) => {
                self.progress.output(name, worker.output());
                worker.stop(STOP_GRACE).await;
                Ok(Tried::Up(Box::new(said(&worker)), Vec::new()))
            }
            Err(failure) if !self.args.force && is_no_plugin(&failure) => Err(failure),
            Err(failure) => Ok(Tried::Down(failure)),
        }
    }
}

impl Tried {
    /// Adds what its contract has to say about a plugin that came up, by the name that it will have.
    fn look(&mut self, installed: &Installed, name: &PluginName) {
        if let (Self::Up(ready, found), Ok(manifest)) = (self, &installed.manifest) {
            let manifest = Manifest { name: name.clone(), ..manifest.clone() };
            *found = findings(&Subject { manifest: &manifest, ready, foreign: foreign_in(&installed.dir) });
        }
    }
}

/// Whether what the manifest names is not there, or no plugin: the words of an import that failed.
fn is_no_plugin(failure: &Failure) -> bool {
    const IMPORT: [&str; 4] = ["ModuleNotFoundError", "ImportError", "AttributeError", "ToolError"];
    match failure {
        Failure::Diagnostics(_) => true,
        Failure::NotStarted { error, .. } => match &**error {
            StartError::Worker(failure) => {
                IMPORT.contains(&failure.error.error_type.as_str())
                    && failure.error.message.contains("failed while importing")
            }
            StartError::Lock(_) => true,
            StartError::Missing(_) | StartError::Environment(_) | StartError::Secrets(_) => false,
        },
        Failure::Request { .. }
        | Failure::Mistakes(_)
        | Failure::Environment(_)
        | Failure::Unreachable { .. }
        | Failure::Refused(_)
        | Failure::Store(_)
        | Failure::Host { .. }
        | Failure::Secrets { .. }
        | Failure::Interrupted => true,
    }
}
