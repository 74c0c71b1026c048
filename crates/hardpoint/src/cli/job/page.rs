//! Jobs and events as a person sees them.

use crate::cli::show;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use hardpoint_model::job::{Event, EventKind, Job, JobStatus};
use hardpoint_model::pipeline::PipelineMessage;
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};
use std::time::Duration;

/// Jobs in a table.
pub(super) fn all(jobs: &[Job]) -> String {
    let mut table = table();
    table.set_header(["ID", "STATUS", "PRIORITY", "TOOL", "TRIES", "SUBMITTED", "TOOK"]);
    for job in jobs {
        table.add_row([
            job.job_id.to_string().into(),
            Cell::new(job.status).fg(colour(job.status)),
            job.priority.into(),
            tool(job).into(),
            tries(job).into(),
            format!("{:.0}", job.submitted_at).into(),
            Cell::new(took(job).map_or_else(|| "-".to_owned(), show::duration)),
        ]);
    }
    table.to_string()
}

/// One job in full.
pub(super) fn detail(job: &Job) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| format!("{at:.3}"));
    let alone = job.stages.first().filter(|_| job.stages.len() == 1);
    let args = alone.map(|stage| serde_json::Value::Object(stage.args.clone()).to_string());
    let facts = [
        ("tool", Some(tool(job))),
        ("arguments", args.map(|args| show::cut(&args))),
        ("priority", Some(job.priority.to_string())),
        ("key", job.idempotency_key.clone()),
        ("tries", Some(tries(job).to_string())),
        ("submitted", time(Some(job.submitted_at))),
        ("started", time(job.started_at)),
        ("ended", time(job.completed_at)),
        ("took", took(job).map(show::duration)),
        ("cancellation", job.cancel_phase.map(|phase| format!("{phase:?}").to_uppercase())),
        ("error", error(job)),
    ];
    let mut table = table();
    for (name, fact) in facts {
        if let Some(fact) = fact {
            table.add_row([name.to_owned(), fact]);
        }
    }
    let stages = if job.stages.len() > 1 { format!("\n{}", stages(job)) } else { String::new() };
    format!("{} is {}\n{table}{stages}", job.job_id.bold(), painted(job.status))
}

/// How far each stage is.
fn stages(job: &Job) -> Table {
    let mut table = table();
    table.set_header(["STAGE", "TOOL", "STATUS", "TRIES", "TOOK", "ERROR"]);
    for (number, stage) in (1..).zip(&job.stages) {
        let end = stage.ended_at.unwrap_or_else(Timestamp::now);
        let took = stage.started_at.and_then(|began| end.duration_since(began).try_into().ok());
        let error = stage.error.as_ref().map(|error| format!("{} ({})", error.message, error.error_type));
        table.add_row([
            Cell::new::<u32>(number),
            format!("{}.{}", stage.plugin, stage.tool).into(),
            Cell::new(stage.status).fg(colour(stage.status)),
            stage.attempts.into(),
            Cell::new(took.map_or_else(|| "-".to_owned(), show::duration)),
            Cell::new(error.map_or_else(String::new, |error| show::cut(&printable(&error)))),
        ]);
    }
    table
}

/// One job in a line.
pub(super) fn line(job: &Job) -> String {
    let took = took(job).map_or_else(String::new, |took| format!(" after {}", show::duration(took)));
    format!("{} ({}) is {}{took}", job.job_id.bold(), tool(job), painted(job.status))
}

