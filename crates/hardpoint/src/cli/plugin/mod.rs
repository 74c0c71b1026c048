//! `hardpoint plugin list|check|new`.

mod check;
mod list;
mod new;

use super::Shared;
use super::exit_code::Code;
use crate::embedded::{Failure, Places};
use clap::Subcommand;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// List the plugins of the plugins folder
    List,
    /// Check one plugin: manifest, environment, start, tools
    Check(check::Check),
    /// Make a new plugin that works
    New(new::New),
}

pub(super) async fn run(plugin: Plugin, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    match plugin {
        Plugin::List => list::run(shared, places),
        Plugin::Check(args) => check::run(args, shared, places).await,
        Plugin::New(args) => new::run(&args, shared, places),
    }
}
