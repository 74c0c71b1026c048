//! `hardpoint job events [ID]`: what has happened, each event once, from any number on.

use super::page;
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::live::Scene;
use crate::cli::terminal;
use crate::client::{EventQuery, Next, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::{Event, JobId};

/// Which events.
#[derive(Debug, Args)]
#[command(after_help = "\
Events are numbered over all jobs, without a gap. Whoever has seen number N goes on with --since N and misses nothing, \
also after the server was started again. With --json there is a document per line.

Examples:
  hardpoint job events
  hardpoint job events 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job events --since 4711 --follow --json

With --follow it goes on until Ctrl-C, or until the one job is over; both end it with exit code 0.")]
pub(in crate::cli) struct Events {
    /// Id of the job; without it those of all jobs are shown
    id: Option<JobId>,
    /// Only events with a higher number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    since: u64,
    /// Go on with the events that happen
    #[arg(long, short)]
    follow: bool,
}

pub(super) async fn run(args: &Events, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let json = scene.shared.json;
    let query = EventQuery { job: args.id, since: args.since, follow: args.follow };
    let told = unless_interrupted(client.events(query, |document| {
        if json {
            terminal::print(&document)?;
        } else {
            terminal::print(page::event(&typed::<Event>(&document)?))?;
        }
        Ok(Next::Wanted)
    }))
    .await;
    match told {
        Outcome::Done(ended) => ended.map(|()| Code::Ok),
        Outcome::Interrupted if args.follow => Ok(Code::Ok),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}
