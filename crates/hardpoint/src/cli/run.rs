//! `hardpoint run PIPELINE`: every stage in order, each plugin in its own worker.

use super::exit_code::Code;
use super::fields::{self, FIELD_HELP, Field};
use super::interrupt::{Outcome, stop, unless_interrupted};
use super::progress::Progress;
use super::told::Door;
use super::{Shared, files, show, terminal, told};
use crate::embedded::{
    Document, Failure, Host, Places, RunEnd, argument_schema, read_bounded, run_pipeline, start_stages,
};
use clap::Args;
use hardpoint_model::document::Format;
use hardpoint_model::limits;
use hardpoint_model::pipeline::{Pipeline, PipelineFailure, PipelineResult};
use hardpoint_supervisor::Worker;
use owo_colors::OwoColorize as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// File that defines the pipeline: .yaml or .json
    pipeline: PathBuf,
    #[arg(long, value_name = "NAME=VALUE", help = format!("Input of the first stage, any number of times: {FIELD_HELP}"))]
    input: Vec<Field>,
    /// Input from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
    /// Folder for binary results [default: out/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Run, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let began = Instant::now();
    files::check_out(args.out.as_deref())?;
    fields::check_files(&args.input)?;
    let pipeline = read(&args.pipeline)?;
    let host = Host::open(places)?;
    let progress = Progress::new(shared.json, shared.verbose > 0).for_pipeline(&pipeline);
    let worked = unless_interrupted(work(&args, &pipeline, &host, &progress)).await;
    progress.clear();
    stop(host).await;
    match worked {
        Outcome::Done(Ok((end, _))) if shared.json => json(end, &args),
        Outcome::Done(Ok((end, input))) => person(end, &input, &args, &pipeline, began),
        Outcome::Done(Err(failure)) => Err(failure),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

async fn work(
    args: &Run,
    pipeline: &Pipeline,
    host: &Host,
    progress: &Progress,
) -> Result<(RunEnd, Document), Failure> {
    let workers = start_stages(host, pipeline, &|event| progress.host(event)).await?;
    let input = input(args, pipeline, &workers)?;
    let end = run_pipeline(pipeline, &workers, input.clone(), &|event| progress.run(event, pipeline)).await;
    let mut seen = std::collections::BTreeSet::new();
    for worker in workers.iter().filter(|worker| seen.insert(worker.instance())) {
        progress.output(worker.instance(), worker.output());
    }
    Ok((end, input))
}

pub(super) fn read(path: &Path) -> Result<Pipeline, Failure> {
    let file = path.display().to_string();
    if !path.is_file() {
        let message = format!("{file} cannot be read: there is no such file");
        return Err(Failure::request(message, "check the name of the pipeline's file"));
    }
    let format = Format::of_file_name(&file).filter(|format| *format != Format::Toml).ok_or_else(|| {
        Failure::request(
            format!("{file} is neither .yaml nor .json"),
            "a pipeline is written in YAML or JSON",
        )
    })?;
    let text = read_bounded(path, limits::PIPELINE_BYTES_MAX).map_err(|e| {
        Failure::request(format!("{file} cannot be read: {e}"), "check the name of the pipeline's file")
    })?;
    Pipeline::parse(&text, &file, format).map_err(Failure::Diagnostics)
}

/// An input may be meant for any stage: it is typed by the first stage that names it.
fn input(args: &Run, pipeline: &Pipeline, workers: &[Worker]) -> Result<Document, Failure> {
    let schema_of = |name: &str| {
        pipeline
            .stages
            .iter()
            .zip(workers)
            .find_map(|(stage, worker)| argument_schema(worker, &stage.tool, name))
    };
    if let Some(unknown) = args.input.iter().find(|field| schema_of(field.name()).is_none()) {
        let known = pipeline.stages.iter().zip(workers).filter_map(|(stage, worker)| {
            let properties =
                worker.tools().get(&stage.tool)?.info.input_schema.get("properties")?.as_object()?;
            Some(properties.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        });
        let known: Vec<String> = known.collect();
        return Err(Failure::request(
            format!("no stage of this pipeline takes an input called `{}`", unknown.name()),
            format!("its stages take {}", known.join("; ")),
        ));
    }
    fields::document(args.input_json.as_deref(), &args.input, schema_of)
}

/// Results that are the input unchanged are not written out again.
fn is_input(input: &Document, result: &hardpoint_wire::Payload) -> impl Fn(&str) -> bool + use<> {
    let known = if input.is_empty() { None } else { result.clone().into_fields() };
    let fields: Document = known.unwrap_or_default().into_iter().collect();
    let same: Vec<String> = input
        .iter()
        .filter(|(name, value)| fields.get(*name) == Some(*value))
        .map(|(name, _)| name.clone())
        .collect();
    move |name| same.iter().any(|same| same == name)
}

fn json(end: RunEnd, args: &Run) -> Result<Code, Failure> {
    let result = files::to_json(end.result, args.out.as_deref())?;
    let (result, code) = match end.failure {
        None => (PipelineResult::Done { result, stages_executed: end.stages_executed }, Code::Ok),
        Some((stage, error, exit)) => (
            PipelineResult::Failed(PipelineFailure::of_stage(stage, &error, result, exit)),
            told::code_of(&error),
        ),
    };
    terminal::print_json(&result)?;
    Ok(code)
}

fn person(
    end: RunEnd,
    input: &Document,
    args: &Run,
    pipeline: &Pipeline,
    began: Instant,
) -> Result<Code, Failure> {
    let name = pipeline.name.clone().unwrap_or_else(|| {
        args.pipeline
            .file_stem()
            .map_or_else(|| "pipeline".to_owned(), |stem| stem.to_string_lossy().into_owned())
    });
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&name));
    terminal::say("");
    let skip = is_input(input, &end.result);
    if end.failure.is_none() || end.stages_executed > 0 {
        show::result(end.result, skip, &out)?;
    }
    match end.failure {
        None => {
            let took = show::duration(began.elapsed());
            terminal::say(format!("\n{} {} stages in {took}", "done:".green().bold(), end.stages_executed));
            Ok(Code::Ok)
        }
        Some((stage, error, _)) => {
            told::tell(&error, Some(stage), Door::Embedded);
            Ok(told::code_of(&error))
        }
    }
}
