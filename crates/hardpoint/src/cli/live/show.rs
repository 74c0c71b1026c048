//! `hardpoint plugin show NAME`: everything a running host knows about one plugin.

use super::watch::{View, watch};
use super::{Scene, page, patiently};
use crate::cli::exit_code::Code;
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::Args;
use serde_json::Value;

/// Which plugin is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hardpoint plugin show faces
  hardpoint plugin show faces --json
  hardpoint plugin show faces --watch")]
pub(in crate::cli) struct Show {
    /// Name of the plugin
    plugin: String,
    /// Look again and again; Ctrl-C ends it with exit code 0
    #[arg(long)]
    watch: bool,
}

pub(in crate::cli) async fn run(args: Show, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let json = scene.shared.json;
    let path = ["v1", "plugins", args.plugin.as_str()];
    // They change only when the plugin's code does, which is then another incarnation.
    let tools = if json { Vec::new() } else { patiently(client.tools(&args.plugin)).await? };
    let page = |document: &Value| Ok(page::detail(&typed(document)?, &tools));
    if args.watch {
        let of = client.shown().to_owned();
        let news = |before: Option<&Value>, now: &Value| {
            let text = page(now)?;
            let was = before.map(page).transpose()?;
            Ok(if was.as_ref() == Some(&text) { Vec::new() } else { vec![text] })
        };
        return watch(async || client.get(&path, &[]).await, View { of, json, page, news }).await;
    }
    let document = patiently(client.get(&path, &[])).await?;
    if json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(page(&document)?)?;
    }
    Ok(Code::Ok)
}
