//! `hardpoint plugin health [NAME]`: what a running host says about its plugins.

use super::watch::{View, watch};
use super::{Scene, page, patiently, state};
use crate::cli::exit_code::Code;
use crate::cli::terminal;
use crate::client::{Client, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::health::PluginHealth;
use serde_json::Value;

/// What is looked at.
#[derive(Debug, Args)]
#[command(after_help = "\
With --watch it looks again every second: in a terminal the page is drawn anew, elsewhere there is a line (with \
--json a document) for every change. Ctrl-C ends it with exit code 0.

Examples:
  hardpoint plugin health
  hardpoint plugin health faces --json
  hardpoint plugin health --watch")]
pub(in crate::cli) struct Health {
    /// Name of the plugin; without it all are shown
    plugin: Option<String>,
    /// Look again and again
    #[arg(long)]
    watch: bool,
}

impl Health {
    /// Every plugin, once.
    pub(in crate::cli) fn of_all() -> Self {
        Self { plugin: None, watch: false }
    }
}

pub(in crate::cli) async fn run(args: Health, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let json = scene.shared.json;
    if args.watch {
        let of = client.shown().to_owned();
        let page = |document: &Value| page_of(document);
        let look = async || ask(&client, args.plugin.as_deref()).await;
        return watch(look, View { of, json, page, news }).await;
    }
    let document = patiently(ask(&client, args.plugin.as_deref())).await?;
    if json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(page_of(&document)?)?;
    }
    Ok(Code::Ok)
}

async fn ask(client: &Client, plugin: Option<&str>) -> Result<Value, Failure> {
    match plugin {
        Some(plugin) => client.get(&["v1", "plugins", plugin, "health"], &[]).await,
        None => client.get(&["v1", "plugins"], &[]).await,
    }
}

fn page_of(document: &Value) -> Result<String, Failure> {
    if document.is_array() {
        Ok(page::all(&typed::<Vec<_>>(document)?))
    } else {
        Ok(page::one(&typed(document)?))
    }
}

/// A line for each plugin that is not as it was.
fn news(before: Option<&Value>, now: &Value) -> Result<Vec<String>, Failure> {
    let (before, now) = (before.map(plugins).transpose()?.unwrap_or_default(), plugins(now)?);
    let changed = now.iter().filter(|plugin| {
        let was = before.iter().find(|was| was.name == plugin.name);
        was.is_none_or(|was| line(was) != line(plugin))
    });
    let gone = before.iter().filter(|was| now.iter().all(|plugin| plugin.name != was.name));
    Ok(changed.map(line).chain(gone.map(|was| format!("{} is gone", was.name))).collect())
}

fn plugins(document: &Value) -> Result<Vec<PluginHealth>, Failure> {
    if document.is_array() { typed(document) } else { Ok(vec![typed(document)?]) }
}

fn line(plugin: &PluginHealth) -> String {
    let life = state::life(plugin.liveness);
    let said = state::remarks(plugin);
    let said = said.iter().filter_map(|remark| remark.lines().next()).collect::<Vec<_>>().join("; ");
    let (name, incarnation) = (&plugin.name, plugin.incarnation);
    format!("{name}[{incarnation}] {} {life} {said}", state::painted(plugin.state)).trim_end().to_owned()
}
