//! How one call ended, shown the same whichever way it went: embedded or over a server.
//!
//! Owns the JSON document and the exit code of a call.

use super::exit_code::Code;
use super::told::Door;
use super::{files, show, terminal, told};
use crate::embedded::Failure;
use hardpoint_model::{ExitReason, JobError};
use hardpoint_wire::Payload;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The end of a call.
pub(super) enum Ending {
    Done { result: Payload, execution_time_ms: f64 },
    Failed { error: Box<JobError>, exit_reason: Option<ExitReason>, door: Door },
}

/// Where and how it is shown.
pub(super) struct Place<'a> {
    pub(super) plugin: &'a str,
    pub(super) out: Option<&'a Path>,
    pub(super) json: bool,
}

/// A call that went well, for scripts.
#[derive(Serialize)]
struct Success {
    ok: bool,
    result: Value,
    execution_time_ms: f64,
}

pub(super) fn show(ending: Ending, place: &Place<'_>) -> Result<Code, Failure> {
    match ending {
        Ending::Done { result, execution_time_ms } if place.json => {
            let result = files::to_json(result, place.out)?;
            terminal::print_json(&Success { ok: true, result, execution_time_ms })?;
            Ok(Code::Ok)
        }
        Ending::Done { result, .. } => {
            let out = place.out.map_or_else(|| PathBuf::from("out").join(place.plugin), Path::to_owned);
            show::result(result, |_| false, &out)?;
            Ok(Code::Ok)
        }
        Ending::Failed { error, exit_reason, door } => {
            if place.json {
                let mut document = json!({"ok": false, "error": error.message, "error_type": error.error_type,
                    "category": error.category, "retriable": error.retriable, "traceback": error.traceback,
                    "fields_invalid": error.fields_invalid, "resource_shortfall": error.resource_shortfall,
                    "retry_after_seconds": error.retry_after_seconds, "original_exc_repr": error.original_exc_repr});
                if let (Some(reason), Some(fields)) = (exit_reason, document.as_object_mut()) {
                    fields.insert("exit_reason".to_owned(), json!(reason));
                }
                terminal::print_json(&document)?;
            } else {
                told::tell(&error, None, door);
            }
            Ok(told::code_of(&error))
        }
    }
}
