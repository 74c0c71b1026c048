//! `hardpoint pipeline run NAME|FILE`: a run on a server, followed until it is over.

use super::graph::{definition, is_file};
use crate::cli::exit_code::Code;
use crate::cli::fields::{self, FIELD_HELP, Field};
use crate::cli::live::{Scene, patiently};
use crate::cli::{files, job, terminal};
use crate::client::{Client, NewRun, Runnable, typed};
use crate::embedded::{Document, Failure};
use clap::Args;
use hardpoint_model::Pipeline;
use hardpoint_model::job::JobId;
use serde_json::Value;
use std::path::PathBuf;

/// A run to be.
#[derive(Debug, Args)]
#[command(after_help = "\
The run is a job: the server keeps it from the moment it is accepted, and goes on with it after it was killed. Ctrl-C ends \
the waiting, not the job.

Examples:
  hardpoint pipeline run faces --input image=@photo.png
  hardpoint pipeline run examples/pipelines/faces.yaml --input image=@photo.png --json
  hardpoint pipeline run faces --input image=@photo.png --no-wait

Exit codes: 0 it completed; 1 a stage failed, or it was cancelled; 2 it was refused; 6 no server answers.")]
pub(in crate::cli) struct Run {
    /// Name of a saved pipeline, or a file that defines one
    pipeline: String,
    #[arg(long, value_name = "NAME=VALUE", help = format!("Input of the first stage, any number of times: {FIELD_HELP}"))]
    input: Vec<Field>,
    /// Input from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
    /// Higher is sooner
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// A name for this run: the same one is accepted once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print the id of the job, and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Folder for binary results
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Run, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    fields::check_files(&args.input)?;
    let pipeline = definition(&args.pipeline, scene).await?;
    let client = scene.client()?;
    let input = input(&args, &pipeline, &client).await?;
    let what = if is_file(&args.pipeline) {
        Runnable::Definition(&pipeline)
    } else {
        Runnable::Saved(&args.pipeline)
    };
    let run = NewRun { what, input, priority: args.priority, idempotency_key: args.key.as_deref() };
    let document = patiently(client.run_pipeline(run)).await?;
    let id: JobId = typed(document.get("job_id").unwrap_or(&Value::Null))?;
    if args.no_wait {
        if scene.shared.json {
            terminal::print_json(&document)?;
        } else {
            terminal::print(id)?;
        }
        return Ok(Code::Ok);
    }
    job::follow_to_its_end(id, args.out.as_deref(), scene).await
}

/// An input may be meant for any stage: it is typed by the first one whose tool names it.
async fn input(args: &Run, pipeline: &Pipeline, client: &Client) -> Result<Document, Failure> {
    let mut schemas = Vec::new();
    for stage in &pipeline.stages {
        let tools = patiently(client.tools(stage.plugin.plugin.as_str())).await.unwrap_or_default();
        let tool = tools.into_iter().find(|tool| tool.name == stage.tool);
        schemas.extend(tool.map(|tool| tool.input_schema));
    }
    let schema_of = |name: &str| schemas.iter().find_map(|schema| schema.get("properties")?.get(name));
    fields::document(args.input_json.as_deref(), &args.input, schema_of)
}
