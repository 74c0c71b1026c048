//! Calling tools of plugins that live: counted, and with the plugin's state true before the caller hears.
//!
//! Owns admission and the record of each call. A call that goes well costs no turn of the loop; one that fails
//! waits until the loop has taken note, so that health never lags behind an answer.

use crate::activity::Ticket;
use crate::admit::Admitted;
use crate::core::{Input, LifeId};
use crate::engine::Engine;
use crate::schedule::{Permit, Shortage};
use crate::snapshot::PluginView;
use crate::usage::Over;
use hardpoint_model::log::{AttemptId, LogLevel};
use hardpoint_model::{ExitReason, JobError, PluginState};
use hardpoint_store::StoreError;
use hardpoint_supervisor::{Call, CallEvent, CallOutput, CallRequest, UsageTally, WorkerLost};
use hardpoint_wire::JobRef;
use jiff::Timestamp;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Why something was not even begun.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such plugin.
    #[error("Plugin '{name}' not found. Available: {known:?}")]
    UnknownPlugin {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The plugin cannot take calls.
    #[error("Plugin is {state}: {reason}")]
    NotReady {
        /// The plugin.
        plugin: String,
        /// Its state.
        state: PluginState,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
        /// When it may be different, if it is on its way.
        retry_after: Option<Duration>,
    },
    /// Somebody disabled it.
    #[error("plugin `{0}` is disabled")]
    Disabled(String),
    /// It needs more memory than is free.
    #[error("{0}")]
    NoRoom(Shortage),
    /// It has too many calls.
    #[error("plugin `{0}` has too many calls in flight")]
    Busy(String),
    /// The host has too much to do.
    #[error("the host has too much to do")]
    HostBusy,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
    /// The plugin's own hook failed.
    #[error("{0}")]
    Hook(Box<JobError>),
    /// What was decided could not be kept; it did not happen.
    #[error("it could not be kept: {0}")]
    Store(StoreError),
}

/// Why a call brought no result.
#[derive(Debug)]
pub enum CallFailure {
    /// It was not begun.
    Refused(Refusal),
    /// It failed.
    Failed(Box<CallFailed>),
}

/// A call that failed.
#[derive(Debug)]
pub struct CallFailed {
    /// Why.
    pub error: JobError,
    /// How the worker ended, when it did.
    pub exit_reason: Option<ExitReason>,
    /// How long the caller waited.
    pub took: Duration,
}

/// A call that went well.
#[derive(Debug)]
pub struct Done {
    /// What it brought.
    pub output: CallOutput,
    /// How long the caller waited.
    pub took: Duration,
}

/// How long a caller should wait before it asks a plugin again that is on its way.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    /// Why this plugin takes no calls now.
    pub(crate) fn of(plugin: &PluginView) -> Self {
        let name = &plugin.name;
        let (reason, hint, retry_after) = match (&plugin.reason, &plugin.starting) {
            (Some(reason), _) => (reason.clone(), plugin.hint.clone().unwrap_or_default(), None),
            (None, Some(step)) => (
                format!("`{name}` is starting: {step}"),
                "try again in a moment".to_owned(),
                Some(RETRY_AFTER),
            ),
            (None, None) if plugin.stopping => {
                (format!("`{name}` is being stopped"), "try again in a moment".to_owned(), Some(RETRY_AFTER))
            }
            (None, None) => (
                format!("`{name}` is not loaded"),
                format!("start it with `hardpoint plugin load {name}`"),
                None,
            ),
        };
        Self::NotReady { plugin: name.clone(), state: plugin.state, reason, hint, retry_after }
    }
}

impl Engine {
    /// Calls a tool and waits for its result alone.
    pub async fn call(&self, plugin: &str, request: CallRequest) -> Result<Done, CallFailure> {
        let Admitted { worker, config_hash, life, ticket } = self.admit(plugin, None).await?;
        let called = Called::now(life, (worker.pid(), config_hash), &request);
        match worker.call(request).await {
            Ok(Ok(output)) => {
                let took = called.began.elapsed();
                self.record(&called, &ticket, true, took);
                Ok(Done { output, took })
            }
            failed => {
                let failed =
                    failed.and_then(|inner| inner.map(|_| ()).map_or_else(|e| Ok(Some(e)), |()| Ok(None)));
                Err(self.failed(called, ticket, failed).await)
            }
        }
    }

