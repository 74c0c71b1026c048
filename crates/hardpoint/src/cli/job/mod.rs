//! `hardpoint job …`: work that a running server keeps until it is done.
//!
//! Owns the words and options of jobs. Must not know HTTP: [`crate::client`] asks.

mod events;
mod follow;
mod list;
mod logs;
mod page;
mod rerun;
mod result;
mod standing;
mod stats;
mod submit;
mod verbs;
mod view;
mod wait;

pub(super) use view::View;
pub(super) use wait::until_over;

use super::exit_code::Code;
use super::live::{Scene, patiently};
use super::log_lines::aside;
use super::terminal;
use crate::client::{LogQuery, LogsOf, typed};
use crate::embedded::Failure;
use clap::{Args, Subcommand};
use hardpoint_model::job::JobId;
use hardpoint_model::log::{LogLevel, LogLine};
use std::path::Path;

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A job is a call that the server keeps in its data folder from the moment it is accepted: it waits for a place, is \
tried again after failures that may pass, and goes on after the server was stopped or killed.

Examples:
  hardpoint job submit faces detect image=@photo.png
  hardpoint job submit faces detect image=@photo.png --wait --json
  hardpoint job list --status pending --status running
  hardpoint job logs 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11 --follow
  hardpoint job events --follow")]
pub(super) enum Job {
    /// Hand in a job; its id is printed
    Submit(submit::Submit),
    /// The jobs there are, newest first
    List(list::List),
    /// How many jobs there are and were, by status and plugin
    Stats,
    /// Everything about one job
    Show(One),
    /// Wait until a job is over
    Wait(wait::Wait),
    /// What a job brought
    Result(result::JobResult),
    /// End a job, whether it waits or runs
    Cancel(One),
    /// Run what is left of a failed job, from its failed stage on
    Rerun(rerun::Rerun),
    /// Let a waiting job run sooner or later than others
    Reorder(verbs::Reorder),
    /// What was printed and logged for a job
    Logs(logs::Logs),
    /// What has happened, as numbered events
    Events(events::Events),
}

/// Follows a job until it is over, and shows what it brought.
pub(super) async fn follow_to_its_end(
    id: JobId,
    out: Option<&Path>,
    scene: Scene<'_>,
) -> Result<Code, Failure> {
    let job = wait::until_over(id, scene).await?;
    result::show(&scene.client()?, &job, out, scene.shared.json).await
}

/// Says what was logged for a job that is over, as far as it is worth a line beside its result.
pub(super) async fn say_lines(id: JobId, scene: Scene<'_>) -> Result<(), Failure> {
    let verbose = scene.shared.verbose > 0;
    let of = LogsOf::Job { id, last: None, stage: None, attempt: None };
    let level = (!verbose).then_some(LogLevel::Warning);
    let say = |document| {
        let line: LogLine = typed(&document)?;
        aside(&line, verbose).into_iter().for_each(terminal::say);
        Ok(())
    };
    let client = scene.client()?;
    patiently(client.logs(LogQuery { of, level, contains: None, follow: false }, say)).await
}

/// Which job.
#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// Id of the job
    id: JobId,
}

pub(super) async fn run(job: Job, scene: Scene<'_>) -> Result<Code, Failure> {
    match job {
        Job::Submit(args) => submit::run(args, scene).await,
        Job::List(args) => list::run(args, scene).await,
        Job::Stats => stats::run(scene).await,
        Job::Show(args) => verbs::show(args.id, scene).await,
        Job::Wait(args) => wait::run(&args, scene).await,
        Job::Result(args) => result::run(&args, scene).await,
        Job::Cancel(args) => verbs::cancel(args.id, scene).await,
        Job::Rerun(args) => rerun::run(&args, scene).await,
        Job::Reorder(args) => verbs::reorder(&args, scene).await,
        Job::Logs(args) => logs::run(&args, scene).await,
        Job::Events(args) => events::run(&args, scene).await,
    }
}
