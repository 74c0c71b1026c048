//! `hardpoint pipeline …`: pipelines that a running server keeps.
//!
//! Owns the words and options of pipelines. Must not know HTTP: [`crate::client`] asks.

mod check;
mod definition;
mod end;
mod graph;
mod input;
mod page;
mod run;
mod save;
mod verbs;

pub(super) use definition::read;
pub(super) use end::{RunEnd, Shown, show};
pub(super) use input::{Given, Input};
pub(super) use run::{Order, name_of, on_server};

use super::exit_code::Code;
use super::live::Scene;
use crate::embedded::Failure;
use clap::Subcommand;

/// What can be done with pipelines.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A pipeline is a list of stages, each one tool of one plugin: what a stage returns is passed on to the next. A saved one is \
run by its name; each time it is saved it gets the next version, and a run keeps the version that it began with.

Examples:
  hardpoint pipeline check faces.yaml
  hardpoint pipeline save faces.yaml
  hardpoint pipeline run faces --input image=@photo.png
  hardpoint pipeline show faces
  hardpoint pipeline graph faces --mermaid")]
pub(super) enum Pipeline {
    /// The saved pipelines
    List,
    /// Save a pipeline from a file, or the next version of one
    Save(save::Save),
    /// One saved pipeline, and how its runs went
    Show(verbs::Show),
    /// Run a saved pipeline, or one from a file, and show its result
    Run(run::Run),
    /// Forget a saved pipeline; its runs stay
    Delete(verbs::Delete),
    /// Check a file: its form, its plugins and tools, and whether the stages fit each other
    Check(check::Check),
    /// Draw the stages of a saved pipeline, or of a file
    Graph(graph::Graph),
}

pub(super) async fn run(pipeline: Pipeline, scene: Scene<'_>) -> Result<Code, Failure> {
    match pipeline {
        Pipeline::List => verbs::list(scene).await,
        Pipeline::Save(args) => save::run(&args, scene).await,
        Pipeline::Show(args) => verbs::show(&args, scene).await,
        Pipeline::Run(args) => run::run(args, scene).await,
        Pipeline::Delete(args) => verbs::delete(&args, scene).await,
        Pipeline::Check(args) => check::run(&args, scene).await,
        Pipeline::Graph(args) => graph::run(&args, scene).await,
    }
}
