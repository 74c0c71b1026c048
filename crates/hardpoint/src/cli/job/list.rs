//! `hardpoint job list`: the jobs there are.

use super::page;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::{Args, ValueEnum};
use hardpoint_model::job::{Job, JobStatus};
use owo_colors::OwoColorize as _;
use serde_json::Value;

/// Which jobs.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json it prints what the server says: `jobs`, how many there are (`count`), and where the next page begins (`next`).

Examples:
  hardpoint job list
  hardpoint job list --status failed --plugin faces --limit 100
  hardpoint job list --json --cursor 4711")]
pub(in crate::cli) struct List {
    /// Only jobs of this status; any number of times
    #[arg(long, value_name = "STATUS", value_enum)]
    status: Vec<Status>,
    /// Only jobs of this plugin
    #[arg(long, value_name = "PLUGIN")]
    plugin: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
}

/// Where in its life a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl From<Status> for JobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

pub(super) async fn run(args: List, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let limit = args.limit.to_string();
    let statuses: Vec<&str> = args.status.iter().map(|status| JobStatus::from(*status).as_str()).collect();
    let statuses = statuses.join(",");
    let mut query = vec![("limit", limit.as_str())];
    query.extend((!statuses.is_empty()).then_some(("status", statuses.as_str())));
    query.extend(args.plugin.as_deref().map(|plugin| ("plugin", plugin)));
    query.extend(args.cursor.as_deref().map(|cursor| ("cursor", cursor)));
    let document = patiently(client.jobs(&query)).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
        return Ok(Code::Ok);
    }
    let jobs: Vec<Job> = typed(document.get("jobs").unwrap_or(&Value::Null))?;
    if jobs.is_empty() {
        terminal::say("there is no such job; `hardpoint job submit PLUGIN TOOL` hands one in");
        return Ok(Code::Ok);
    }
    terminal::print(page::all(&jobs))?;
    if let Some(next) = document.get("next").filter(|next| !next.is_null()) {
        let count = document.get("count").and_then(Value::as_u64).unwrap_or_default();
        let next = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
        let said = format!("{count} in all; `--cursor {next}` shows the next");
        terminal::say(format!("{} {said}", "hint:".cyan().bold()));
    }
    Ok(Code::Ok)
}
