//! `hardpoint pipeline save FILE`: a new pipeline, or the next version of one.

use super::page::Saved;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::{Client, Kind, typed};
use crate::embedded::Failure;
use clap::Args;
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::path::PathBuf;

/// What is saved.
#[derive(Debug, Args)]
#[command(after_help = "\
The pipeline is saved under the `name` that its file gives it, else under the name of the file. One that is there already \
gets its next version.

Examples:
  hardpoint pipeline save examples/pipelines/faces.yaml
  hardpoint pipeline save read-page.yaml --name pages

Exit codes: 0 it is saved; 2 it cannot work, or cannot be read; 6 no server answers.")]
pub(in crate::cli) struct Save {
    /// File that defines the pipeline: .yaml or .json
    file: PathBuf,
    /// Another name than the file says
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(super) async fn run(args: &Save, scene: Scene<'_>) -> Result<Code, Failure> {
    let mut pipeline = super::definition::read(&args.file)?;
    let stem = args.file.file_stem().filter(|_| !super::definition::is_pipe(&args.file));
    let stem = || stem.map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(|| pipeline.name.clone()).or_else(stem);
    let name =
        name.ok_or_else(|| Failure::request("the pipeline has no name", "give it one: `--name NAME`"))?;
    pipeline.name = Some(name.clone());
    let client = scene.client()?;
    let document = patiently(save(&client, &name, &pipeline)).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        let saved: Saved = typed(&document)?;
        terminal::print(format!("{} is saved, version {}", saved.id.bold(), saved.version))?;
        let said = format!("`hardpoint pipeline run {}` runs it", saved.id);
        terminal::say(format!("{} {said}", "hint:".cyan().bold()));
    }
    Ok(Code::Ok)
}

async fn save(client: &Client, name: &str, pipeline: &hardpoint_model::Pipeline) -> Result<Value, Failure> {
    match client.create_pipeline(pipeline, false).await {
        Err(Failure::Refused(refused))
            if refused.kind == Kind::Request
                && refused.document.get("code") == Some(&"pipeline_exists".into()) =>
        {
            client.replace_pipeline(name, pipeline).await
        }
        saved => saved,
    }
}
