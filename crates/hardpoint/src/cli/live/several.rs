//! `hardpoint plugin load|unload NAME…`: one plugin as with every verb, several at once, or one more instance of one.
//!
//! Owns how many are asked for at the same time, and how the results of several are told.

use super::verbs::{Settled, Verb, settled};
use super::{Scene, Settle, config, patiently};
use crate::cli::exit_code::Code;
use crate::cli::fields::Field;
use crate::cli::terminal;
use crate::client::Client;
use crate::embedded::Failure;
use clap::{ArgGroup, Args};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hardpoint_model::limits::CONCURRENCY_MAX;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Which plugins, or one more instance, and how long it may take.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("further").args(["instance", "new_instance"]))]
#[command(after_help = "\
It waits until each has settled, for at most --wait seconds; 0 does not wait. A further instance is used by its id wherever a
plugin is named; it is there until it is unloaded or the server ends.

Examples:
  hardpoint plugin load ocr
  hardpoint plugin load ocr faces speech --at-once 2
  hardpoint plugin load ocr --instance ocr-german --set language=deu
  hardpoint plugin load ocr --new-instance --max-concurrent 4 --json

Exit codes: 0 all are loaded; 2 a request was wrong; 4 one could not be started, or is not done in time; 6 no server answers.")]
pub(in crate::cli) struct Load {
    /// Names of plugins, or ids of instances
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Start one more instance of the plugin, with this id
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Start one more instance of each plugin, with an id that is made up
    #[arg(long)]
    new_instance: bool,
    /// Set a key of the configuration of the further instance
    #[arg(long, value_name = "KEY=VALUE", requires = "further")]
    set: Vec<Field>,
    /// How many calls the further instance runs at once, instead of what the manifest says
    #[arg(long, value_name = "N", requires = "further", value_parser = clap::value_parser!(u32).range(1..=i64::from(CONCURRENCY_MAX)))]
    max_concurrent: Option<u32>,
    #[command(flatten)]
    pace: Pace,
}

/// Which plugins, and how long it may take.
#[derive(Debug, Args)]
#[command(after_help = "\
It waits until each has ended, for at most --wait seconds; 0 does not wait. The default instance stays in the list, LOADED; a
further one is gone, and only its log stays.

Exit codes: 0 all are unloaded; 2 a name is unknown; 4 one is not done in time; 6 no server answers.")]
pub(in crate::cli) struct Unload {
    /// Names of plugins, or ids of instances
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    pace: Pace,
}

/// How many at once.
#[derive(Debug, Args)]
struct Pace {
    /// How many of several are asked for at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    at_once: u32,
    /// After a failure begin with no others
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    settle: Settle,
}

/// One thing to do.
struct Wanted {
    name: String,
    /// As it is called in the results when it has come to nothing.
    label: String,
    /// What one more instance is given.
    new: Option<Value>,
}

pub(in crate::cli) async fn load(args: Load, scene: Scene<'_>) -> Result<Code, Failure> {
    if args.instance.is_some() && args.names.len() > 1 {
        return Err(Failure::request(
            "one id is for one instance, and several plugins are named",
            "name one plugin, or let ids be made up: `--new-instance`",
        ));
    }
    let client = scene.client()?;
    let mut wanted = Vec::new();
    for (number, name) in args.names.iter().enumerate() {
        let new = if args.instance.is_some() || args.new_instance {
            Some(patiently(new_instance(&client, name, &args)).await?)
        } else {
            None
        };
        let label = match (&args.instance, args.new_instance) {
            (Some(id), _) => id.clone(),
            (None, true) => format!("{name}#new[{number}]"),
            (None, false) => name.clone(),
        };
        wanted.push(Wanted { name: name.clone(), label, new });
    }
    run(Verb::Load, wanted, &args.pace, &client, scene).await
}

pub(in crate::cli) async fn unload(args: Unload, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let names = args.names.into_iter();
    let wanted = names.map(|name| Wanted { label: name.clone(), name, new: None }).collect();
    run(Verb::Unload, wanted, &args.pace, &client, scene).await
}