    /// Begins a call whose progress and items are wanted too. Dropping what is returned cancels it.
    pub async fn begin(&self, plugin: &str, request: CallRequest) -> Result<RunningCall, CallFailure> {
        self.begin_with(plugin, request, None).await
    }

    /// The same with leave to use memory that was granted before.
    pub(crate) async fn begin_with(
        &self,
        plugin: &str,
        request: CallRequest,
        permit: Option<Arc<Permit>>,
    ) -> Result<RunningCall, CallFailure> {
        let Admitted { worker, config_hash, life, ticket } = self.admit(plugin, permit).await?;
        let called = Called::now(life, (worker.pid(), config_hash), &request);
        match worker.begin(request).await {
            Ok(call) => {
                Ok(RunningCall { engine: self.clone(), call, ticket: Some(ticket), called, failing: None })
            }
            Err(error) => Err(self.failed(called, ticket, Ok(Some(error))).await),
        }
    }

    /// The call is over, and the plugin's to answer for.
    fn record(&self, called: &Called, ticket: &Ticket, success: bool, took: Duration) {
        ticket.record(success, millis(took));
        self.shared.usage.over(|| Over {
            instance: called.life.plugin.clone(),
            pid: called.pid,
            config_hash: Arc::clone(&called.config_hash),
            began: called.began,
            took,
            success,
            observed_at: Timestamp::now(),
            usage: called.usage.clone(),
        });
    }

    /// Records a failure and waits until the loop has taken note of it.
    async fn failed(
        &self,
        called: Called,
        ticket: Ticket,
        why: Result<Option<JobError>, WorkerLost>,
    ) -> CallFailure {
        let took = called.began.elapsed();
        let plugin = self.plugin_of(&called.life.plugin);
        let over = called.clone();
        let (noted, heard) = oneshot::channel();
        let (error, exit_reason, input) = match why {
            Ok(error) => {
                let error = error.unwrap_or_else(|| {
                    JobError::new(
                        hardpoint_model::Category::Fatal,
                        "HostError",
                        "a failed call without a cause",
                    )
                });
                let error = charged_to(&plugin, &called.life.plugin, error);
                if is_no_fault_of_the_plugin(&error) {
                    return CallFailure::Failed(Box::new(CallFailed { error, exit_reason: None, took }));
                }
                self.log_failure(&called, &error).await;
                // Its own log has everything; everybody else is told what may be told.
                let error = error.told(self.shared.settings.traceback_policy_of(&plugin));
                let Called { life, tool, .. } = called;
                let input = Input::CallFailed { life, tool, error: Box::new(error.clone()), noted };
                (error, None, input)
            }
            Err(lost) => {
                let error = charged_to(&plugin, &called.life.plugin, lost.to_job_error(&called.life.plugin));
                let reason = lost.exit.reason.clone();
                if called.attempt.is_some() {
                    // The plugin's own log is told of the worker's end by the loop.
                    self.log_failure(&called, &error).await;
                }
                (error, Some(reason), Input::Ended { life: called.life, exit: lost.exit, noted: Some(noted) })
            }
        };
        self.record(&over, &ticket, false, took);
        drop(ticket);
        if self.shared.inputs.send(input).await.is_ok() {
            let _ = heard.await;
        }
        CallFailure::Failed(Box::new(CallFailed { error, exit_reason, took }))
    }

    /// Into the plugin's log, and if the call was a job's into that of the job.
    async fn log_failure(&self, called: &Called, error: &JobError) {
        let Called { life, tool, attempt, .. } = called;
        let Ok(view) = self.plugin(&life.plugin) else { return };
        if attempt.is_some() {
            // What it printed before it failed stands before.
            view.output.caught_up().await;
        }
        let say = |text: &str| view.output.say(life.incarnation, *attempt, LogLevel::Error, text);
        say(&format!("tool `{tool}` failed: {}", error.error_type));
        say(error.traceback.as_deref().unwrap_or(&error.message));
    }
}

