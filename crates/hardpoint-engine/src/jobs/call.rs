//! One try of one stage: the call on its worker, its progress on the way, its end.
//!
//! Owns the translation between a job and a call. Must not decide what follows from an end.

use super::Reply;
use super::core::{Input, NOT_BEGUN};
use super::limits::PROGRESS_EVERY;
use crate::call::{CallFailure, CallStep, Refusal};
use crate::engine::Engine;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use hardpoint_model::job::{Job, JobId};
use hardpoint_model::{Category, ExitReason, JobError, PluginState};
use hardpoint_supervisor::{CallRequest, Note};
use hardpoint_wire::{Blob, JobRef, Payload, Progress};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// How the running calls are asked to stop.
#[derive(Debug, Default)]
pub(super) struct Stops(HashMap<JobId, oneshot::Sender<()>>);

impl Stops {
    pub(super) fn begin(&mut self, job: JobId) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        self.0.insert(job, stop);
        stopped
    }

    pub(super) fn stop(&mut self, job: JobId) {
        if let Some(stop) = self.0.remove(&job) {
            let _ = stop.send(());
        }
    }

    pub(super) fn forget(&mut self, job: JobId) {
        self.0.remove(&job);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many stages an instance can run now, or why none.
pub(super) fn places(engine: &Engine, instance: &str) -> Result<u32, String> {
    let Ok(plugin) = engine.plugin(instance) else {
        return Err(format!("there is no plugin `{instance}` now"));
    };
    if !plugin.is_enabled() {
        return Err(format!("plugin `{instance}` is disabled"));
    }
    if !plugin.takes_calls() {
        return Err(Refusal::of(&plugin).to_string());
    }
    Ok(plugin.manifest().map_or(1, |manifest| manifest.limits.concurrency))
}

/// Calls the tool and tells the loop of its progress and its end.
pub(super) async fn run(
    engine: Engine,
    inputs: mpsc::Sender<Input<Reply>>,
    id: JobId,
    attempt: u32,
    job: Job,
    stop: oneshot::Receiver<()>,
) {
    let (result, forced) = attempt_it(&engine, &inputs, id, attempt, job, stop).await;
    let result = result.map_err(Box::new);
    let _ = inputs.send(Input::Ended { job: id, attempt, result, forced }).await;
}

async fn attempt_it(
    engine: &Engine,
    inputs: &mpsc::Sender<Input<Reply>>,
    id: JobId,
    attempt: u32,
    job: Job,
    mut wish: oneshot::Receiver<()>,
) -> (Result<Value, JobError>, bool) {
    let Some(stage) = job.stages.into_iter().next() else {
        return (Err(JobError::new(Category::Fatal, "HostError", "a job without a stage")), false);
    };
    let plugin = stage.plugin.to_string();
    let args = match arguments(Value::Object(stage.args)) {
        Ok(args) => args,
        Err(error) => return (Err(error), false),
    };
    let mut request = CallRequest::new(&stage.tool, args);
    request.job = Some(JobRef { job_id: id.to_string(), stage: 0, attempt });
    let mut call = match engine.begin(&plugin, request).await {
        Ok(call) => call,
        Err(failure) => return failed(failure),
    };
    let (mut asked, mut told, mut last) = (false, Instant::now(), None);
    loop {
        let step = tokio::select! {
            step = call.next() => step,
            _ = &mut wish, if !asked => {
                asked = true;
                call.cancel().await;
                continue;
            }
        };
        match step {
            Some(CallStep::Note(Note::Progress(progress))) => {
                if told.elapsed() >= PROGRESS_EVERY {
                    told = Instant::now();
                    last = None;
                    let _ = inputs.try_send(progress_input(id, attempt, progress));
                } else {
                    last = Some(progress);
                }
            }
            Some(CallStep::Note(_) | CallStep::Item(_)) => {}
            Some(CallStep::End(ended)) => {
                // The last word on progress is never lost.
                if let Some(progress) = last {
                    let _ = inputs.send(progress_input(id, attempt, progress)).await;
                }
                return match ended {
                    Ok(done) => (document(done.output.result), false),
                    Err(failure) => failed(failure),
                };
            }
            None => {
                return (Err(JobError::new(Category::Fatal, "HostError", "a call without an end")), false);
            }
        }
    }
}

fn progress_input(job: JobId, attempt: u32, progress: Progress) -> Input<Reply> {
    Input::Progress { job, attempt, progress: progress.fraction.unwrap_or(-1.0), message: progress.message }
}

fn failed(failure: CallFailure) -> (Result<Value, JobError>, bool) {
    match failure {
        CallFailure::Failed(failed) => {
            let forced = matches!(failed.exit_reason, Some(ExitReason::Cancelled { .. }));
            (Err(failed.error), forced)
        }
        CallFailure::Refused(refusal) => {
            let broken = matches!(
                &refusal,
                Refusal::NotReady { state: PluginState::Failed | PluginState::Unavailable, .. }
            );
            let category = if broken { Category::Fatal } else { Category::Transient };
            (Err(JobError::new(category, NOT_BEGUN, refusal.to_string())), false)
        }
    }
}

/// `{"$bytes": base64}` anywhere in the arguments is binary.
fn arguments(value: Value) -> Result<Payload, JobError> {
    Ok(match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("$bytes") => {
            let text = map.get("$bytes").and_then(Value::as_str).unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|e| bad_bytes(&e.to_string()))?;
            Payload::blob(Blob::new(bytes.into()).map_err(|e| bad_bytes(&e.to_string()))?)
        }
        Value::Object(map) => {
            let fields = map.into_iter().map(|(name, value)| Ok((name, arguments(value)?)));
            Payload::object(fields.collect::<Result<Vec<_>, JobError>>()?)
        }
        Value::Array(items) => {
            Payload::list(items.into_iter().map(arguments).collect::<Result<Vec<_>, JobError>>()?)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Payload::literal(plain)
        }
    })
}

fn bad_bytes(why: &str) -> JobError {
    JobError::new(Category::UserInput, "InvalidArgument", format!("`$bytes` cannot be used: {why}"))
}

/// The other way round.
fn document(result: Payload) -> Result<Value, JobError> {
    let mut bytes = |blob: &Blob| blob.to_bytes().map(|bytes| json!({"$bytes": STANDARD.encode(&bytes)}));
    result.into_document(&mut bytes).map_err(|e| {
        JobError::new(
            Category::Fatal,
            "ResultNotSerializable",
            format!("its binary data cannot be read: {e}"),
        )
    })
}
