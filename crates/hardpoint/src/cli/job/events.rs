//! `hardpoint job events [ID]`: what has happened, each event once, from any number on.

use super::follow::{GONE_SECONDS_MAX, Listener, Next, follow};
use super::page;
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::live::Scene;
use crate::cli::terminal;
use crate::client::{EventQuery, Told};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::{JobId, Notice};
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::time::Duration;

/// Which events.
#[derive(Debug, Args)]
#[command(after_help = "\
Events are numbered over all jobs, without a gap. Whoever has seen number N goes on with --since N and misses nothing, \
also after the server was started again. With --json there is a document per line.

Examples:
  hardpoint job events
  hardpoint job events 01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11
  hardpoint job events --since 4711 --follow --json

With --follow it goes on until Ctrl-C, or until the one job is over; both end it with exit code 0. A server that is \
started again meanwhile is followed from where the old one was; 6: it did not come back in time.")]
pub(in crate::cli) struct Events {
    /// Id of the job; without it those of all jobs are shown
    id: Option<JobId>,
    /// Only events with a higher number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    since: u64,
    /// Go on with the events that happen
    #[arg(long, short)]
    follow: bool,
    /// How long a server that goes away may take to come back
    #[arg(long, value_name = "SECONDS", default_value_t = GONE_SECONDS_MAX, requires = "follow")]
    gone_max: u32,
}

pub(super) async fn run(args: &Events, scene: Scene<'_>) -> Result<Code, Failure> {
    let query = EventQuery { job: args.id, since: args.since, follow: args.follow };
    let patience = Duration::from_secs(u64::from(args.gone_max));
    let mut shown = Shown { job: args.id, json: scene.shared.json };
    match unless_interrupted(follow(scene, query, patience, &mut shown)).await {
        Outcome::Done(ended) => ended.map(|()| Code::Ok),
        Outcome::Interrupted if args.follow => Ok(Code::Ok),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

struct Shown {
    job: Option<JobId>,
    json: bool,
}

impl Listener for Shown {
    fn told(&mut self, told: &Told, document: &Value) -> Result<Next, Failure> {
        match told {
            _ if self.json => terminal::print(document)?,
            Told::Event(event) => terminal::print(page::event(event))?,
            Told::Notice(Notice::EventsDropped { first_kept, count }) => {
                let said = format!("{count} events before number {first_kept} are not kept any more");
                terminal::say(format!("{} {said}", "note:".yellow().bold()));
            }
        }
        Ok(Next::Wanted)
    }

    fn gone(&mut self, why: &Failure) {
        terminal::say(format!("{} {why}; waiting for it to come back", "note:".yellow().bold()));
    }

    fn again(&self, last: u64) -> String {
        let job = self.job.map_or_else(String::new, |job| format!("{job} "));
        format!("hardpoint job events {job}--since {last} --follow")
    }
}
