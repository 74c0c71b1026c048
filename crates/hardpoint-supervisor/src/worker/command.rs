//! What a handle asks of its worker's actor, and what comes back.
//!
//! Owns the types of requests and of a call's events. Must not decide anything.

use super::Shared;
use super::loss::WorkerLost;
use super::pipes::{CallPipes, ItemPipe};
use super::tally::UsageTally;
use crate::limits::{CANCEL_GRACE, ITEM_QUEUE, NOTE_QUEUE};
use hardpoint_model::JobError;
use hardpoint_wire::limits::STREAM_CREDIT;
use hardpoint_wire::{JobRef, Log, Payload, Pong, Progress, Usage};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A call to be made.
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// Which tool.
    pub tool: String,
    /// Its arguments: an object.
    pub args: Payload,
    /// How long it may take.
    pub timeout: Timeout,
    /// The durable work it belongs to.
    pub job: Option<JobRef>,
    /// What it uses is added up here; whoever wants to know keeps a clone.
    pub usage: UsageTally,
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timeout {
    /// As the tool says, else as its plugin says.
    #[default]
    Declared,
    /// As long as the tool says and at most this; this where the tool says nothing of itself.
    Within(Duration),
    /// This, whatever they say.
    Exactly(Duration),
}

impl Timeout {
    /// What it comes to for a tool: `own` is what that says of itself, `default` is for what says nothing.
    pub(crate) fn of(self, own: Option<Duration>, default: Duration) -> Duration {
        match self {
            Self::Declared => own.unwrap_or(default),
            Self::Within(bound) => own.map_or(bound, |own| own.min(bound)),
            Self::Exactly(timeout) => timeout,
        }
    }
}

impl From<Option<Duration>> for Timeout {
    fn from(asked: Option<Duration>) -> Self {
        asked.map_or(Self::Declared, Self::Exactly)
    }
}

impl CallRequest {
    /// A call with just a tool and its arguments.
    pub fn new(tool: impl Into<String>, args: Payload) -> Self {
        Self { tool: tool.into(), args, timeout: Timeout::Declared, job: None, usage: UsageTally::default() }
    }
}

/// What a finished call brought.
#[derive(Debug, Clone)]
pub struct CallOutput {
    /// The result.
    pub result: Payload,
    /// How long the plugin's code ran.
    pub execution_time_ms: f64,
    /// How many stream items came before.
    pub items: u64,
}

/// The outer error: the worker was lost. The inner: the plugin said no.
pub(crate) type Reply = Result<Result<CallOutput, JobError>, WorkerLost>;

/// A lifecycle hook.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the hooks of the SDK, by their names")]
pub enum Hook {
    Reconfigure { old: Value, new: Value },
    Prefetch,
    Enable,
    Disable,
    ConfigOptions,
}

/// Something that happens during a call.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant holds the documented struct of its name")]
pub enum Note {
    Progress(Progress),
    Log(Log),
    Usage(Usage),
}

/// What a running call brings next.
#[derive(Debug)]
pub enum CallEvent {
    /// Something happened.
    Note(Note),
    /// The next element of its stream.
    Item(Payload),
    /// It ended; nothing follows.
    End(Result<Result<CallOutput, JobError>, WorkerLost>),
}

/// A call in flight. Dropping it cancels the call.
#[derive(Debug)]
pub struct Call {
    id: u64,
    shared: Arc<Shared>,
    notes: mpsc::Receiver<Note>,
    items: mpsc::Receiver<Payload>,
    answer: oneshot::Receiver<Reply>,
    /// Whether the answer has come, or never will.
    answered: bool,
    ended: Option<Reply>,
    credit_owed: u32,
}