/// The body of the request for one more instance: its values typed by the plugin's schema, where that is known.
async fn new_instance(client: &Client, plugin: &str, args: &Load) -> Result<Value, Failure> {
    let mut new = Map::new();
    if let Some(id) = &args.instance {
        new.insert("instance_id".to_owned(), json!(id));
    }
    if !args.set.is_empty() {
        // A plugin that is new in the folder has told nobody its schema.
        let shown = client.plugin_config(plugin).await.unwrap_or_default();
        let schema = shown.get("schema").cloned().unwrap_or_default();
        new.insert("config".to_owned(), Value::Object(config::values(&args.set, &schema)?));
    }
    if let Some(count) = args.max_concurrent {
        new.insert("max_concurrent_requests".to_owned(), json!(count));
    }
    Ok(Value::Object(new))
}

async fn run(
    verb: Verb,
    wanted: Vec<Wanted>,
    pace: &Pace,
    client: &Client,
    scene: Scene<'_>,
) -> Result<Code, Failure> {
    let wait = pace.settle.patience();
    if let [one] = wanted.as_slice() {
        let done = patiently(ask(verb, one, wait, client)).await?;
        done.tell(verb, &pace.settle, scene.shared.json)?;
        return Ok(done.code);
    }
    let results = patiently(async { Ok(all(verb, &wanted, pace, client).await) }).await?;
    let codes = results.iter().flatten().map(|result| match result {
        Ok(done) => done.code,
        Err(failure) => Code::of(failure),
    });
    let code = codes.into_iter().find(|code| *code != Code::Ok).unwrap_or(Code::Ok);
    if scene.shared.json {
        let document: Map<String, Value> = wanted.iter().zip(results).map(keyed).collect();
        terminal::print_json(&Value::Object(document))?;
        return Ok(code);
    }
    for (one, result) in wanted.iter().zip(results) {
        match result {
            None => terminal::say(format!("`{}` was not begun", one.label)),
            Some(Ok(done)) => done.tell(verb, &pace.settle, false)?,
            Some(Err(failure)) => {
                let message = format!("{}: {failure}", one.label);
                Code::of(&failure).tell(&message, failure.hint().as_deref());
            }
        }
    }
    Ok(code)
}

/// A result under the id of its instance; null for one that was not begun.
fn keyed((one, result): (&Wanted, Option<Result<Settled, Failure>>)) -> (String, Value) {
    match result {
        None => (one.label.clone(), Value::Null),
        Some(Ok(done)) => (done.health().name.clone(), done.document),
        Some(Err(failure)) => (one.label.clone(), failure.to_json()),
    }
}

async fn ask(verb: Verb, one: &Wanted, wait: Duration, client: &Client) -> Result<Settled, Failure> {
    match &one.new {
        Some(new) => {
            let (document, settled) = client.create_instance(&one.name, new, wait).await?;
            Settled::of(verb, document, settled, wait)
        }
        None => settled(verb, &one.name, wait, client).await,
    }
}

/// Asks for all, so many at a time; `None` for those that were not begun because another one failed.
async fn all(
    verb: Verb,
    wanted: &[Wanted],
    pace: &Pace,
    client: &Client,
) -> Vec<Option<Result<Settled, Failure>>> {
    let wait = pace.settle.patience();
    let mut results: Vec<Option<Result<Settled, Failure>>> = wanted.iter().map(|_| None).collect();
    let mut waiting = wanted.iter().enumerate();
    let mut asked = FuturesUnordered::new();
    let mut failed = false;
    loop {
        while asked.len() < pace.at_once as usize && !(failed && pace.fail_fast) {
            let Some((at, one)) = waiting.next() else { break };
            asked.push(async move { (at, ask(verb, one, wait, client).await) });
        }
        let Some((at, result)) = asked.next().await else { return results };
        failed |= !matches!(&result, Ok(done) if done.code == Code::Ok);
        if let Some(free) = results.get_mut(at) {
            *free = Some(result);
        }
    }
}
