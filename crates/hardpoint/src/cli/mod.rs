//! The command line: one file per verb, and what the verbs share.
//!
//! Owns words, options and exit codes. Must not start processes or read manifests itself: verbs ask
//! [`crate::embedded`].

mod answer;
mod call;
mod config;
mod db;
mod doctor;
mod exit_code;
mod fields;
mod files;
mod findings;
mod interrupt;
mod job;
mod live;
mod log;
mod log_lines;
mod pipeline;
mod plugin;
mod progress;
mod run;
mod secret;
mod serve;
mod show;
mod signature;
mod terminal;
mod token;
mod told;

use crate::configuration::{self, Wanted};
use crate::embedded::{Failure, Places};
use clap::{Args, Parser, Subcommand};
use exit_code::Code;
use hardpoint_model::config::{Flag, Loaded};
use live::Scene;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  hardpoint run examples/pipelines/faces.yaml --input image=@examples/data/astronaut.png
  hardpoint call faces detect image=@photo.png --json
  hardpoint plugin list
  hardpoint plugin new my-plugin
  hardpoint serve
  hardpoint plugin health
  hardpoint job submit faces detect image=@photo.png --wait
  hardpoint pipeline run faces --input image=@photo.png

Exit codes:
  0  it worked                      5  Hardpoint itself had trouble
  1  a tool failed, or was killed   6  no server answers, or it takes no requests
  2  the request was wrong          130  interrupted with Ctrl-C
  3  an environment could not be built
  4  a plugin could not be started, or takes no calls";

/// A crash-proof host for plugins: every plugin in its own supervised worker process.
#[derive(Debug, Parser)]
#[command(name = "hardpoint", version, about, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Shared {
    /// Folder whose sub-folders are plugins [default: `examples/plugins` here if it is there, else `plugins` here]
    #[arg(long, global = true, value_name = "DIR")]
    plugins_dir: Option<String>,
    /// Folder for environments and other data [default: the user's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Configuration: .yaml, .toml or .json [default: hardpoint.yaml here if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "HARDPOINT_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Ask a running server [default: `HARDPOINT_SERVER`, else the one on this data folder, else the configured address]
    #[arg(long, global = true, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    server: Option<String>,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    /// Show what plugins print and log (twice: what Hardpoint does, too)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a pipeline: a YAML or JSON file that lists stages
    Run(run::Run),
    /// Call one tool of one plugin
    Call(call::Call),
    /// Run the host as a server, with every plugin of the plugins folder
    Serve(serve::Serve),
    /// Show and check the configuration
    #[command(subcommand)]
    Config(config::Config),
    Doctor(doctor::Doctor),
    /// Let others ask the server of this data folder
    #[command(subcommand)]
    Token(token::Token),
    /// What plugins are given and nobody is shown: keys, passwords
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Plugins of the folder, and of a running server
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Durable work of a running server
    #[command(subcommand)]
    Job(job::Job),
    /// Pipelines that a running server keeps
    #[command(subcommand)]
    Pipeline(pipeline::Pipeline),
    /// Check and copy the database of the data folder
    #[command(subcommand)]
    Db(db::Db),
}

impl Verb {
    /// Whether `--server` means something to it.
    fn asks_a_server(&self) -> bool {
        match self {
            Self::Run(_) | Self::Call(_) | Self::Job(_) | Self::Pipeline(_) | Self::Secret(_) => true,
            Self::Plugin(plugin) => plugin.asks_a_server(),
            Self::Serve(_) | Self::Config(_) | Self::Doctor(_) | Self::Token(_) | Self::Db(_) => false,
        }
    }
}

/// Reads the command line. What is wrong with it is told as everything else: with `--json` as JSON.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse_from(joined(std::env::args_os())).map_err(|error| {
        let wants_json = std::env::args_os().any(|arg| arg == "--json");
        if error.use_stderr() && wants_json {
            let failure = Failure::request(
                in_one_line(&error.to_string()),
                "`hardpoint --help` shows the commands and their options",
            );
            return report(&failure, true);
        }
        let _ = error.print();
        if error.use_stderr() { Code::Request.into() } else { Code::Ok.into() }
    })
}

/// What is wrong, without how the command is used: the names may stand in lines of their own.
fn in_one_line(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// `--server URL` as `--server=URL`. The address may be left out, and what then follows is the next argument;
/// only an address has a colon and no equals sign.
fn joined(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    for arg in args {
        let is_address = arg.to_str().is_some_and(|text| text.contains(':') && !text.contains('='));
        match joined.last_mut() {
            Some(last) if last == "--server" && is_address => {
                last.push("=");
                last.push(arg);
            }
            Some(_) | None => joined.push(arg),
        }
    }
    joined
}

/// Runs a verb and turns its end into an exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let Cli { shared, verb } = cli;
    match configured(verb, &shared) {
        Ok(code) => code.into(),
        Err(failure) => report(&failure, shared.json),
    }
}