impl Call {
    pub(super) fn new(id: u64, shared: &Arc<Shared>) -> (Self, CallPipes) {
        let (note_tx, notes) = mpsc::channel(NOTE_QUEUE);
        let (item_tx, items) = mpsc::channel(ITEM_QUEUE);
        let (reply, answer) = oneshot::channel();
        let call = Self {
            id,
            shared: Arc::clone(shared),
            notes,
            items,
            answer,
            answered: false,
            ended: None,
            credit_owed: 0,
        };
        let (notes, items) = (Some(note_tx), ItemPipe::Open(item_tx));
        (call, CallPipes { reply, notes, items, usage: UsageTally::default() })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Asks the call to stop; it still ends with [`CallEvent::End`].
    pub async fn cancel(&self) {
        self.cancel_within(CANCEL_GRACE).await;
    }

    /// The same: what has not stopped after this time takes its worker along.
    pub async fn cancel_within(&self, grace: Duration) {
        let _ = self.shared.commands.send(Command::Cancel { id: self.id, grace }).await;
    }

    /// The worker's process number, for people and for measuring.
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// What comes next. Notes and items that came before the end are given out before it.
    /// Safe to drop half-way.
    pub async fn next(&mut self) -> CallEvent {
        if self.credit_owed >= STREAM_CREDIT / 2 {
            let _ = self.shared.commands.send(Command::Credit { id: self.id, items: self.credit_owed }).await;
            self.credit_owed = 0;
        }
        loop {
            tokio::select! { biased;
                Some(note) = self.notes.recv() => return CallEvent::Note(note),
                Some(item) = self.items.recv() => {
                    self.credit_owed += 1;
                    return CallEvent::Item(item);
                }
                reply = &mut self.answer, if !self.answered => {
                    self.answered = true;
                    self.ended = reply.ok();
                    self.notes.close();
                    self.items.close();
                }
                // Nobody has answered: the worker is gone, or about to be.
                exit = self.shared.exited(), if self.answered && self.ended.is_none() => {
                    self.ended = Some(Err(WorkerLost { exit, culprit: false }));
                }
                else => if let Some(ended) = &self.ended { return CallEvent::End(ended.clone()) }
            }
        }
    }

    /// Waits for the end; everything else is let go.
    pub async fn result(mut self) -> Result<Result<CallOutput, JobError>, WorkerLost> {
        loop {
            if let CallEvent::End(reply) = self.next().await {
                return reply;
            }
        }
    }
}

/// What the handle sends.
#[derive(Debug)]
pub(crate) enum Command {
    Request(Request),
    Cancel { id: u64, grace: Duration },
    Credit { id: u64, items: u32 },
    Ping { id: u64, reply: oneshot::Sender<Pong> },
    Stop { grace: Duration },
    Kill,
}

/// A call or a hook on its way to the worker.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) id: u64,
    pub(super) work: Work,
    pub(super) pipes: CallPipes,
}

#[derive(Debug)]
pub(crate) enum Work {
    Call(CallRequest),
    Hook(Hook),
}

impl Request {
    pub(super) fn call(id: u64, request: CallRequest, pipes: CallPipes) -> Self {
        let pipes = CallPipes { usage: request.usage.clone(), ..pipes };
        Self { id, work: Work::Call(request), pipes }
    }

    pub(super) fn plain_call(id: u64, request: CallRequest, reply: oneshot::Sender<Reply>) -> Self {
        Self::call(id, request, CallPipes::plain(reply))
    }

    pub(super) fn hook(id: u64, hook: Hook, reply: oneshot::Sender<Reply>) -> Self {
        Self { id, work: Work::Hook(hook), pipes: CallPipes::plain(reply) }
    }
}

impl Hook {
    /// Its name in the protocol.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Reconfigure { .. } => "reconfigure",
            Self::Prefetch => "prefetch",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::ConfigOptions => "config_options",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_shortens_what_a_tool_says_and_only_an_exact_timeout_replaces_it() {
        let [short, long, default] = [1, 10, 5].map(Duration::from_secs);
        for (timeout, own, expected) in [
            (Timeout::Declared, None, default),
            (Timeout::Declared, Some(long), long),
            (Timeout::Within(long), None, long),
            (Timeout::Within(long), Some(short), short),
            (Timeout::Within(short), Some(long), short),
            (Timeout::Exactly(long), Some(short), long),
        ] {
            assert_eq!(timeout.of(own, default), expected, "{timeout:?}, {own:?}");
        }
    }
}
