//! One try of one stage: the call on its worker, what it tells on the way, its end.
//!
//! Owns the translation between a job and a call. Must not decide what follows from an end.

use super::core::{Called, Input, NOT_BEGUN};
use super::fold::check_output;
use super::limits::{ITEMS_BYTES_MAX, ITEMS_MAX};
use super::outputs::Outputs;
use super::progress::Coalesced;
use super::rooms::Rooms;
use super::usage::Meter;
use super::{Down, Place, Reply, Until, values};
use crate::call::{CallFailure, CallStep, Done, Refusal, RunningCall};
use crate::engine::Engine;
use crate::schedule::Permit;
use crate::snapshot::PluginView;
use hardpoint_model::job::{EventKind, JobId};
use hardpoint_model::{Category, ExitReason, JobError, PluginState};
use hardpoint_store::Output;
use hardpoint_supervisor::{CallRequest, Note};
use hardpoint_wire::{Blob, JobRef, Payload};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
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
pub(super) fn places(engine: &Engine, rooms: &mut Rooms, instance: &str) -> Result<Place, Down> {
    let plugin = callable(engine, instance).inspect_err(|_| rooms.let_go(instance))?;
    rooms.look(engine, &plugin)?;
    if plugin.rests() {
        if plugin.starting().is_none() {
            engine.start_waking(instance);
        }
        let reason = format!("plugin `{instance}` had made room for another and is started again");
        return Err(Down { reason, until: Until::Soon });
    }
    let stages_max = plugin.concurrency().unwrap_or(1);
    Ok(Place { stages_max, incarnation: plugin.incarnation })
}

/// The plugin, if it takes calls, or would after it was started again.
fn callable(engine: &Engine, instance: &str) -> Result<Arc<PluginView>, Down> {
    let down = |reason| Down { reason, until: Until::Wanted };
    let Ok(plugin) = engine.plugin(instance) else {
        return Err(down(format!("there is no plugin `{instance}` now")));
    };
    if !plugin.is_enabled() {
        return Err(down(format!("plugin `{instance}` is disabled")));
    }
    if !plugin.answers() {
        let broken =
            plugin.stays_down() && matches!(plugin.state(), PluginState::Failed | PluginState::Unavailable);
        let until = match (broken, plugin.stays_down()) {
            (true, _) => Until::Mended,
            (false, true) => Until::Wanted,
            (false, false) => Until::Soon,
        };
        return Err(Down { reason: Refusal::of(&plugin).to_string(), until });
    }
    Ok(plugin)
}

/// What a try needs of its host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) engine: Engine,
    pub(super) outputs: Outputs,
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
pub(super) async fn run(
    host: Host,
    called: Called,
    permit: Option<Arc<Permit>>,
    stop: oneshot::Receiver<()>,
) {
    let (job, attempt) = (called.job, called.attempt);
    let instance = called.plugin.to_string();
    let plugin = host.engine.plugin_of(&instance);
    let (result, forced) = match attempt_it(&host, called, permit, stop).await {
        Ok(output) => (Ok(output), false),
        Err(Broke { error, forced }) => (Err(Box::new(error.of_instance(&plugin, &instance))), forced),
    };
    let _ = host.inputs.send(Input::Ended { job, attempt, result, forced }).await;
}

async fn attempt_it(
    host: &Host,
    called: Called,
    permit: Option<Arc<Permit>>,
    stop: oneshot::Receiver<()>,
) -> Result<Box<Output>, Broke> {
    let instance = called.plugin.to_string();
    let args = arguments(host, &called, &instance).await?;
    let mut request = CallRequest::new(&called.tool, args);
    request.timeout = called.timeout;
    request.job =
        Some(JobRef { job_id: called.job.to_string(), stage: called.stage, attempt: called.attempt });
    let call = host.engine.begin_with(&instance, request, permit).await.map_err(failed)?;
    let mut running = Running {
        host,
        meter: Meter::new(&host.engine, call.pid(), host.snapshot_every),
        call,
        called: &called,
        progress: Coalesced::default(),
        items: None,
    };
    let payload = running.run(stop).await?;
    if let Some(pipeline) = &called.pipeline {
        let index = usize::try_from(called.stage).unwrap_or(usize::MAX);
        check_output(pipeline, index, &payload).map_err(Broke::of)?;
    }
    let place = (called.job, called.stage, called.attempt);
    host.outputs.keep(payload, place).await.map(Box::new).map_err(Broke::of)
}

async fn arguments(host: &Host, called: &Called, instance: &str) -> Result<Payload, Broke> {
    if let Some(pipeline) = &called.pipeline {
        let known = host.outputs.known(called.job, called.stage).await.map_err(|e| unreadable(&e))?;
        let plugin = host.engine.plugin(instance).ok();
        let tool = plugin.as_ref().and_then(|plugin| plugin.tool(&called.tool));
        return known.arguments(pipeline, tool.map(|tool| &tool.info.input_schema)).map_err(Broke::of);
    }
    match &called.args {
        Some(args) => values::arguments(Value::Object((**args).clone())).map_err(Broke::of),
        None => host.outputs.args(called.job).await.map_err(|e| unreadable(&e)),
    }
}

/// A call in flight.
struct Running<'a> {
    host: &'a Host,
    call: RunningCall,
    called: &'a Called,
    progress: Coalesced,
    meter: Meter,
    items: Option<Items>,
}

impl Running<'_> {
    async fn run(&mut self, mut wish: oneshot::Receiver<()>) -> Result<Payload, Broke> {
        let mut asked = false;
        loop {
            tokio::select! {
                step = self.call.next() => match step {
                    Some(CallStep::Note(Note::Progress(progress))) => self.progress.push(progress),
                    Some(CallStep::Note(Note::Log(_) | Note::Usage(_))) => {}
                    Some(CallStep::Item(item)) => self.items.get_or_insert_default().push(item)?,
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

    async fn ended(&mut self, ended: Result<Done, CallFailure>) -> Result<Payload, Broke> {
        // The last word on progress is never lost.
        if let Some(progress) = self.progress.take() {
            self.tell(progress).await;
        }
        let result = ended.map_err(failed)?.output.result;
        let items = self.items.take().map(|items| Payload::list(items.values));
        Ok(items.map_or(result, |items| Payload::object([("items".to_owned(), items)])))
    }

    async fn tell(&self, what: EventKind) {
        let (job, attempt) = (self.called.job, self.called.attempt);
        let _ = self.host.inputs.send(Input::Told { job, attempt, what }).await;
    }
}

/// What a streaming tool has brought so far: together, as `items`, they are the result of its stage.
#[derive(Default)]
struct Items {
    values: Vec<Payload>,
    bytes: usize,
}

impl Items {
    /// Leaving with an error drops the call, which cancels it.
    fn push(&mut self, item: Payload) -> Result<(), Broke> {
        let binary = item.blobs.iter().map(Blob::len).sum::<u64>();
        let bytes = values::size(&item.value).saturating_add(usize::try_from(binary).unwrap_or(usize::MAX));
        self.bytes = self.bytes.saturating_add(bytes);
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
            Broke {
                error: JobError { exit_reason: failed.exit_reason.map(Box::new), ..failed.error },
                forced,
            }
        }
        CallFailure::Refused(Refusal::NoRoom(shortage)) => Broke::of(shortage.to_job_error()),
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
