//! `hardpoint call PLUGIN TOOL [name=value …]`: one tool, one answer.

use super::answer::{self, Ending, Place};
use super::exit_code::Code;
use super::fields::{self, FIELD_HELP, Field};
use super::files;
use super::interrupt::{Outcome, STOP_GRACE, stop, unless_interrupted};
use super::live::Scene;
use super::progress::Progress;
use super::told::Door;
use crate::client::{FailedCall, ToolCall};
use crate::embedded::{Ended, Failure, Host, argument_schema, call};
use clap::Args;
use hardpoint_supervisor::CallRequest;
use hardpoint_supervisor::limits::CALL_TIMEOUT_MAX;
use hardpoint_wire::Payload;
use std::path::PathBuf;
use std::time::Duration;

/// One call.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --server the plugin is started for this one call. With it the running server is asked: the one named, else \
that of HARDPOINT_SERVER, else the one that runs on this data folder, else the configured address.

Examples:
  hardpoint call faces detect image=@photo.png
  hardpoint call --server faces detect image=@photo.png --json
  hardpoint call --server http://127.0.0.1:8700 faces detect image=@photo.png --timeout 5")]
pub(super) struct Call {
    /// Name of the plugin
    plugin: String,
    /// Name of the tool
    tool: String,
    #[arg(value_name = "NAME=VALUE", help = FIELD_HELP)]
    fields: Vec<Field>,
    /// Arguments from a JSON object in a file, or `-` for stdin; `{"$bytes": base64}` is binary
    #[arg(long, value_name = "FILE")]
    input_json: Option<String>,
    /// Timeout of the call, instead of the plugin's own
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Folder for binary results
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Call, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    fields::check_files(&args.fields)?;
    let shared = scene.shared;
    let ending =
        if shared.server.is_some() { served(&args, scene).await? } else { embedded(&args, scene).await? };
    answer::show(ending, &Place { plugin: &args.plugin, out: args.out.as_deref(), json: shared.json })
}

/// In a worker of our own.
async fn embedded(args: &Call, scene: Scene<'_>) -> Result<Ending, Failure> {
    let host = Host::open(scene.places)?;
    let progress = Progress::new(scene.shared.json, scene.shared.verbose > 0);
    let worked = unless_interrupted(work(args, &host, &progress)).await;
    progress.clear();
    stop(host.stop(STOP_GRACE)).await;
    let Outcome::Done(ended) = worked else { return Err(Failure::Interrupted) };
    Ok(match ended? {
        Ok(output) => Ending::Done { result: output.result, execution_time_ms: output.execution_time_ms },
        Err(failed) => {
            let (error, exit_reason) = *failed;
            Ending::Failed { error: Box::new(error), exit_reason, door: Door::Embedded }
        }
    })
}

/// By a running server.
async fn served(args: &Call, scene: Scene<'_>) -> Result<Ending, Failure> {
    let client = scene.client()?;
    let progress = Progress::new(scene.shared.json, scene.shared.verbose > 0);
    let worked = unless_interrupted(async {
        let name = format!("{}.{}", args.plugin, args.tool);
        progress.waiting(&name, client.shown());
        let tools = client.tools(&args.plugin).await?;
        let info = tools.iter().find(|tool| tool.name == args.tool);
        let schema_of = |name: &str| info?.input_schema.get("properties")?.get(name);
        let document = fields::document(args.input_json.as_deref(), &args.fields, schema_of)?;
        let call = ToolCall {
            plugin: &args.plugin,
            tool: &args.tool,
            args: document,
            timeout: args.timeout,
            streaming: info.is_some_and(|info| info.streaming),
        };
        client.call(call, &|note| progress.note(&name, &note)).await
    })
    .await;
    progress.clear();
    let Outcome::Done(ended) = worked else { return Err(Failure::Interrupted) };
    Ok(match ended? {
        Ok(called) => Ending::Done { result: called.result, execution_time_ms: called.execution_time_ms },
        Err(failed) => {
            let FailedCall { error, exit_reason } = *failed;
            Ending::Failed { error: Box::new(error), exit_reason, door: Door::Server }
        }
    })
}

async fn work(args: &Call, host: &Host, progress: &Progress) -> Result<Ended, Failure> {
    let worker = host.start(&args.plugin, &|event| progress.host(event)).await?;
    let schema_of = |name: &str| argument_schema(&worker, &args.tool, name);
    let document = fields::document(args.input_json.as_deref(), &args.fields, schema_of)?;
    let mut request = CallRequest::new(&args.tool, Payload::object(document));
    request.timeout = args.timeout.into();
    let name = format!("{}.{}", args.plugin, args.tool);
    let ended = call(&worker, request, &|note| progress.note(&name, &note)).await;
    progress.output(&args.plugin, worker.output());
    Ok(ended)
}

/// `2.5` as a duration.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is not a number of seconds"))?;
    if seconds.is_nan() || seconds <= 0.0 {
        return Err(format!("`{text}` is not a time above zero"));
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= CALL_TIMEOUT_MAX => Ok(time.max(Duration::from_millis(1))),
        _ => Err(format!("`{text}` is more than a week, the longest timeout")),
    }
}
