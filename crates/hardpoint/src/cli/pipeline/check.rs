//! `hardpoint pipeline check FILE`: whether a pipeline can work, before it is saved or run.

use super::end::stages;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::embedded::Failure;
use clap::Args;
use owo_colors::OwoColorize as _;
use serde_json::json;
use std::path::PathBuf;

/// What is checked.
#[derive(Debug, Args)]
#[command(after_help = "\
The form of the file is checked here; whether its plugins and tools exist, and whether what a stage returns fits what the \
next one takes, by the server.

Examples:
  hardpoint pipeline check examples/pipelines/faces.yaml

Exit codes: 0 it can work; 2 it cannot; 6 its form is right, but no server answers.")]
pub(in crate::cli) struct Check {
    /// File that defines the pipeline: .yaml or .json
    file: PathBuf,
}

pub(super) async fn run(args: &Check, scene: Scene<'_>) -> Result<Code, Failure> {
    let pipeline = super::definition::read(&args.file)?;
    patiently(scene.client()?.create_pipeline(&pipeline, true)).await?;
    if scene.shared.json {
        terminal::print_json(&json!({"ok": true, "stages": pipeline.stages.len()}))?;
    } else {
        let stages = stages(pipeline.stages.len());
        terminal::print(format!("{} {}: {stages}", "✓".green(), args.file.display()))?;
    }
    Ok(Code::Ok)
}
