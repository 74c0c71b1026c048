//! What goes into the core and what comes out of it.
//!
//! Plain data; owns no decision.

use hardpoint_model::job::{Event, EventKind, JobId, NewJob};
use hardpoint_model::pipeline::Pipeline;
use hardpoint_model::{JobError, PluginRef};
use hardpoint_store::{Given, Op, Output, StoreError};
use hardpoint_supervisor::Timeout;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;

/// The present, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

/// Why a request about a job was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JobRefusal {
    /// No such job waits or runs.
    #[error("there is no job {0} that waits or runs")]
    NotAlive(JobId),
    /// It is not pending any more.
    #[error("job {0} is not pending any more")]
    NotPending(JobId),
    /// As many jobs as may wait do.
    #[error("{0} jobs wait already")]
    QueueFull(usize),
    /// More requests than may wait for the loop do.
    #[error("too many requests wait")]
    Busy,
    /// The disk refused it.
    #[error("it could not be kept: {0}")]
    Store(StoreError),
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

/// Who is told, and what. `R` is a way to answer; the core only hands it back.
#[derive(Debug)]
pub(crate) enum Told<R> {
    /// A submission was accepted, or had been.
    Accepted(R, JobId),
    /// Something was done.
    Done(R),
    /// Something was not.
    Refused(R, JobRefusal),
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input<R> {
    Submit {
        new: Box<NewJob>,
        given: Option<Box<Given>>,
        resumed: Option<Resumed>,
        reply: R,
    },
    Cancel {
        job: JobId,
        reply: R,
    },
    Reorder {
        job: JobId,
        priority: i32,
        reply: R,
    },
    /// A running call told something of itself: how far it is, what it uses.
    Told {
        job: JobId,
        attempt: u32,
        what: EventKind,
    },
    /// A call ended. `forced`: its worker had to be ended for it.
    Ended {
        job: JobId,
        attempt: u32,
        result: Result<Box<Output>, Box<JobError>>,
        forced: bool,
    },
    /// The plugin whose worker was ended for a cancellation is up again, or cannot be.
    Reloaded {
        job: JobId,
    },
    /// A batch is on disk, or is not.
    Written {
        number: u64,
        result: Result<Written, StoreError>,
    },
    /// Time passed, or a plugin changed.
    Tick,
}

/// What a job begins with: what another one was given and its first stages brought, and the files that hold it.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) from: JobId,
    pub(crate) stages: u32,
    pub(crate) files: Vec<(String, String)>,
}

/// What the disk said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) events: Vec<Event>,
    pub(crate) already: Option<JobId>,
}

/// One try of one stage.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) job: JobId,
    pub(crate) stage: u32,
    pub(crate) attempt: u32,
    pub(crate) plugin: PluginRef,
    pub(crate) tool: String,
    /// `None`: they are on disk, or what it is given is made of what the stages of its pipeline brought.
    pub(crate) args: Option<Arc<Map<String, Value>>>,
    /// What it is a stage of.
    pub(crate) pipeline: Option<Arc<Pipeline>>,
    /// How long it may take.
    pub(crate) timeout: Timeout,
}

/// What has to be done.
#[derive(Debug)]
pub(crate) enum Effect<R> {
    /// Write this; its end comes back as [`Input::Written`] with the same number. Once the disk has refused
    /// something it refuses all that follows in the same epoch, so that nothing overtakes what was refused.
    Write { number: u64, epoch: u64, ops: Arc<[Op]> },
    /// Call the tool.
    Start(Box<Called>),
    /// Ask the running call to stop.
    Stop { job: JobId },
    /// Wait until the plugin is up again.
    Reload { job: JobId, plugin: String },
    /// A try lacked resources: what the worker of that incarnation holds is given back before the next.
    Renew { plugin: String, incarnation: u64, error: Box<JobError> },
    /// The job is over: nothing more of it is needed.
    Over { job: JobId },
    /// Tell the subscribers.
    Publish(Vec<Event>),
    /// Answer.
    Tell(Told<R>),
}
