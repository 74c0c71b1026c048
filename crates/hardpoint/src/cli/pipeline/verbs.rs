//! `hardpoint pipeline list|show|delete`: looking at saved pipelines, and forgetting one.

use super::page::{self, Saved};
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::Args;
use owo_colors::OwoColorize as _;
use serde_json::json;

/// Which pipeline.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct Show {
    /// Name of the pipeline
    id: String,
    /// An earlier version
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

/// Which pipeline.
#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// Name of the pipeline
    id: String,
}

pub(super) async fn list(scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.pipelines()).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
        return Ok(Code::Ok);
    }
    let saved: Vec<Saved> = typed(&document)?;
    if saved.is_empty() {
        terminal::say("there is no saved pipeline; `hardpoint pipeline save FILE` saves one");
    } else {
        terminal::print(page::all(&saved))?;
    }
    Ok(Code::Ok)
}

pub(super) async fn show(args: &Show, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.pipeline(&args.id, args.version)).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(page::detail(&typed(&document)?))?;
    }
    Ok(Code::Ok)
}

pub(super) async fn delete(args: &Delete, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    patiently(client.delete_pipeline(&args.id)).await?;
    if scene.shared.json {
        terminal::print_json(&json!({"deleted": args.id}))?;
    } else {
        terminal::print(format!("{} is not kept any more", args.id.bold()))?;
    }
    Ok(Code::Ok)
}