/// One event in a line.
pub(super) fn event(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::StateTransition { from: Some(from), to } => format!("{from} -> {}", painted(*to)),
        EventKind::StateTransition { from: None, to } => format!("accepted, {}", painted(*to)),
        EventKind::ProgressChanged { progress, status_message } if *progress < 0.0 => {
            printable(status_message)
        }
        EventKind::ProgressChanged { progress, status_message } => {
            format!("{:.0} % {}", progress * 100.0, printable(status_message))
        }
        EventKind::ResourceSnapshot { snapshot: used } => format!(
            "process {}: {:.0} % of a core, {:.0} MiB",
            used.worker_pid, used.cpu_percent, used.memory_rss_mb
        ),
        EventKind::CancelPhaseChanged { to, .. } => {
            format!("cancellation: {}", format!("{to:?}").to_uppercase())
        }
        EventKind::RetryStarted { attempt, exception_repr, .. } => {
            format!("retry {attempt}: {}", printable(exception_repr))
        }
        EventKind::BlockReasonChanged { to: Some(reason), .. } => format!("waits: {}", printable(reason)),
        EventKind::BlockReasonChanged { to: None, .. } => "waits for nothing but a place".to_owned(),
        EventKind::PipelineMessage(message) => said(message),
        EventKind::SequenceAdvanced { prior_step_index, prior_success, .. } => {
            let how = if *prior_success { "done" } else { "failed" };
            format!("stage {} is {how}, on to the next", u64::from(*prior_step_index) + 1)
        }
    };
    let at = event.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    let (number, plugin) = (event.number, &event.plugin_instance_id);
    format!("{number:>6} {} {} {plugin}: {}", at.dimmed(), event.job_id.dimmed(), what)
}

/// What a run of a pipeline says, for people.
fn said(message: &PipelineMessage) -> String {
    let number = |index: u32| u64::from(index) + 1;
    match message {
        PipelineMessage::PipelineStageStart { stage_index, tool, .. } => {
            format!("stage {} ({tool}) begins", number(*stage_index))
        }
        PipelineMessage::PipelineStageEnd { stage_index, duration_ms, ok, .. } => {
            let how = if *ok { "done" } else { "over" };
            let took = show::duration(Duration::from_millis(*duration_ms));
            format!("stage {} is {how} after {took}", number(*stage_index))
        }
        PipelineMessage::PipelineError { stage_index, error, error_type, .. } => {
            format!("stage {} failed: {error} ({error_type})", number(*stage_index))
        }
        PipelineMessage::PipelineProgress { stages_completed, stages_total, percent, .. } => {
            format!("{stages_completed} of {stages_total} stages are done ({percent} %)")
        }
    }
}

/// What it runs: a saved pipeline, the tools of its stages, or one tool.
pub(super) fn tool(job: &Job) -> String {
    let tools = job.stages.iter().map(|stage| format!("{}.{}", stage.plugin, stage.tool));
    let tools = show::cut(&tools.collect::<Vec<_>>().join(" > "));
    match &job.pipeline_id {
        Some(id) => format!("{id}: {tools}"),
        None => tools,
    }
}

/// From its first try to its end, or to now.
pub(super) fn took(job: &Job) -> Option<Duration> {
    let end = job.completed_at.unwrap_or_else(Timestamp::now);
    end.duration_since(job.started_at?).try_into().ok()
}

/// Why it failed, or why its last try did.
fn error(job: &Job) -> Option<String> {
    let error = job.error.as_ref().or_else(|| job.stages.first()?.error.as_ref())?;
    Some(printable(&format!("{} ({})", error.message, error.error_type)))
}

fn tries(job: &Job) -> u32 {
    job.stages.iter().map(|stage| stage.attempts).sum()
}

fn colour(status: JobStatus) -> Color {
    match status {
        JobStatus::Pending => Color::Yellow,
        JobStatus::Running => Color::Cyan,
        JobStatus::Completed => Color::Green,
        JobStatus::Failed => Color::Red,
        JobStatus::Cancelled => Color::Magenta,
    }
}

fn painted(status: JobStatus) -> String {
    let style = match status {
        JobStatus::Pending => Style::new().yellow(),
        JobStatus::Running => Style::new().cyan(),
        JobStatus::Completed => Style::new().green(),
        JobStatus::Failed => Style::new().red(),
        JobStatus::Cancelled => Style::new().magenta(),
    };
    status.style(style).to_string()
}

/// Words of a plugin must not move the cursor, nor colour what comes after them.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(super) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}