/// What was called, when, and for whom.
#[derive(Debug, Clone)]
struct Called {
    life: LifeId,
    tool: String,
    attempt: Option<AttemptId>,
    began: Instant,
    pid: u32,
    config_hash: Arc<str>,
    usage: UsageTally,
}

impl Called {
    fn now(life: LifeId, (pid, config_hash): (u32, Arc<str>), request: &CallRequest) -> Self {
        let attempt = request.job.as_ref().and_then(JobRef::attempt_id);
        let (tool, usage) = (request.tool.clone(), request.usage.clone());
        Self { life, tool, attempt, began: Instant::now(), pid, config_hash, usage }
    }
}

/// A call in flight. Dropping it cancels the call.
pub struct RunningCall {
    engine: Engine,
    call: Call,
    ticket: Option<Ticket>,
    called: Called,
    /// It has failed, and that is being noted; kept here, so that whoever drops [`RunningCall::next`] loses nothing.
    failing: Option<Failing>,
}

type Failing = Pin<Box<dyn Future<Output = CallFailure> + Send + Sync>>;

enum Step {
    Next(CallStep),
    Failing(Failing),
}

/// What a running call brings next.
#[derive(Debug)]
pub enum CallStep {
    /// Progress, a log line or usage.
    Note(hardpoint_supervisor::Note),
    /// The next element of its stream.
    Item(hardpoint_wire::Payload),
    /// It ended; nothing follows.
    End(Result<Done, CallFailure>),
}

impl RunningCall {
    /// Asks the call to stop; it still ends with [`CallStep::End`].
    pub async fn cancel(&self) {
        self.call.cancel().await;
    }

    /// The same: what has not stopped after this time takes its worker along.
    pub async fn cancel_within(&self, grace: Duration) {
        self.call.cancel_within(grace).await;
    }

    /// The worker's process number, for people and for measuring.
    pub fn pid(&self) -> u32 {
        self.call.pid()
    }

    /// What comes next. After the end it is `None`. Safe to drop half-way.
    pub async fn next(&mut self) -> Option<CallStep> {
        if self.failing.is_none() {
            match self.step().await? {
                Step::Next(step) => return Some(step),
                Step::Failing(failing) => self.failing = Some(failing),
            }
        }
        let failed = self.failing.as_mut()?.await;
        self.failing = None;
        Some(CallStep::End(Err(failed)))
    }

    async fn step(&mut self) -> Option<Step> {
        self.ticket.as_ref()?;
        let ended = match self.call.next().await {
            CallEvent::Note(note) => return Some(Step::Next(CallStep::Note(note))),
            CallEvent::Item(item) => return Some(Step::Next(CallStep::Item(item))),
            CallEvent::End(ended) => ended,
        };
        let ticket = self.ticket.take()?;
        let took = self.called.began.elapsed();
        let why = match ended {
            Ok(Ok(output)) => {
                self.engine.record(&self.called, &ticket, true, took);
                return Some(Step::Next(CallStep::End(Ok(Done { output, took }))));
            }
            Ok(Err(error)) => Ok(Some(error)),
            Err(lost) => Err(lost),
        };
        let (engine, called) = (self.engine.clone(), self.called.clone());
        Some(Step::Failing(Box::pin(async move { engine.failed(called, ticket, why).await })))
    }
}

/// What the host found before any code of the plugin ran, apart from wrong arguments; a plugin may raise a class of
/// the same name.
fn is_no_fault_of_the_plugin(error: &JobError) -> bool {
    let by_host = error.is_of_host() && error.traceback.is_none();
    by_host && matches!(error.error_type.as_str(), "ToolNotFound" | "WorkerBusy" | "ArgumentsTooLarge")
}

/// Whatever a worker says of itself: it is the worker of this instance.
fn charged_to(plugin: &str, instance: &str, error: JobError) -> JobError {
    JobError { plugin_name: None, plugin_instance_id: None, ..error }.of_instance(plugin, instance)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
