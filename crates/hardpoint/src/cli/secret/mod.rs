//! `hardpoint secret set|list|delete|import`: what plugins are given and nobody is shown.
//!
//! Owns words. A server that runs on the data folder is asked, because it starts the plugin anew; without one the file
//! is changed right here. Must not know how it is sealed.

mod change;
mod list;
mod value;

use super::exit_code::Code;
use super::live::{Scene, Settle};
use super::terminal;
use crate::client::{Client, Kind};
use crate::embedded::Failure;
use clap::{Args, Subcommand};
use hardpoint_secrets::{Place, SecretStore, SecretsError};
use owo_colors::OwoColorize as _;
use serde_json::json;
use std::path::PathBuf;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A value is asked for without being shown, or read from stdin: never from the command line, where everybody on the \
machine can read it. It is kept sealed in the data folder and handed to the plugin's workers, in the environment \
variable of its name. A plugin that runs is started anew; its calls may finish.

Examples:
  hardpoint secret set ocr OCR_API_KEY
  pass show ocr | hardpoint secret set ocr OCR_API_KEY --stdin
  hardpoint secret list ocr
  hardpoint secret delete ocr OCR_API_KEY
  hardpoint secret import ~/.cjm/secrets/secrets.json")]
pub(super) enum Secret {
    /// Keep a value for a plugin
    Set(Set),
    /// The names of a plugin's secrets, and what it needs of them
    List(List),
    /// Forget a value
    Delete(Delete),
    /// Take over the plain secrets.json of another host
    Import(Import),
}

/// Whose secret.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// Name of the plugin; it need not be there yet
    plugin: String,
    /// Another set of values than the one that workers are given
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// A value to be kept.
#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    whose: Whose,
    /// Name of the variable
    #[arg(value_name = "KEY")]
    name: String,
    /// What does not belong here; taken so that no message quotes it
    #[arg(hide = true, value_name = "VALUE")]
    shown: Vec<String>,
    /// Read the value from stdin; one end of a line at its end is left out
    #[arg(long)]
    stdin: bool,
    /// Leave workers that run as they are
    #[arg(long)]
    no_restart: bool,
    #[command(flatten)]
    settle: Settle,
}

/// Whose names.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    whose: Whose,
}

/// A value that goes.
#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    whose: Whose,
    /// Name of the variable
    #[arg(value_name = "KEY")]
    name: String,
    /// Leave workers that run as they are
    #[arg(long)]
    no_restart: bool,
    #[command(flatten)]
    settle: Settle,
}

/// What is taken over.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file {"__default__": {"PLUGIN": {"KEY": "value"}}}
    file: PathBuf,
}

impl Whose {
    fn place(&self) -> Result<Place, Failure> {
        Place::new(self.scope.as_deref(), &self.plugin).map_err(|e| failure(&e))
    }
}

/// Who does what is asked.
enum Keeper {
    Server(Client),
    Here(SecretStore),
}

impl Keeper {
    fn find(scene: &Scene<'_>) -> Result<Self, Failure> {
        Ok(match scene.client_if_any()? {
            Some(client) => Self::Server(client),
            None => Self::Here(SecretStore::of(&scene.places.data)),
        })
    }
}

pub(super) async fn run(secret: Secret, scene: Scene<'_>) -> Result<Code, Failure> {
    let done = match secret {
        Secret::Set(args) => change::set(args, scene).await,
        Secret::List(args) => list::run(&args, scene).await,
        Secret::Delete(args) => change::delete(&args, scene).await,
        Secret::Import(args) => import(&args, scene),
    };
    done.map_err(of_files)
}

/// A server whose secrets cannot be opened is there, and has the same trouble as one that is not asked.
fn of_files(mut failure: Failure) -> Failure {
    if let Failure::Refused(refused) = &mut failure
        && refused.code() == "store_unavailable"
    {
        refused.kind = Kind::Bug;
    }
    failure
}

fn import(args: &Import, scene: Scene<'_>) -> Result<Code, Failure> {
    if scene.shared.server.is_some() {
        let hint = "leave `--server` out, and name the data folder with `--data-dir DIR`";
        return Err(Failure::request("secrets are imported into a data folder, not by a server", hint));
    }
    let store = SecretStore::of(&scene.places.data);
    let count = store.import(&args.file).map_err(|e| failure(&e))?;
    if scene.shared.json {
        terminal::print_json(&json!({"ok": true, "imported": count}))?;
    } else {
        terminal::print(format!("{count} secrets are kept now"))?;
        let file = args.file.display();
        terminal::say(format!(
            "{} {file} still holds them for everybody who can read it",
            "hint:".cyan().bold()
        ));
    }
    Ok(Code::Ok)
}

/// What is wrong with a secret, or with the files that hold them.
fn failure(error: &SecretsError) -> Failure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let (message, hint) = (format!("{error}{}", cause.unwrap_or_default()), error.hint());
    if error.is_of_request() { Failure::request(message, hint) } else { Failure::Secrets { message, hint } }
}
