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
use hardpoint_model::{Manifest, PluginEvent, PluginName};
use hardpoint_wire::Ready;
use place::{Target, Wish};
use sources::Sources;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
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
  4  a plugin does not start; it was added where its code could be imported, or something is only missing";

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
    /// Of several plugins, this one alone: its entry point, package or name; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
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
    let told = Mutex::new(Vec::new());
    let adding = Adding { host: &host, progress: &progress, places, args: &args, name, told: &told };
    let ended = unless_interrupted(Box::pin(adding.everything())).await;
    progress.clear();
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    let said = match ended {
        Outcome::Done(done) => done.and_then(|()| tell::all(&told, shared, args.dry_run)),
        Outcome::Interrupted => tell::interrupted(&told, shared, args.dry_run),
    };
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
    /// What has become of each so far: it is told also when the rest is interrupted.
    told: &'a Mutex<Vec<Told>>,
}

impl Adding<'_> {
    async fn everything(&self) -> Result<(), Failure> {
        let Sources { sources, told } =
            sources::find(&self.args.paths, self.args.dialect, &self.places.data)?;
        for each in told {
            self.is_told(each);
        }
        let mut candidates = Vec::new();
        for source in sources {
            candidates.extend(candidates::of(source, self.args.dialect, self.host, self.progress).await);
        }
        let candidates = candidates::only(candidates, &self.args.only)?;
        let several = candidates.iter().filter(|candidate| candidate.what.is_ok()).count() > 1;
        if several && self.name.is_some() {
            let names: Vec<String> =
                candidates.iter().map(|candidate| format!("`{}`", candidate.name)).collect();
            return Err(Failure::request(
                format!("`--name` is for one plugin, and here are {}", names.join(", ")),
                "leave it out, or choose one of them with `--only NAME`",
            ));
        }
        for candidate in candidates {
            let told = self.one(candidate, several).await;
            self.is_told(told);
        }
        Ok(())
    }

    fn is_told(&self, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    async fn one(&self, candidate: Candidate, several: bool) -> Told {
        let wish = Wish {
            name: self.name.clone(),
            rename: if several {
                format!("--only {} --name NAME", candidate.choice())
            } else {
                "--name NAME".to_owned()
            },
            force: self.args.force,
        };
        let Candidate { name, from, dialect, what } = candidate;
        let added = match what {
            Ok(candidates::What::Folder(folder)) => Box::pin(self.link(folder)).await,
            Ok(candidates::What::Registration(registration)) => {
                Box::pin(self.write(*registration, wish)).await
            }
            Err(failure) => Err(failure),
        };
        Told { name, from, dialect, added }
    }

    /// A plugin of another host: its manifest here is written beside, tried, and put into its place.
    async fn write(&self, registration: Registration, wish: Wish) -> Result<tell::Added, Failure> {
        let mut target = Target::find(&registration, wish, self.places)?;
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
        let (dir, how) = draft.place(&target, self.args.dry_run)?;
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
        if let Ok(manifest) = &installed.manifest {
            self.progress.trying(name, manifest.limits.startup_seconds.as_duration());
        }
        let started = self.host.start_installed(installed, &|event| self.progress.host(event)).await;
        if let Ok(manifest) = &installed.manifest {
            self.progress.ended(manifest.name.as_str());
        }
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

/// Whether what the manifest names is not there, or no plugin: its worker ended before it could say what the plugin is,
/// however it ended, and not because something was missing.
fn is_no_plugin(failure: &Failure) -> bool {
    match failure {
        Failure::Diagnostics(_) => true,
        Failure::NotStarted { error, .. } => match &**error {
            StartError::Worker(failure) => failure.announced.is_none() && error.event() == PluginEvent::Broke,
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
