//! `hardpoint pipeline run NAME|FILE`: a run on a server, followed until it is over.

use super::definition::is_pipe;
use super::end::{self, RunEnd, Shown};
use super::graph::{definition, is_file};
use super::input::{Given, Input};
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::told::Door;
use crate::cli::{files, job, terminal};
use crate::client::{Client, NewRun, Runnable, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::Pipeline;
use hardpoint_model::job::JobId;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A run to be.
#[derive(Debug, Args)]
#[command(after_help = "\
The run is a job: the server keeps it from the moment it is accepted, and goes on with it after it was killed. Ctrl-C ends \
the waiting, not the job. `hardpoint run FILE` does the same without a server.

Examples:
  hardpoint pipeline run faces --input image=@photo.png
  hardpoint pipeline run examples/pipelines/faces.yaml --input image=@photo.png --json
  hardpoint pipeline run faces --input image=@photo.png --no-wait

Exit codes: 0 it completed; 1 a stage failed, or it was cancelled; 2 it was refused, or a stage was given what its tool does not take; 6 no server answers.")]
pub(in crate::cli) struct Run {
    /// Name of a saved pipeline, or a file that defines one
    pipeline: String,
    #[command(flatten)]
    input: Input,
    /// Higher is sooner
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// A name for this run: the same one is accepted once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print the id of the job, and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Folder for binary results [default: out/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is run on a server, and how.
pub(in crate::cli) struct Order<'a> {
    pub(in crate::cli) pipeline: &'a Pipeline,
    /// The name under which the server has it.
    pub(in crate::cli) saved: Option<&'a str>,
    /// For the folder of its files.
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) input: &'a Given<'a>,
    pub(in crate::cli) priority: i32,
    pub(in crate::cli) key: Option<&'a str>,
    pub(in crate::cli) no_wait: bool,
    pub(in crate::cli) out: Option<&'a Path>,
}

pub(super) async fn run(args: Run, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    let input = args.input.read()?;
    let pipeline = definition(&args.pipeline, scene).await?;
    let saved = (!is_file(&args.pipeline)).then_some(args.pipeline.as_str());
    let name = saved.map_or_else(|| name_of(&pipeline, Path::new(&args.pipeline)), str::to_owned);
    let order = Order {
        pipeline: &pipeline,
        saved,
        name: &name,
        input: &input,
        priority: args.priority,
        key: args.key.as_deref(),
        no_wait: args.no_wait,
        out: args.out.as_deref(),
    };
    on_server(order, scene).await
}

/// What a pipeline of a file is called.
pub(in crate::cli) fn name_of(pipeline: &Pipeline, file: &Path) -> String {
    let stem = file.file_stem().filter(|_| !is_pipe(file));
    let stem = || stem.map_or_else(|| "pipeline".into(), |stem| stem.to_string_lossy().into_owned());
    pipeline.name.clone().unwrap_or_else(stem)
}

/// Hands it in, and follows it to its end.
pub(in crate::cli) async fn on_server(order: Order<'_>, scene: Scene<'_>) -> Result<Code, Failure> {
    let began = Instant::now();
    let client = scene.client()?;
    let schemas = patiently(schemas(order.pipeline, &client)).await?;
    let input = order.input.document(order.pipeline, &schemas)?;
    let what = order.saved.map_or(Runnable::Definition(order.pipeline), Runnable::Saved);
    let run = NewRun { what, input: input.clone(), priority: order.priority, idempotency_key: order.key };
    let document = patiently(client.run_pipeline(run)).await?;
    let id: JobId = typed(document.get("job_id").unwrap_or(&Value::Null))?;
    if order.no_wait {
        if scene.shared.json {
            terminal::print_json(&document)?;
        } else {
            terminal::print(id)?;
        }
        return Ok(Code::Ok);
    }
    let job = job::until_over(id, scene).await?;
    let client = scene.client()?;
    let document = patiently(client.job_result(id)).await?;
    job::say_lines(id, scene).await?;
    let shown = Shown {
        name: order.name,
        out: order.out,
        json: scene.shared.json,
        door: Door::Server,
        input: &input,
        took: Some(began.elapsed()),
        again: Some(format!("hardpoint job rerun {id}")),
    };
    end::show(RunEnd::of_document(document, &job)?, &shown)
}

/// What the tool of each stage takes, where the server knows it.
async fn schemas(pipeline: &Pipeline, client: &Client) -> Result<Vec<Option<Value>>, Failure> {
    let mut schemas = Vec::new();
    for stage in &pipeline.stages {
        let tools = match client.tools(&stage.plugin.to_string()).await {
            Ok(tools) => tools,
            // Whether there is such a plugin is for the check of the pipeline to say.
            Err(Failure::Refused(_)) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let tool = tools.into_iter().find(|tool| tool.name == stage.tool);
        schemas.push(tool.map(|tool| tool.input_schema));
    }
    Ok(schemas)
}
