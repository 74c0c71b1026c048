//! The decisions about one worker.
//!
//! Owns its state: calls, handshake, what it is being ended for. Pure in this sense: it gets an input and
//! the time, and leaves effects for the actor. It never waits, reads or signals.

mod budget;
mod ending;

use self::budget::Budget;
use self::ending::{CLEANUP, Ending};
use super::calls::{Calls, Cause, Due, Entry};
use super::command::{CallOutput, Command, Hook, Note, Reply, Request, Work};
use super::handshake::{Handshake, Known, Step};
use super::loss::{StartFailure, WorkerLost, start_failure};
use super::pipes::Delivery;
use crate::end::Intent;
use crate::limits::{CANCEL_GRACE, PREFETCH_TIMEOUT, UNASKED_PER_SECOND_MAX};
use crate::spec::{Bounds, WorkerSpec};
use crate::state::{WorkerEvent, WorkerState};
use hardpoint_model::{Category, Exit, JobError};
use hardpoint_process::{MemorySample, Signal};
use hardpoint_wire::limits::{CALLS_IN_FLIGHT_MAX, STREAM_CREDIT};
use hardpoint_wire::{
    Blob, CallFailed, CallResult, CancelPhase, FrameError, HostMessage, Item, Log, Payload, Pong, Unreadable,
    WorkerMessage,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(super) type StartReply = Result<Known, StartFailure>;

/// What the actor has to do.
#[derive(Debug)]
pub(super) enum Effect {
    Send(HostMessage, Vec<Blob>),
    Signal(Signal),
    /// Kill what the worker has started since, and leave the worker alone.
    EndStarted {
        since: Instant,
    },
    Answer(oneshot::Sender<Reply>, Reply),
    AnswerPing(oneshot::Sender<Pong>, Pong),
    AnswerStart(oneshot::Sender<StartReply>, Box<StartReply>),
    Captured(Log),
}

pub(super) struct Core {
    plugin: String,
    state: WorkerState,
    bounds: Bounds,
    calls: Calls,
    pings: BTreeMap<u64, oneshot::Sender<Pong>>,
    start: Option<Start>,
    ending: Option<Ending>,
    unasked: Budget,
    effects: Vec<Effect>,
}

/// While the worker is not ready.
struct Start {
    handshake: Handshake,
    deadline: Instant,
    reply: oneshot::Sender<StartReply>,
    failure: Option<Box<JobError>>,
}

impl Core {
    pub(super) fn new(spec: &WorkerSpec, reply: oneshot::Sender<StartReply>, now: Instant) -> Self {
        let handshake = Handshake::new(spec);
        let deadline = now + spec.bounds.startup;
        Self {
            plugin: spec.plugin.name.clone(),
            state: WorkerState::Spawning,
            bounds: spec.bounds.clone(),
            calls: Calls::default(),
            pings: BTreeMap::new(),
            start: Some(Start { handshake, deadline, reply, failure: None }),
            ending: None,
            unasked: Budget::new(now),
            effects: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> &WorkerState {
        &self.state
    }

    /// Whether deadlines are near enough to be looked at often.
    pub(super) fn is_active(&self) -> bool {
        !self.calls.is_empty() || self.start.is_some() || self.ending.is_some()
    }

    /// Whether an answer is waited for.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The call that the worker has, if it has just one.
    pub(super) fn only_call(&self) -> Option<u64> {
        self.calls.only()
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Why the host ended it, if it did.
    pub(super) fn intent(&self) -> Option<Intent> {
        self.ending.as_ref().map(|ending| ending.intent.clone())
    }

    pub(super) fn on_started(&mut self, hello: HostMessage) {
        self.advance(WorkerEvent::Started);
        self.effects.push(Effect::Send(hello, Vec::new()));
    }

    pub(super) fn on_message(&mut self, message: WorkerMessage, now: Instant) {
        let message = match &mut self.start {
            Some(start) if start.failure.is_none() => match start.handshake.on(message) {
                Step::Other(message) => message,
                step => return self.on_step(step, now),
            },
            Some(_) | None => message,
        };
        match message {
            WorkerMessage::Result(result) => self.on_result(result, now),
            WorkerMessage::Error(failed) => self.on_error(*failed, now),
            WorkerMessage::Item(item) => self.on_item(item, now),
            WorkerMessage::Pong(pong) => {
                if let Some(reply) = self.pings.remove(&pong.id) {
                    self.effects.push(Effect::AnswerPing(reply, pong));
                }
            }
            WorkerMessage::Progress(progress) => {
                self.on_note(Some(progress.id), Note::Progress(progress), now);
            }
            WorkerMessage::Usage(usage) => self.on_note(Some(usage.id), Note::Usage(usage), now),
            WorkerMessage::Log(log) => {
                self.effects.push(Effect::Captured(log.clone()));
                self.on_note(log.id, Note::Log(log), now);
            }
            WorkerMessage::Ready(_) => self.violated("it said `ready` twice".to_owned()),
        }
    }

    pub(super) fn on_unreadable(&mut self, unreadable: &Unreadable, now: Instant) {
        match unreadable {
            Unreadable::UnknownType(_) => self.spend_unasked(now),
            Unreadable::Malformed(_) => self.violated(unreadable.to_string()),
        }
    }

    /// A message that does not fit a frame fails its call; the worker never hears of it.
    pub(super) fn on_unsendable(&mut self, message: &HostMessage, error: &FrameError) {
        let HostMessage::Call { id, tool, .. } = message else { return };
        let Some(entry) = self.calls.remove(*id) else { return };
        let message = format!("`{}.{tool}`: the arguments cannot be sent: {error}", self.plugin);
        let error = JobError::new(Category::UserInput, "ArgumentsTooLarge", message).of_plugin(&self.plugin);
        self.effects.push(Effect::Answer(entry.pipes.reply, Ok(Err(error))));
        if self.calls.is_empty() {
            self.advance(WorkerEvent::CallsEnded);
        }
    }

    pub(super) fn on_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Request(request) => self.on_request(request, now),
            Command::Cancel { id, grace } => {
                self.calls.cancel(id, grace, now);
                self.climb(now);
            }
            Command::Credit { id, items } => {
                if self.calls.get_mut(id).is_some() {
                    self.effects.push(Effect::Send(HostMessage::Credit { id, items }, Vec::new()));
                }
            }
            Command::Ping { id, reply } => {
                if self.pings.len() < CALLS_IN_FLIGHT_MAX {
                    self.pings.insert(id, reply);
                    self.effects.push(Effect::Send(HostMessage::Ping { id }, Vec::new()));
                }
            }
            Command::Stop { grace } => self.on_stop(grace, now),
            Command::Kill => self.kill(Intent::Stop),
        }
    }

    pub(super) fn on_tick(&mut self, now: Instant) {
        self.climb(now);
        self.pings.retain(|_, reply| !reply.is_closed());
        if let Some(start) =
            self.start.as_ref().filter(|start| start.deadline <= now && start.failure.is_none())
        {
            let phase = start.handshake.phase().to_owned();
            let timeout_ms = millis(self.bounds.startup);
            self.terminate(Intent::StartupTimeout { timeout_ms, phase }, now);
        }
        self.go_on_ending(now);
    }

    pub(super) fn on_memory(&mut self, sample: MemorySample, enforced_by_kernel: bool) {
        // The kernel may have killed a child and left the plugin alive: a breach is a breach.
        let breached = if enforced_by_kernel {
            sample.oom_kills > 0 && sample.limit_hits > 0
        } else {
            sample.current_bytes > self.bounds.memory_bytes
        };
        if breached {
            self.kill(Intent::MemoryLimit);
        }
    }

    /// No process is left. Everybody who still waits gets an answer.
    pub(super) fn on_gone(&mut self, exit: &Arc<Exit>) {
        let culprit = self.ending.as_ref().and_then(|ending| ending.culprit);
        for (id, entry) in self.calls.drain() {
            let lost = WorkerLost { exit: Arc::clone(exit), culprit: culprit == Some(id) };
            self.effects.push(Effect::Answer(entry.pipes.reply, Err(lost)));
        }
        if let Some(start) = self.start.take() {
            let failure = match start.failure {
                Some(error) => StartFailure { error, exit: Some(Arc::clone(exit)), announced: None },
                None => start_failure(&self.plugin, Arc::clone(exit)),
            };
            let announced = start.handshake.known().map(Known::announced);
            let failure = StartFailure { announced, ..failure };
            self.effects.push(Effect::AnswerStart(start.reply, Box::new(Err(failure))));
        }
        self.pings.clear();
        self.advance(WorkerEvent::Gone(exit.reason.clone()));
    }

    fn on_step(&mut self, step: Step, now: Instant) {
        match step {
            Step::Say(message) => self.effects.push(Effect::Send(message, Vec::new())),
            Step::Done(known) => {
                self.bounds.adopt(&known.ready.tools);
                if let Some(start) = self.start.take() {
                    self.effects.push(Effect::AnswerStart(start.reply, Box::new(Ok(*known))));
                }
                self.advance(WorkerEvent::HandshakeDone);
            }
            Step::Failed(error) => {
                if let Some(start) = &mut self.start {
                    start.failure = Some(error);
                }
                // A worker that could not import its plugin exits by itself; its own code is the truth.
                self.effects.push(Effect::Send(HostMessage::Shutdown, Vec::new()));
                let grace = self.bounds.grace.terminate;
                let ending = Ending::at(Intent::Stop, now + grace, grace);
                self.end(ending, now);
            }
            Step::Violation(detail) => self.violated(detail),
            Step::Other(_) => {}
        }
    }

    fn on_request(&mut self, request: Request, now: Instant) {
        let Request { id, work, pipes } = request;
        if !self.state.takes_calls() || self.calls.len() >= CALLS_IN_FLIGHT_MAX {
            let what = if self.state.takes_calls() { "has too many calls in flight" } else { "is stopping" };
            let message = format!("plugin `{}`: its worker {what}", self.plugin);
            let error = JobError::new(Category::Transient, "WorkerBusy", message).of_plugin(&self.plugin);
            self.effects.push(Effect::Answer(pipes.reply, Ok(Err(error))));
            return;
        }
        let (name, timeout, message, blobs) = match work {
            Work::Call(call) => {
                let own = self.bounds.tools.get(&call.tool).copied();
                let timeout = call.timeout.of(own, self.bounds.call);
                let Payload { value: args, blobs } = call.args;
                let (tool, timeout_ms, credit, job) =
                    (call.tool.clone(), Some(millis(timeout)), STREAM_CREDIT, call.job);
                (call.tool, timeout, HostMessage::Call { id, tool, args, timeout_ms, credit, job }, blobs)
            }
            Work::Hook(hook) => {
                let timeout = match hook {
                    Hook::Prefetch => PREFETCH_TIMEOUT,
                    // Whatever waits before it does not make it fail.
                    Hook::Reconfigure { .. } => self.calls.over_within(now) + self.bounds.call,
                    Hook::Enable | Hook::Disable | Hook::ConfigOptions => self.bounds.call,
                };
                (hook.name().to_owned(), timeout, hook_message(id, hook), Vec::new())
            }
        };
        if self.calls.is_empty() {
            self.advance(WorkerEvent::CallsBegan);
        }
        self.calls.insert(id, Entry::new(name, pipes, timeout, self.bounds.grace, now));
        self.effects.push(Effect::Send(message, blobs));
    }

    fn on_result(&mut self, message: CallResult, now: Instant) {
        let CallResult { id, result, execution_time_ms, items } = message;
        if id == CLEANUP {
            return self.effects.push(Effect::Send(HostMessage::Shutdown, Vec::new()));
        }
        let Some(entry) = self.calls.remove(id) else { return self.on_late(id, true) };
        self.end_what_it_started(&entry);
        let answer = match (result, entry.asked_because()) {
            // It finished after its time was over: the time decides, so that the answer is always the same.
            (_, Some(Cause::Deadline)) => Err(self.timed_out(&entry)),
            (Ok(result), Some(Cause::Cancelled) | None) => {
                Ok(CallOutput { result, execution_time_ms, items })
            }
            (Err(error), Some(Cause::Cancelled) | None) => {
                let message =
                    format!("`{}.{}` gave a result that cannot be used: {error}", self.plugin, entry.tool);
                Err(JobError::new(Category::Fatal, "ResultNotSerializable", message).of_plugin(&self.plugin))
            }
        };
        self.effects.push(Effect::Answer(entry.pipes.reply, Ok(answer)));
        self.call_ended(now);
    }

    fn on_error(&mut self, failed: CallFailed, now: Instant) {
        let CallFailed { id, error, .. } = failed;
        if id == CLEANUP {
            return self.effects.push(Effect::Send(HostMessage::Shutdown, Vec::new()));
        }
        let Some(entry) = self.calls.remove(id) else { return self.on_late(id, true) };
        self.end_what_it_started(&entry);
        let error = match entry.asked_because() {
            Some(Cause::Deadline) => self.timed_out(&entry),
            Some(Cause::Cancelled) | None => error.received().of_plugin(&self.plugin),
        };
        self.effects.push(Effect::Answer(entry.pipes.reply, Ok(Err(error))));
        self.call_ended(now);
    }

    fn on_item(&mut self, message: Item, now: Instant) {
        let Item { id, seq, item } = message;
        let Some(entry) = self.calls.get_mut(id) else { return self.on_late(id, false) };
        if seq != entry.next_item {
            let expected = entry.next_item;
            return self.violated(format!("it sent stream item {seq} where {expected} was next"));
        }
        entry.next_item += 1;
        let Ok(item) = item else {
            // One bad item spoils the stream; its call is asked to stop.
            return self.calls.cancel(id, CANCEL_GRACE, now);
        };
        match entry.pipes.item(item) {
            Delivery::Taken => {}
            Delivery::LetGo => {
                self.effects.push(Effect::Send(HostMessage::Credit { id, items: 1 }, Vec::new()));
            }
            Delivery::Overrun => self.violated("it sent more stream items than it had credit for".to_owned()),
        }
    }

    fn on_note(&mut self, id: Option<u64>, note: Note, now: Instant) {
        self.spend_unasked(now);
        if let Some(entry) = id.and_then(|id| self.calls.get_mut(id)) {
            entry.pipes.note(note);
        }
    }

    fn on_late(&mut self, id: u64, ends: bool) {
        if !self.calls.was_given_up(id, ends) {
            self.violated(format!("it answered request {id}, which was never made"));
        }
    }

    fn call_ended(&mut self, now: Instant) {
        if !self.calls.is_empty() {
            return;
        }
        let draining = self.state == WorkerState::Draining;
        self.advance(WorkerEvent::CallsEnded);
        if draining {
            self.clean_up();
        }
        self.climb(now);
    }

    fn climb(&mut self, now: Instant) {
        let concurrency = self.bounds.concurrency.max(1) as usize;
        for due in self.calls.climb(now, concurrency) {
            let ask = |id, phase| Effect::Send(HostMessage::Cancel { id, phase }, Vec::new());
            match due {
                Due::Ask(id) => self.effects.push(ask(id, CancelPhase::Cooperative)),
                Due::Interrupt(id) => self.effects.push(ask(id, CancelPhase::Interrupt)),
                Due::GiveUp(id) => self.give_up(id),
                Due::EndWorker(id) => self.end_for(id, now),
            }
        }
    }

    fn give_up(&mut self, id: u64) {
        let Some(entry) = self.calls.give_up(id) else { return };
        let error = match entry.asked_because() {
            Some(Cause::Cancelled) => {
                let message = format!("`{}.{}` was cancelled while it waited", self.plugin, entry.tool);
                let mut error =
                    JobError::new(Category::Transient, "Cancelled", message).of_plugin(&self.plugin);
                error.retriable = false;
                error
            }
            Some(Cause::Deadline) | None => self.timed_out(&entry),
        };
        self.effects.push(Effect::Answer(entry.pipes.reply, Ok(Err(error))));
    }

    fn timed_out(&self, entry: &Entry) -> JobError {
        let seconds = entry.timeout.as_secs_f64();
        let message = format!("`{}.{}` took longer than its timeout of {seconds} s", self.plugin, entry.tool);
        JobError::new(Category::Transient, "TimeoutError", message).of_plugin(&self.plugin)
    }

    fn spend_unasked(&mut self, now: Instant) {
        if !self.unasked.spend(now) {
            self.violated(format!("it sent more than {UNASKED_PER_SECOND_MAX} messages a second unasked"));
        }
    }

    /// An event that cannot happen in this state is a mistake of ours: it is logged, and nothing changes.
    fn advance(&mut self, event: WorkerEvent) {
        match self.state.clone().next(event) {
            Ok(next) => self.state = next,
            Err(illegal) => tracing::error!(plugin = self.plugin, %illegal, "worker state"),
        }
    }
}

fn hook_message(id: u64, hook: Hook) -> HostMessage {
    match hook {
        Hook::Reconfigure { old, new } => {
            let [old, new] = [old, new].map(|config| Payload::literal(config).value);
            HostMessage::Reconfigure { id, old, new }
        }
        Hook::Prefetch => HostMessage::Prefetch { id },
        Hook::Enable => HostMessage::Enable { id },
        Hook::Disable => HostMessage::Disable { id },
        Hook::ConfigOptions => HostMessage::ConfigOptions { id },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
