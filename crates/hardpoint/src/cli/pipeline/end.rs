//! The end of a run, shown the same wherever it ran: its result, or what is there of it and why that is all.
//!
//! Owns the layout, the JSON document and the exit code of a run. Must not know engines or servers.

use crate::cli::exit_code::Code;
use crate::cli::told::{self, Door};
use crate::cli::{files, show, terminal};
use crate::embedded::{Document, Failure};
use hardpoint_model::JobError;
use hardpoint_model::job::Job;
use hardpoint_model::pipeline::{PipelineFailure, PipelineResult};
use hardpoint_wire::Payload;
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a run came to.
pub(in crate::cli) struct RunEnd {
    pub(in crate::cli) result: Payload,
    pub(in crate::cli) stages_executed: usize,
    /// The first stage that failed, counted from 1, and why.
    pub(in crate::cli) failure: Option<(usize, JobError)>,
}

/// Where and how it is shown.
pub(in crate::cli) struct Shown<'a> {
    /// The pipeline's name, for the folder of its files.
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) out: Option<&'a Path>,
    pub(in crate::cli) json: bool,
    pub(in crate::cli) door: Door,
    /// What the caller has already, and is not given again.
    pub(in crate::cli) input: &'a Document,
    pub(in crate::cli) took: Option<Duration>,
    /// How the rest of it can be run.
    pub(in crate::cli) again: Option<String>,
}

impl RunEnd {
    /// As a server tells it: `document` is the answer of the job's result.
    pub(in crate::cli) fn of_document(mut document: Value, job: &Job) -> Result<Self, Failure> {
        let failure = job.failure();
        let field = if failure.is_none() { "result" } else { "partial_result" };
        let result = document.get_mut(field).map(Value::take).unwrap_or_default();
        Ok(Self { result: Payload::from_json(result)?, stages_executed: job.stages_executed(), failure })
    }
}

/// Shows it; the exit code says who can mend a failure.
pub(in crate::cli) fn show(end: RunEnd, shown: &Shown<'_>) -> Result<Code, Failure> {
    let code = end.failure.as_ref().map_or(Code::Ok, |(_, error)| told::code_of(error));
    if shown.json {
        terminal::print_json(&document(end, shown.out)?)?;
    } else {
        person(end, shown)?;
    }
    Ok(code)
}

fn document(end: RunEnd, out: Option<&Path>) -> Result<PipelineResult, Failure> {
    let result = files::to_json(end.result, out)?;
    Ok(match end.failure {
        None => PipelineResult::Done { result, stages_executed: end.stages_executed },
        Some((stage_failed, error)) => {
            PipelineResult::Failed(Box::new(PipelineFailure { error, stage_failed, partial_result: result }))
        }
    })
}

fn person(end: RunEnd, shown: &Shown<'_>) -> Result<(), Failure> {
    let out = shown.out.map_or_else(|| PathBuf::from("out").join(shown.name), Path::to_owned);
    terminal::say("");
    if end.failure.is_none() || end.stages_executed > 0 {
        if end.failure.is_some() {
            let finished = stages(end.stages_executed);
            terminal::say(format!(
                "{} what {finished} brought before it failed:",
                "partial:".yellow().bold()
            ));
        }
        let skip = is_input(shown.input, &end.result);
        show::result(end.result, skip, &out)?;
    }
    let Some((stage, error)) = end.failure else {
        let took = shown.took.map_or_else(String::new, |took| format!(" in {}", show::duration(took)));
        terminal::say(format!("\n{} {}{took}", "done:".green().bold(), stages(end.stages_executed)));
        return Ok(());
    };
    told::tell(&error, Some(stage), shown.door);
    if let Some(again) = &shown.again {
        terminal::say(format!("{} `{again}` runs it again from there", "hint:".cyan().bold()));
    }
    Ok(())
}

/// `1 stage`, `3 stages`.
pub(super) fn stages(count: usize) -> String {
    if count == 1 { "1 stage".to_owned() } else { format!("{count} stages") }
}

/// Which fields of a result are the input unchanged.
fn is_input(input: &Document, result: &Payload) -> impl Fn(&str) -> bool + use<> {
    let known = if input.is_empty() { None } else { result.clone().into_fields() };
    let fields: Document = known.unwrap_or_default().into_iter().collect();
    let same = input.iter().filter(|(name, value)| fields.get(*name) == Some(*value));
    let same: Vec<String> = same.map(|(name, _)| name.clone()).collect();
    move |name| same.iter().any(|same| same == name)
}
