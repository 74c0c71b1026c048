//! Durable jobs: accepted once they are on disk, run as plugins have places, never lost.
//!
//! Owns the queue and the life of every job. Must not know HTTP or SQL: what is true is told to the store, and
//! only what the store has is told to anybody else.

mod accept;
mod call;
mod check;
mod core;
mod events;
mod files;
mod fold;
mod forget;
mod given;
pub mod limits;
mod outcome;
mod outputs;
mod pipelines;
mod progress;
mod retention;
mod rooms;
mod settings;
mod submission;
mod turns;
mod usage;
mod values;

pub use self::core::JobRefusal;
pub use check::{Mistake, check_installed};
pub use events::{Followed, Following};
pub use fold::Document;
pub use forget::OutputsKept;
pub use outcome::Outcome;
pub use pipelines::{SaveError, Saving};
pub use settings::{EventsKept, JobSettings, WhenDown};
pub use submission::{Submission, SubmitError, Work};

use self::core::{Core, Input, Now};
use crate::engine::Engine;
use hardpoint_model::JobError;
use hardpoint_model::job::{Event, Job, JobId};
use hardpoint_store::{JobFilter, Page, Statistics, Store, StoreError};
use hardpoint_wire::Payload;
use limits::{ASK_QUEUE, EVENTS_LIVE, INPUT_QUEUE};
use outputs::Outputs;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// What is known of plugins when stages are started: what an instance can run at once, or why it cannot run any now.
pub(crate) type Places<'a> = dyn Fn(&str) -> Result<Place, Down> + 'a;

/// What an instance can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Stages at once.
    pub(crate) stages_max: u32,
    /// The incarnation that would run them.
    pub(crate) incarnation: u64,
}

/// Why an instance can run nothing now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Down {
    /// In one sentence.
    pub(crate) reason: String,
    pub(crate) until: Until,
}

impl Down {
    /// It will be known in a moment whether it is.
    fn unclear() -> Self {
        Self { reason: String::new(), until: Until::Clear }
    }
}

/// How long an instance stays down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Until {
    /// It is being found out whether it is; nobody need be told.
    Clear,
    /// It is on its way up.
    Soon,
    /// It broke, and comes back when somebody brings it up.
    Mended,
    /// Somebody wants it so.
    Wanted,
    /// The first stage that waits cannot begin, for this reason; the others may.
    Refused(Box<JobError>),
}

/// The way back to whoever asked.
pub(crate) type Reply = oneshot::Sender<Result<Option<JobId>, JobRefusal>>;

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
    pub(crate) outputs: Outputs,
    pub(crate) sync_inputs: bool,
    /// Taken by whoever saves a pipeline.
    pub(crate) saving: tokio::sync::Mutex<()>,
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
        let data_dir = store.path().parent().unwrap_or_else(|| store.path()).to_owned();
        let outputs = Outputs::open(store.clone(), &data_dir).await?;
        let (events, saving) = (broadcast::Sender::new(EVENTS_LIVE), tokio::sync::Mutex::default());
        let sync_inputs = settings.sync_inputs;
        let shared = Arc::new(Shared { store, events, outputs, sync_inputs, saving });
        let outputs_kept = settings.outputs;
        let host = call::Host {
            engine: engine.clone(),
            outputs: shared.outputs.clone(),
            inputs,
            cancel_grace: settings.cancel_grace,
            snapshot_every: settings.snapshot_every,
        };
        let retention = retention::run(shared.store.clone(), settings.events);
        let core = Core::new(settings, alive, Now::read());
        let forget = forget::run(shared.store.clone(), shared.outputs.clone(), outputs_kept);
        let turns = turns::Loop::new(host, Arc::clone(&shared), core);
        let handle = tokio::spawn(async move {
            tokio::select! {
                () = turns.run(ask_queue, input_queue) => {}
                never = retention => match never {},
                never = forget => match never {},
            }
        });
        Ok((Self { shared, engine, asks }, handle))
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

    /// How far these jobs said last that they are: the stage, and 0 to 1.
    pub async fn progress(&self, jobs: Vec<JobId>) -> Result<BTreeMap<JobId, (u32, f64)>, StoreError> {
        self.shared.store.progress(jobs).await
    }

    /// Whether a job that is not over has this text in its arguments.
    pub async fn is_given(&self, text: String) -> Result<bool, StoreError> {
        self.shared.store.is_given(text).await
    }

    /// How many jobs there are and were.
    pub async fn statistics(&self) -> Result<Statistics, StoreError> {
        self.shared.store.statistics().await
    }

    /// Why nothing can be kept, as long as the last thing that was to be kept could not be.
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.store.trouble()
    }

    /// How many questions the store was asked since the host began.
    pub fn store_reads(&self) -> u64 {
        self.shared.store.reads()
    }

    /// What a stage brought, if it has and it is still kept.
    pub async fn output(&self, id: JobId, stage: u32) -> Result<Option<Payload>, StoreError> {
        self.shared.outputs.payload(id, stage).await
    }

    /// Events with a higher number than `since`, of these jobs; of all when there are none.
    pub fn follow(&self, since: u64, jobs: Vec<JobId>) -> Following {
        Following::new(self.clone(), since, jobs)
    }

    /// The number of the last event; 0: there is none.
    pub fn last_event(&self) -> u64 {
        self.shared.store.last_event()
    }

    /// Waits until a job is over, for at most `patience`; the job as it is then. `None`: there is no such job. The store
    /// is asked at the beginning and at the end, and never in between.
    pub async fn wait(&self, id: JobId, patience: Duration) -> Result<Option<Job>, StoreError> {
        // Before the look at the job: an end that comes after that look is an event that comes after this number.
        let mut events = self.follow(self.last_event(), vec![id]);
        let over = async {
            match self.job(id).await? {
                Some(job) if !job.status.is_terminal() => {}
                ended_or_unknown => return Ok(ended_or_unknown),
            }
            while let Some(told) = events.next().await? {
                // The events of a job that is not over are all kept.
                if matches!(told, Followed::Gone(_)) || told.is_end() {
                    break;
                }
            }
            self.job(id).await
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
