//! `hardpoint plugin check NAME`: everything that can be known of a plugin without calling a tool.

use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, STOP_GRACE, stop, unless_interrupted};
use crate::cli::progress::Progress;
use crate::cli::signature::described;
use crate::cli::{Shared, terminal};
use crate::embedded::{Failure, Host, Places};
use clap::Args;
use hardpoint_supervisor::Worker;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the worker may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// One check.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Name of the plugin
    plugin: String,
}

pub(in crate::cli) async fn run(args: Check, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let host = Host::open(places)?;
    let progress = Progress::new(shared.json, shared.verbose > 0);
    let checked = unless_interrupted(async {
        let worker = host.start(&args.plugin, &|event| progress.host(event)).await?;
        let pong = worker.ping(PING_TIMEOUT).await;
        progress.output(&args.plugin, worker.output());
        Ok::<_, Failure>((worker, pong.is_some()))
    })
    .await;
    progress.clear();
    let said = match checked {
        Outcome::Done(Ok((worker, answers))) => {
            tell(&worker, answers, shared.json).map(|()| if answers { Code::Ok } else { Code::Start })
        }
        Outcome::Done(Err(failure)) => Err(failure),
        Outcome::Interrupted => Err(Failure::Interrupted),
    };
    stop(host.stop(STOP_GRACE)).await;
    said
}

fn tell(worker: &Worker, answers: bool, json: bool) -> Result<(), Failure> {
    let ready = worker.ready();
    if json {
        let tools: Vec<Value> = worker.tools().iter().map(|tool| json!(tool.info)).collect();
        return terminal::print_json(&json!({"ok": answers, "plugin": ready.plugin, "python": ready.python,
            "sdk": ready.sdk, "protocol": ready.protocol, "import_ms": ready.import_ms,
            "answers_ping": answers, "tools": tools}));
    }
    let (plugin, sdk) = (&ready.plugin, &ready.sdk);
    terminal::print(format!("\n{} {}  {}", plugin.name.bold(), plugin.version, plugin.description))?;
    let python = ready.python.as_deref().unwrap_or("none");
    let import_ms = ready.import_ms;
    terminal::print(format!("Python {python}, {} {}, imported in {import_ms:.0} ms", sdk.name, sdk.version))?;
    for tool in worker.tools().iter() {
        terminal::print(format!("\n{}", described(&tool.info)))?;
    }
    if !answers {
        let seconds = PING_TIMEOUT.as_secs();
        terminal::say(format!("\n{} it did not answer a ping within {seconds} s", "error:".red()));
    }
    Ok(())
}
