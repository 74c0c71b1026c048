//! One try of one stage: the call on its worker, what it tells on the way, its end.
//!
//! Owns the translation between a job and a call. Must not decide what follows from an end.

use super::core::{Called, Input, NOT_BEGUN};
use super::limits::{ITEMS_BYTES_MAX, ITEMS_MAX};
use super::progress::Coalesced;
use super::usage::Meter;
use super::{Place, Reply, values};
use crate::call::{CallFailure, CallStep, Done, Refusal, RunningCall};
use crate::engine::Engine;
use hardpoint_model::job::{EventKind, JobId};
use hardpoint_model::{Category, ExitReason, JobError, PluginState};
use hardpoint_store::Store;
use hardpoint_supervisor::{CallRequest, Note};
use hardpoint_wire::{JobRef, Payload};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
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

/// How many stages an instance can run at once, or why it can run none now.
pub(super) fn places(engine: &Engine, instance: &str) -> Result<Place, String> {
    let Ok(plugin) = engine.plugin(instance) else {
        return Err(format!("there is no plugin `{instance}` now"));
    };
    if !plugin.is_enabled() {
        return Err(format!("plugin `{instance}` is disabled"));
    }
    if !plugin.takes_calls() {
        return Err(Refusal::of(&plugin).to_string());
    }
    let stages_max = plugin.manifest().map_or(1, |manifest| manifest.limits.concurrency);
    Ok(Place { stages_max, incarnation: plugin.incarnation })
}

/// What a try needs of its host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) inputs: mpsc::Sender<Input<Reply>>,
    pub(super) cancel_grace: Duration,
    pub(super) snapshot_every: Duration,
}

/// Why a try brought no result, and whether its worker had to be ended for it.
struct Broke {
    error: JobError,
    forced: bool,
}

impl Broke {
    fn of(error: JobError) -> Self {
        Self { error, forced: false }
    }
}

/// Calls the tool, and tells the loop of its progress and its end.
pub(super) async fn run(host: Host, called: Called, stop: oneshot::Receiver<()>) {
    let (job, attempt) = (called.job, called.attempt);
    let (result, forced) = match attempt_it(&host, called, stop).await {
        Ok(value) => (Ok(value), false),
        Err(Broke { error, forced }) => (Err(Box::new(error)), forced),
    };
    let _ = host.inputs.send(Input::Ended { job, attempt, result, forced }).await;
}

async fn attempt_it(host: &Host, called: Called, stop: oneshot::Receiver<()>) -> Result<Value, Broke> {
    let args = match called.args {
        Some(args) => (*args).clone(),
        None => host.store.args(called.job, called.stage).await.map_err(|e| unreadable(&e))?,
    };
    let args = values::arguments(Value::Object(args)).map_err(Broke::of)?;
    let mut request = CallRequest::new(&called.tool, args);
    request.job =
        Some(JobRef { job_id: called.job.to_string(), stage: called.stage, attempt: called.attempt });
    let call = host.engine.begin(&called.plugin.to_string(), request).await.map_err(failed)?;
    let mut running = Running {
        host,
        meter: Meter::new(&host.engine, call.pid(), host.snapshot_every),
        call,
        job: called.job,
        attempt: called.attempt,
        progress: Coalesced::default(),
        items: Items::default(),
    };
    running.run(stop).await
}

/// A call in flight.
struct Running<'a> {
    host: &'a Host,
    call: RunningCall,
    job: JobId,
    attempt: u32,
    progress: Coalesced,
    meter: Meter,
    items: Items,
}

impl Running<'_> {
    async fn run(&mut self, mut wish: oneshot::Receiver<()>) -> Result<Value, Broke> {
        let mut asked = false;
        loop {
            tokio::select! {
                step = self.call.next() => match step {
                    Some(CallStep::Note(Note::Progress(progress))) => self.progress.push(progress),
                    Some(CallStep::Note(Note::Log(_) | Note::Usage(_))) => {}
                    Some(CallStep::Item(item)) => self.items.push(item)?,
                    Some(CallStep::End(ended)) => return self.ended(ended).await,
                    None => return Err(host_error("a call without an end")),
                },
                _ = &mut wish, if !asked => {
                    asked = true;
                    self.call.cancel_within(self.host.cancel_grace).await;
                }
                progress = self.progress.due() => self.tell(progress).await,
                used = self.meter.read() => self.tell(used).await,
            }
        }
    }

    async fn ended(&mut self, ended: Result<Done, CallFailure>) -> Result<Value, Broke> {
        // The last word on progress is never lost.
        if let Some(progress) = self.progress.take() {
            self.tell(progress).await;
        }
        let result = ended.map_err(failed)?.output.result;
        match std::mem::take(&mut self.items) {
            Items { values, is_stream: true, .. } => Ok(json!({"items": values})),
            Items { is_stream: false, .. } => values::document(result).map_err(Broke::of),
        }
    }

    async fn tell(&self, what: EventKind) {
        let _ = self.host.inputs.send(Input::Told { job: self.job, attempt: self.attempt, what }).await;
    }
}

/// What a streaming tool has brought so far: together, as `items`, they are the result of its stage.
#[derive(Default)]
struct Items {
    values: Vec<Value>,
    bytes: usize,
    is_stream: bool,
}

impl Items {
    /// Leaving with an error drops the call, which cancels it.
    fn push(&mut self, item: Payload) -> Result<(), Broke> {
        let item = values::document(item).map_err(Broke::of)?;
        self.is_stream = true;
        self.bytes = self.bytes.saturating_add(values::size(&item));
        if self.values.len() >= ITEMS_MAX || self.bytes > ITEMS_BYTES_MAX {
            let message = format!("it streams more than {ITEMS_MAX} items or {ITEMS_BYTES_MAX} bytes");
            return Err(Broke::of(JobError::new(Category::UserInput, "StreamTooLong", message)));
        }
        self.values.push(item);
        Ok(())
    }
}

fn failed(failure: CallFailure) -> Broke {
    match failure {
        CallFailure::Failed(failed) => {
            let forced = matches!(failed.exit_reason, Some(ExitReason::Cancelled { .. }));
            Broke { error: failed.error, forced }
        }
        CallFailure::Refused(refusal) => {
            let broken = matches!(
                &refusal,
                Refusal::NotReady { state: PluginState::Failed | PluginState::Unavailable, .. }
            );
            let category = if broken { Category::Fatal } else { Category::Transient };
            Broke::of(JobError::new(category, NOT_BEGUN, refusal.to_string()))
        }
    }
}

fn unreadable(error: &hardpoint_store::StoreError) -> Broke {
    Broke::of(JobError::new(Category::Transient, NOT_BEGUN, format!("its arguments cannot be read: {error}")))
}

fn host_error(what: &str) -> Broke {
    Broke::of(JobError::new(Category::Fatal, "HostError", what))
}