fn configured(verb: Verb, shared: &Shared) -> Result<Code, Failure> {
    let loaded = configuration::read(wanted(&verb, shared))?;
    let threads = match &verb {
        Verb::Serve(_) => {
            log::for_server(&loaded)?;
            std::thread::available_parallelism().map_or(2, NonZero::get).max(2)
        }
        Verb::Run(_)
        | Verb::Call(_)
        | Verb::Config(_)
        | Verb::Doctor(_)
        | Verb::Token(_)
        | Verb::Secret(_)
        | Verb::Plugin(_)
        | Verb::Job(_)
        | Verb::Pipeline(_)
        | Verb::Db(_) => {
            log::for_command(&loaded)?;
            2
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::host("the runtime could not be started", &e))?;
    let ended = runtime.block_on(dispatch(verb, shared, &loaded));
    // Whatever still reads a pipe or a file must not hold up the exit.
    runtime.shutdown_background();
    ended
}

async fn dispatch(verb: Verb, shared: &Shared, loaded: &Loaded) -> Result<Code, Failure> {
    if shared.server.is_some() && !verb.asks_a_server() {
        return Err(Failure::request(
            "this command works without a server",
            "leave `--server` out; `run`, `call`, `plugin`, `job`, `pipeline` and `secret` ask servers",
        ));
    }
    let places = Places::of(&loaded.config)?;
    let scene = Scene { shared, config: &loaded.config, places: &places };
    match verb {
        Verb::Run(run) => run::run(run, scene).await,
        Verb::Call(call) => call::run(call, scene).await,
        Verb::Serve(_) => serve::run(shared, loaded, &places).await,
        Verb::Config(config) => config::run(&config, shared, loaded),
        Verb::Token(token) => token::run(token, shared, &places),
        Verb::Secret(secret) => secret::run(secret, scene).await,
        Verb::Doctor(doctor) => doctor::run(doctor, shared, &places).await,
        Verb::Plugin(plugin) => plugin::run(plugin, scene).await,
        Verb::Job(job) => job::run(job, scene).await,
        Verb::Pipeline(pipeline) => pipeline::run(pipeline, scene).await,
        Verb::Db(db) => db::run(&db, shared, &places),
    }
}

/// The options that are keys of the configuration, too.
fn wanted(verb: &Verb, shared: &Shared) -> Wanted {
    let flag = |option, key, text: Option<&String>| text.map(|text| Flag { option, key, text: text.clone() });
    let listen = match verb {
        Verb::Serve(serve) => flag("--listen", "listen", serve.listen()),
        Verb::Run(_)
        | Verb::Call(_)
        | Verb::Config(_)
        | Verb::Doctor(_)
        | Verb::Token(_)
        | Verb::Secret(_)
        | Verb::Plugin(_)
        | Verb::Job(_)
        | Verb::Pipeline(_)
        | Verb::Db(_) => None,
    };
    let log =
        (shared.verbose > 1).then(|| Flag { option: "-vv", key: "log", text: "hardpoint=debug".to_owned() });
    let folders = [
        flag("--plugins-dir", "plugins_dir", shared.plugins_dir.as_ref()),
        flag("--data-dir", "data_dir", shared.data_dir.as_ref()),
    ];
    Wanted {
        file: shared.config.clone(),
        flags: folders.into_iter().chain([listen, log]).flatten().collect(),
    }
}

/// A failure goes to stderr for people, and to stdout as the one JSON document for scripts.
fn report(failure: &Failure, json: bool) -> ExitCode {
    let code = Code::of(failure);
    if json {
        let _ = terminal::print_json(&failure.to_json());
        return code.into();
    }
    code.tell(&failure.to_string(), failure.hint().as_deref())
}

#[cfg(test)]
mod tests {
    use super::{Cli, in_one_line};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_names_of_missing_arguments_are_in_the_message_for_scripts() {
        let error = Cli::try_parse_from(["hardpoint", "run", "--json"]).unwrap_err();
        let message = in_one_line(&error.to_string());
        assert_eq!(message, "the following required arguments were not provided: <PIPELINE>");
    }

    #[test]
    fn no_two_options_of_a_command_share_a_name() {
        Cli::command().debug_assert();
    }
}
