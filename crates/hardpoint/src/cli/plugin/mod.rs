//! `hardpoint plugin …`: what is in a folder, and what a running server does with it.

mod add;
mod check;
mod list;
mod new;
mod validate;

use super::exit_code::Code;
use super::live::{self, Scene, Verb};
use crate::embedded::Failure;
use clap::Subcommand;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
list, check, add, validate and new work on files; all others ask a running server: the one that `--server URL` names, \
else that of HARDPOINT_SERVER, else the one that runs on this data folder, else the configured address. They use the \
token in HARDPOINT_TOKEN, else the local user's in the data folder.")]
pub(super) enum Plugin {
    /// List the plugins of the plugins folder; with --server those of a running server
    List(list::List),
    /// Check one plugin: manifest, environment, needs, import, and what its contract asks for
    Check(check::Check),
    /// Check that manifests are well formed, ours and those of other hosts
    Validate(validate::Validate),
    /// Add plugins that are installed in an environment, of other hosts too, or folders of plugins
    Add(add::Add),
    /// Make a new plugin that works
    New(new::New),
    /// State, signs of life and reasons of all plugins, or of one
    Health(live::Health),
    /// Everything about one plugin: health, tools, past
    Show(live::Show),
    /// What a plugin is configured with; sets and removes keys while it runs
    Config(live::PluginConfig),
    /// What a plugin printed and logged
    Logs(live::Logs),
    /// What the calls of a plugin used: processor, memory, time
    Usage(live::Usage),
    /// Start a plugin anew, whatever its state
    Restart(live::One),
    /// Start plugins that are not running, also those that are new in the folder; or one more instance of a plugin
    Load(live::Load),
    /// Stop plugins, or instances of them
    Unload(live::Unload),
    /// Let a plugin take calls
    Enable(live::One),
    /// Let a plugin take no more calls
    Disable(live::One),
    /// Let a plugin fetch what it needs for its calls
    Prefetch(live::One),
    /// Check that what a running host says about its plugins holds
    Audit(live::Audit),
}

impl Plugin {
    /// Whether `--server` means something to it.
    pub(super) fn asks_a_server(&self) -> bool {
        !matches!(self, Self::Add(_) | Self::Check(_) | Self::New(_) | Self::Validate(_))
    }
}

pub(super) async fn run(plugin: Plugin, scene: Scene<'_>) -> Result<Code, Failure> {
    let (shared, places) = (scene.shared, scene.places);
    match plugin {
        Plugin::List(args) if shared.server.is_some() && args.chooses() => Err(Failure::request(
            "a server does not know of which kind its plugins are",
            "leave `--server` out: `--role`, `--domain` and `--category` look at the plugins folder",
        )),
        Plugin::List(_) if shared.server.is_some() => live::health(live::Health::of_all(), scene).await,
        Plugin::List(args) => list::run(&args, shared, places),
        Plugin::Check(args) => check::run(args, shared, places).await,
        Plugin::Validate(args) => validate::run(args, shared),
        Plugin::Add(args) => add::run(args, shared, places).await,
        Plugin::New(args) => new::run(&args, shared, places),
        Plugin::Health(args) => live::health(args, scene).await,
        Plugin::Show(args) => live::show(args, scene).await,
        Plugin::Config(args) => live::config(args, scene).await,
        Plugin::Logs(args) => live::logs(args, scene).await,
        Plugin::Usage(args) => live::usage(args, scene).await,
        Plugin::Restart(args) => live::verb(Verb::Restart, args, scene).await,
        Plugin::Load(args) => live::load(args, scene).await,
        Plugin::Unload(args) => live::unload(args, scene).await,
        Plugin::Enable(args) => live::verb(Verb::Enable, args, scene).await,
        Plugin::Disable(args) => live::verb(Verb::Disable, args, scene).await,
        Plugin::Prefetch(args) => live::verb(Verb::Prefetch, args, scene).await,
        Plugin::Audit(args) => live::audit(args, scene).await,
    }
}
