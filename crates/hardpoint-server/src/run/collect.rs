//! A streaming tool for a caller who wants one document: its items are collected, up to a bound.

use super::answer::{self, Subject};
use crate::app::App;
use crate::limits::RESULT_BYTES_MAX;
use crate::problem::{Code, FailedRun, Problem};
use hardpoint_engine::jobs::limits::{ITEMS_BYTES_MAX, ITEMS_MAX};
use hardpoint_engine::{CallStep, Done};
use hardpoint_model::Category;
use hardpoint_supervisor::CallRequest;
use serde_json::Value;

pub(super) async fn collected(
    app: &App,
    subject: &Subject,
    call: CallRequest,
) -> Result<(Done, Vec<Value>), Box<FailedRun>> {
    let mut running =
        app.engine.begin(&subject.plugin, call).await.map_err(|failure| subject.failed(failure))?;
    let (mut items, mut bytes): (Vec<Value>, usize) = (Vec::new(), 0);
    while let Some(step) = running.next().await {
        match step {
            CallStep::Note(_) => {}
            CallStep::Item(item) => {
                let item = item.into_json(RESULT_BYTES_MAX).map_err(|e| answer::unwritable(subject, &e))?;
                bytes = bytes.saturating_add(size(&item));
                if items.len() >= ITEMS_MAX || bytes > ITEMS_BYTES_MAX {
                    return Err(too_long(subject));
                }
                items.push(item);
            }
            CallStep::End(Ok(done)) => return Ok((done, items)),
            CallStep::End(Err(failure)) => return Err(subject.failed(failure)),
        }
    }
    Err(subject.problem(Problem::new(Code::Internal, "the call ended without an answer")))
}

/// Leaving drops the call, which cancels it.
fn too_long(subject: &Subject) -> Box<FailedRun> {
    let detail = format!(
        "`{}.{}` streams more than {ITEMS_MAX} items or {ITEMS_BYTES_MAX} bytes; the call was cancelled",
        subject.plugin, subject.tool
    );
    let hint = "ask for a stream: `Accept: application/x-ndjson` or `text/event-stream`";
    let mut run = subject.problem(Problem::new(Code::StreamTooLong, detail).hint(hint));
    "StreamTooLong".clone_into(&mut run.error_type);
    run.category = Category::UserInput;
    run
}

/// About how many bytes a value takes, without writing it.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>(),
    }
}
