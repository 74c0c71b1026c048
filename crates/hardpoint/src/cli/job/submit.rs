//! `hardpoint job submit PLUGIN TOOL [name=value …]`: handing in a job.

use super::follow_to_its_end;
use crate::cli::exit_code::Code;
use crate::cli::fields::{self, FIELD_HELP, Field};
use crate::cli::live::{Scene, patiently};
use crate::cli::{files, terminal};
use crate::client::{Client, NewJob, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::job::JobId;
use serde_json::Value;
use std::path::PathBuf;

/// A job to be.
#[derive(Debug, Args)]
#[command(after_help = "\
Once its id is printed the job is kept: it runs even when the server is killed and started again. With --key a command \
that is repeated hands in one job only.

Examples:
  hardpoint job submit faces detect image=@photo.png
  hardpoint job submit faces detect image=@photo.png --priority 10 --key photo-17
  hardpoint job submit faces detect image=@photo.png --wait --json

Exit codes: 0 it is kept, with --wait: it completed; 1 it failed or was cancelled; 2 it was refused; 4 the plugin takes \
no jobs; 6 no server answers.")]
pub(in crate::cli) struct Submit {
    /// Name of the plugin
    plugin: String,
    /// Name of the tool
    tool: String,
    #[arg(value_name = "NAME=VALUE", help = FIELD_HELP)]
    fields: Vec<Field>,
    /// Arguments from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
    /// Higher is sooner
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// A name for this submission: the same one is accepted once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Wait until it is over, and show its result
    #[arg(long)]
    wait: bool,
    /// Folder for binary results
    #[arg(long, value_name = "DIR", requires = "wait")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Submit, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    fields::check_files(&args.fields)?;
    let client = scene.client()?;
    let document = patiently(submit(&client, &args)).await?;
    let id: JobId = typed(document.get("job_id").unwrap_or(&Value::Null))?;
    if args.wait {
        return follow_to_its_end(id, args.out.as_deref(), scene).await;
    }
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        terminal::print(id)?;
    }
    Ok(Code::Ok)
}

async fn submit(client: &Client, args: &Submit) -> Result<Value, Failure> {
    let plugin = args.plugin.split('@').next().unwrap_or_default();
    let tools = client.tools(plugin).await?;
    let info = tools.iter().find(|tool| tool.name == args.tool);
    let schema_of = |name: &str| info?.input_schema.get("properties")?.get(name);
    let job = NewJob {
        plugin: &args.plugin,
        tool: &args.tool,
        args: fields::document(args.input_json.as_deref(), &args.fields, schema_of)?,
        priority: args.priority,
        idempotency_key: args.key.as_deref(),
    };
    client.submit(job).await
}
