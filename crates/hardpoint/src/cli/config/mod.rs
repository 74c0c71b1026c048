//! `hardpoint config show|check|schema`.

mod check;
mod show;

use super::exit_code::Code;
use super::{Shared, terminal};
use crate::embedded::Failure;
use clap::Subcommand;
use hardpoint_model::config::{self, Loaded};

pub(super) use check::strangers;

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
The command line beats the environment, which beats the file, which beats the defaults. The file is hardpoint.yaml \
in the current folder, or the one named by `--config FILE` or HARDPOINT_CONFIG. `restart.policy` is set by \
HARDPOINT_RESTART__POLICY.

Examples:
  hardpoint config show --origin
  HARDPOINT_LISTEN=127.0.0.1:9000 hardpoint config show --origin
  hardpoint config check --config /etc/hardpoint.yaml
  hardpoint config schema > hardpoint.schema.json")]
pub(super) enum Config {
    /// Every key with its value
    Show(show::Show),
    /// Check file and environment, and whether the plugins that they name are there
    Check,
    /// The JSON Schema of the file, for editors
    Schema,
}

pub(super) fn run(verb: &Config, shared: &Shared, loaded: &Loaded) -> Result<Code, Failure> {
    match verb {
        Config::Show(args) => show::run(args, shared, loaded),
        Config::Check => check::run(shared, loaded),
        Config::Schema => terminal::print_json(&config::schema()).map(|()| Code::Ok),
    }
}
