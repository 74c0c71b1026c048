//! `hardpoint call PLUGIN TOOL [name=value …]`: one tool, one answer.

use super::exit_code::Code;
use super::fields::{self, FIELD_HELP, Field};
use super::interrupt::{Outcome, stop, unless_interrupted};
use super::progress::Progress;
use super::{Shared, files, show, terminal, told};
use crate::embedded::{Ended, Failure, Host, Places, argument_schema, call};
use clap::Args;
use hardpoint_supervisor::CallRequest;
use hardpoint_supervisor::limits::CALL_TIMEOUT_MAX;
use hardpoint_wire::Payload;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// One call.
#[derive(Debug, Args)]
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

pub(super) async fn run(args: Call, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    fields::check_files(&args.fields)?;
    let host = Host::open(places)?;
    let progress = Progress::new(shared.json, shared.verbose > 0);
    let worked = unless_interrupted(work(&args, &host, &progress)).await;
    progress.clear();
    stop(host).await;
    match worked {
        Outcome::Done(ended) => answer(ended?, &args, shared),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

async fn work(args: &Call, host: &Host, progress: &Progress) -> Result<Ended, Failure> {
    let worker = host.start(&args.plugin, &|event| progress.host(event)).await?;
    let schema_of = |name: &str| argument_schema(&worker, &args.tool, name);
    let document = fields::document(args.input_json.as_deref(), &args.fields, schema_of)?;
    let mut request = CallRequest::new(&args.tool, Payload::object(document));
    request.timeout = args.timeout;
    let name = format!("{}.{}", args.plugin, args.tool);
    let ended = call(&worker, request, &|note| progress.note(&name, &note)).await;
    progress.output(&args.plugin, worker.output());
    Ok(ended)
}

/// A call that went well, for scripts.
#[derive(Serialize)]
struct Success {
    ok: bool,
    result: Value,
    execution_time_ms: f64,
}

fn answer(ended: Ended, args: &Call, shared: &Shared) -> Result<Code, Failure> {
    match ended {
        Ok(output) if shared.json => {
            let execution_time_ms = output.execution_time_ms;
            let result = files::to_json(output.result, args.out.as_deref())?;
            terminal::print_json(&Success { ok: true, result, execution_time_ms })?;
            Ok(Code::Ok)
        }
        Ok(output) => {
            let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&args.plugin));
            show::result(output.result, |_| false, &out)?;
            Ok(Code::Ok)
        }
        Err(failed) => {
            let (error, exit_reason) = *failed;
            if shared.json {
                let mut document = json!({"ok": false, "error": error.message, "error_type": error.error_type,
                    "category": error.category, "traceback": error.traceback, "fields_invalid": error.fields_invalid});
                if let (Some(reason), Some(fields)) = (exit_reason, document.as_object_mut()) {
                    fields.insert("exit_reason".to_owned(), json!(reason));
                }
                terminal::print_json(&document)?;
            } else {
                told::tell(&error, None);
            }
            Ok(told::code_of(&error))
        }
    }
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
