//! One call on an embedded worker.
//!
//! Owns the way from a worker's events to one end. Must not know the terminal.

use hardpoint_model::{ExitReason, JobError};
use hardpoint_supervisor::{CallEvent, CallOutput, CallRequest, Note, Worker, WorkerLost};
use hardpoint_wire::Payload;

/// How a call ended: what it brought, or why not and how its worker ended for it.
pub(crate) type Ended = Result<CallOutput, Box<(JobError, Option<ExitReason>)>>;

/// One call, with its notes; a lost worker becomes the error of the call.
pub(crate) async fn call(worker: &Worker, request: CallRequest, on_note: &(dyn Fn(Note) + Sync)) -> Ended {
    let plugin = worker.instance().to_owned();
    let streaming = worker.tools().get(&request.tool).is_some_and(|tool| tool.info.streaming);
    let mut call = worker.begin(request).await.map_err(|error| Box::new((error, None)))?;
    let mut items = Vec::new();
    loop {
        match call.next().await {
            CallEvent::Note(note) => on_note(note),
            CallEvent::Item(item) => items.push(item),
            CallEvent::End(end) => {
                let mut ended = ended(end, &plugin);
                if let Some(output) = ended.as_mut().ok().filter(|_| streaming) {
                    output.result = Payload::object([("items".to_owned(), Payload::list(items))]);
                }
                return ended;
            }
        }
    }
}

/// The outer and the inner error as one.
fn ended(end: Result<Result<CallOutput, JobError>, WorkerLost>, plugin: &str) -> Ended {
    match end {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(Box::new((error, None))),
        Err(lost) => Err(Box::new((lost.to_job_error(plugin), Some(lost.exit.reason.clone())))),
    }
}
