//! A worker, as its owner sees it: start it, call it, watch it, stop it.
//!
//! Owns the handle and the types of a call. All decisions are in `core`, all effects in `actor`.

mod actor;
mod calls;
mod command;
mod core;
mod handshake;
mod loss;
mod pipes;
mod tally;

pub use command::{Call, CallEvent, CallOutput, CallRequest, Hook, Note, Timeout};
pub use loss::{Announced, StartFailure, WorkerLost};
pub use tally::UsageTally;

use crate::limits::COMMAND_QUEUE;
use crate::output::Captured;
use crate::spec::WorkerSpec;
use crate::state::WorkerState;
use crate::tools::Tools;
use command::{Command, Reply, Request};
use handshake::Known;
use hardpoint_model::plugin_config::ConfigSchema;
use hardpoint_model::{Category, Exit, JobError};
use hardpoint_process::Launcher;
use hardpoint_wire::{Pong, Ready};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A running worker. Cheap to clone; when the last clone is dropped the worker is ended.
#[derive(Debug, Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    instance: String,
    pid: u32,
    known: Known,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<WorkerState>,
    exit: watch::Receiver<Option<Arc<Exit>>>,
    output: Captured,
    /// What it was given.
    secret_names: BTreeSet<String>,
    next_id: AtomicU64,
}

impl Shared {
    async fn exited(&self) -> Arc<Exit> {
        let mut exit = self.exit.clone();
        let known = exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone());
        known.unwrap_or_else(|| Arc::new(loss::unknown_exit()))
    }
}

/// Request ids below this are the supervisor's own.
const FIRST_CALL_ID: u64 = 16;

impl Worker {
    /// Starts a worker and waits until its plugin is imported, initialized and validated.
    /// On failure nothing of it is left.
    pub async fn start(spec: WorkerSpec, launcher: &Launcher) -> Result<Self, StartFailure> {
        let plugin = spec.plugin.name.clone();
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let secret_names = spec.secrets.keys().cloned().collect();
        let started = actor::start(spec, launcher, queue).await.map_err(|error| StartFailure {
            error: Box::new(JobError::new(Category::Fatal, "LaunchError", chain(&error)).of_plugin(&plugin)),
            exit: None,
            announced: None,
        })?;
        let actor::Started { instance, pid, output, state, exit, ready } = started;
        let lost = |_| loss::silent(&plugin);
        let known = ready.await.map_err(lost)??;
        let next_id = AtomicU64::new(FIRST_CALL_ID);
        let shared = Shared { instance, pid, known, commands, state, exit, output, secret_names, next_id };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Begins a call; its progress, items and result come through the returned [`Call`].
    /// Dropping the [`Call`] cancels it.
    pub async fn begin(&self, request: CallRequest) -> Result<Call, JobError> {
        self.tools().check(&request.tool, &request.args)?;
        let (call, pipes) = Call::new(self.next_id(), &self.shared);
        self.send(Command::Request(Request::call(call.id(), request, pipes))).await;
        Ok(call)
    }

    /// A call whose result alone is wanted. The outer error: the worker was lost. The inner: the plugin said no.
    pub async fn call(&self, request: CallRequest) -> Result<Result<CallOutput, JobError>, WorkerLost> {
        if let Err(error) = self.tools().check(&request.tool, &request.args) {
            return Ok(Err(error));
        }
        let (reply, answer) = oneshot::channel();
        let id = self.next_id();
        self.send(Command::Request(Request::plain_call(id, request, reply))).await;
        self.answer(answer).await
    }

    /// Runs a lifecycle hook of the plugin.
    pub async fn hook(&self, hook: Hook) -> Result<Result<CallOutput, JobError>, WorkerLost> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Request(Request::hook(self.next_id(), hook, reply))).await;
        self.answer(answer).await
    }

    /// Asks the worker's I/O thread for a sign of life; `None` when it gave none in time.
    pub async fn ping(&self, timeout: Duration) -> Option<Pong> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Ping { id: self.next_id(), reply }).await;
        tokio::time::timeout(timeout, answer).await.ok()?.ok()
    }

    /// Stops in order: lets calls finish, runs the clean-up hook, asks the worker to exit; what is left
    /// when `grace` is over is killed. Safe to call more than once.
    pub async fn stop(&self, grace: Duration) -> Arc<Exit> {
        self.send(Command::Stop { grace }).await;
        self.exited().await
    }

    /// Ends the worker now.
    pub async fn kill(&self) -> Arc<Exit> {
        self.send(Command::Kill).await;
        self.exited().await
    }

    /// Waits until no process of the worker is left.
    pub async fn exited(&self) -> Arc<Exit> {
        self.shared.exited().await
    }

    /// Its end, if it has come.
    pub fn exit(&self) -> Option<Arc<Exit>> {
        self.shared.exit.borrow().clone()
    }

    /// Where in its life it is.
    pub fn state(&self) -> WorkerState {
        self.shared.state.borrow().clone()
    }

    /// The worker's process number, for people.
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// The instance it serves.
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// What the worker said of itself.
    pub fn ready(&self) -> &Ready {
        &self.shared.known.ready
    }

    /// The schema of the plugin's configuration, if it has one.
    pub fn config_schema(&self) -> Option<&Arc<ConfigSchema>> {
        self.shared.known.config_schema.as_ref()
    }

    /// What it said of its plugin, to be kept when the worker is gone.
    pub fn announced(&self) -> Announced {
        self.shared.known.announced()
    }

    /// The names of the secrets that it was given.
    pub fn secret_names(&self) -> &BTreeSet<String> {
        &self.shared.secret_names
    }

    /// The plugin's tools.
    pub fn tools(&self) -> &Tools {
        &self.shared.known.tools
    }

    /// What it printed.
    pub fn output(&self) -> &Captured {
        &self.shared.output
    }

    fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A closed queue needs no answer here: what waits on the command hears of the exit.
    async fn send(&self, command: Command) {
        let _ = self.shared.commands.send(command).await;
    }

    async fn answer(&self, answer: oneshot::Receiver<Reply>) -> Reply {
        match answer.await {
            Ok(reply) => reply,
            Err(_) => Err(WorkerLost { exit: self.exited().await, culprit: false }),
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
