//! The command line: one file per verb, and what the verbs share.
//!
//! Owns words, options and exit codes. Must not start processes or read manifests itself: verbs ask
//! [`crate::embedded`].

mod call;
mod exit_code;
mod fields;
mod files;
mod interrupt;
mod plugin;
mod progress;
mod run;
mod serve;
mod show;
mod terminal;
mod told;

use crate::embedded::{Failure, Places};
use clap::{Args, Parser, Subcommand};
use exit_code::Code;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  hardpoint run examples/pipelines/faces.yaml --input image=@examples/data/astronaut.png
  hardpoint call faces detect image=@photo.png --json
  hardpoint plugin list
  hardpoint plugin new my-plugin

Exit codes:
  0  it worked                      4  a plugin could not be started
  1  a tool failed, or was killed   5  Hardpoint itself had trouble
  2  the request was wrong          130  interrupted with Ctrl-C
  3  an environment could not be built";

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
    #[arg(long, global = true, value_name = "DIR", env = "HARDPOINT_PLUGINS_DIR")]
    plugins_dir: Option<PathBuf>,
    /// Folder for environments and other data [default: the user's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "HARDPOINT_DATA_DIR")]
    data_dir: Option<PathBuf>,
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
    /// List, check and make plugins
    #[command(subcommand)]
    Plugin(plugin::Plugin),
}

/// Reads the command line. What is wrong with it is told as everything else: with `--json` as JSON.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let wants_json = std::env::args_os().any(|arg| arg == "--json");
        if error.use_stderr() && wants_json {
            let text = error.to_string();
            let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
            let failure =
                Failure::request(message, "`hardpoint --help` shows the commands and their options");
            return report(&failure, true);
        }
        let _ = error.print();
        if error.use_stderr() { Code::Request.into() } else { Code::Ok.into() }
    })
}

/// Runs a verb in a runtime of its own and turns its end into an exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    start_logging(match (&cli.verb, cli.shared.verbose) {
        (_, 2..) => "hardpoint=debug",
        (Verb::Serve(_), _) => "info",
        (_, 0..2) => "off",
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return Code::Host.tell(&format!("the runtime could not be started: {e}"), None),
    };
    let Cli { shared, verb } = cli;
    let json = shared.json;
    let ended = runtime.block_on(async {
        let places = Places::find(shared.plugins_dir.clone(), shared.data_dir.clone())?;
        match verb {
            Verb::Run(run) => run::run(run, &shared, &places).await,
            Verb::Call(call) => call::run(call, &shared, &places).await,
            Verb::Serve(serve) => serve::run(serve, &shared, &places).await,
            Verb::Plugin(plugin) => plugin::run(plugin, &shared, &places).await,
        }
    });
    // Whatever still reads a pipe or a file must not hold up the exit.
    runtime.shutdown_background();
    match ended {
        Ok(code) => code.into(),
        Err(failure) => report(&failure, json),
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

fn start_logging(default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("HARDPOINT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}
