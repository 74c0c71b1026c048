//! Durable jobs: accepted once they are on disk, run as plugins have places, never lost.
//!
//! Owns the queue and the life of every job. Must not know HTTP or SQL: what is true is told to the store, and
//! only what the store has is told to anybody else.

mod call;
mod core;
mod events;
pub mod limits;
mod progress;
mod retention;
mod settings;
mod turns;
mod usage;
mod values;

pub use self::core::JobRefusal;
pub use events::{Followed, Following};
pub use settings::{EventsKept, JobSettings};

use self::core::{Core, Input, Now};
use crate::call::Refusal;
use crate::engine::Engine;
use hardpoint_model::PluginRef;
use hardpoint_model::job::{Event, Job, JobId, JobStatus, Stage};
use hardpoint_store::{JobFilter, Page, Store, StoreError};
use jiff::Timestamp;
use limits::{ASK_QUEUE, EVENTS_LIVE, INPUT_QUEUE};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// What is known of plugins when stages are started: what an instance can run at once, or why it cannot run any now.
pub(crate) type Places<'a> = dyn Fn(&str) -> Result<Place, String> + 'a;

/// What an instance can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Stages at once.
    pub(crate) stages_max: u32,
    /// The incarnation that would run them.
    pub(crate) incarnation: u64,
}

/// The way back to whoever asked.
pub(crate) type Reply = oneshot::Sender<Result<Option<JobId>, JobRefusal>>;

/// A job that somebody wants.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Which plugin, perhaps which instance of it.
    pub plugin: PluginRef,
    /// Which tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// Higher is sooner.
    pub priority: i32,
    /// The same key is accepted once: later submissions are told of the first.
    pub idempotency_key: Option<String>,
}

/// Why a submission was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// The plugin does not take jobs.
    #[error("{0}")]
    Plugin(Refusal),
    /// The queue does not.
    #[error("{0}")]
    Queue(JobRefusal),
}

/// What waits for the loop.
#[derive(Debug)]
enum Ask {
    Input(Input<Reply>),
    Stop { patience: Duration, done: oneshot::Sender<()> },
}

/// The jobs of a host, as everybody else sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
    engine: Engine,
    asks: mpsc::Sender<Ask>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
}

impl Jobs {
    /// Takes up what the last host left, and begins. The handle of the loop ends after [`Jobs::stop`].
    pub async fn start(
        engine: Engine,
        store: Store,
        settings: JobSettings,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let alive = store.alive().await?;
        let (asks, ask_queue) = mpsc::channel(ASK_QUEUE);
        let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
        let shared = Arc::new(Shared { store, events: broadcast::Sender::new(EVENTS_LIVE) });
        let host = call::Host {
            engine: engine.clone(),
            store: shared.store.clone(),
            inputs,
            cancel_grace: settings.cancel_grace,
            snapshot_every: settings.snapshot_every,
        };
        let retention = retention::run(shared.store.clone(), settings.events);
        let core = Core::new(settings, alive, Now::read());
        let turns = turns::Loop::new(host, Arc::clone(&shared), core);
        let handle = tokio::spawn(async move {
            tokio::select! {
                () = turns.run(ask_queue, input_queue) => {}
                never = retention => match never {},
            }
        });
        Ok((Self { shared, engine, asks }, handle))
    }

    /// Accepts a job. When this returns, it is on disk.
    pub async fn submit(&self, submission: Submission) -> Result<JobId, SubmitError> {
        let plugin = self.engine.plugin(submission.plugin.plugin.as_str()).map_err(SubmitError::Plugin)?;
        if !plugin.is_enabled() {
            return Err(SubmitError::Plugin(Refusal::Disabled(plugin.name.clone())));
        }
        let job = Box::new(new_job(submission));
        let (reply, answer) = oneshot::channel();
        let accepted = self.ask(Input::Submit { job, reply }, answer).await.map_err(SubmitError::Queue)?;
        accepted.ok_or(SubmitError::Queue(JobRefusal::Stopping))
    }

    /// Asks a job to end. When this returns, the wish is on disk; [`Jobs::wait`] says how it ended.
    pub async fn cancel(&self, job: JobId) -> Result<(), JobRefusal> {
        let (reply, answer) = oneshot::channel();
        self.ask(Input::Cancel { job, reply }, answer).await.map(|_| ())
    }

    /// Gives a pending job another priority.
    pub async fn reorder(&self, job: JobId, priority: i32) -> Result<(), JobRefusal> {
        let (reply, answer) = oneshot::channel();
        self.ask(Input::Reorder { job, priority, reply }, answer).await.map(|_| ())
    }

    /// The job as it is on disk.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.shared.store.job(id).await
    }

    /// Some of the jobs, newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Page, StoreError> {
        self.shared.store.jobs(filter).await
    }

    /// What a stage brought, if it has.
    pub async fn result(&self, id: JobId, stage: u32) -> Result<Option<Value>, StoreError> {
        self.shared.store.result(id, stage).await
    }

    /// Events with a higher number than `since`, of these jobs; of all when there are none.
    pub fn follow(&self, since: u64, jobs: Vec<JobId>) -> Following {
        Following::new(self.clone(), since, jobs)
    }

    /// Waits until a job is over, for at most `patience`; the job as it is then. `None`: there is no such job.
    pub async fn wait(&self, id: JobId, patience: Duration) -> Result<Option<Job>, StoreError> {
        let mut events = self.follow(0, vec![id]);
        let over = async {
            loop {
                match self.job(id).await? {
                    Some(job) if !job.status.is_terminal() => {}
                    ended_or_unknown => return Ok(ended_or_unknown),
                }
                if events.next().await?.is_none() {
                    return self.job(id).await;
                }
            }
        };
        match tokio::time::timeout(patience, over).await {
            Ok(job) => job,
            Err(_) => self.job(id).await,
        }
    }

    /// Accepts and starts nothing more; lets what runs end for at most `patience`.
    pub async fn stop(&self, patience: Duration) {
        let (done, stopped) = oneshot::channel();
        if self.asks.send(Ask::Stop { patience, done }).await.is_ok() {
            let _ = stopped.await;
        }
    }

    async fn ask(
        &self,
        input: Input<Reply>,
        answer: oneshot::Receiver<Result<Option<JobId>, JobRefusal>>,
    ) -> Result<Option<JobId>, JobRefusal> {
        self.asks.try_send(Ask::Input(input)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => JobRefusal::Busy,
            mpsc::error::TrySendError::Closed(_) => JobRefusal::Stopping,
        })?;
        answer.await.unwrap_or(Err(JobRefusal::Stopping))
    }
}

fn new_job(submission: Submission) -> Job {
    let stage = Stage {
        plugin: submission.plugin,
        tool: submission.tool,
        args: submission.args,
        status: JobStatus::Pending,
        attempts: 0,
        error: None,
        started_at: None,
        ended_at: None,
    };
    Job {
        job_id: JobId::now(),
        status: JobStatus::Pending,
        priority: submission.priority,
        idempotency_key: submission.idempotency_key,
        stages: vec![stage],
        error: None,
        cancel_phase: None,
        submitted_at: Timestamp::now(),
        started_at: None,
        completed_at: None,
    }
}
