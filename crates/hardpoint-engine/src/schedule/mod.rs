//! Which calls begin when memory is short: what plugins say that they need, held against what is free.
//!
//! Owns the scheduler's handle and what it grants. Must not know jobs or doors. Plugins that need nothing in
//! particular, and every plugin under the policy `permissive`, never meet it.
//!
//! ```text
//!   Engine::admit ── Wish ──> turns: look (measure) ── judge ──> Permit | Shortage
//!                               ▲       │ short: the longest unused idle plugin makes room, look again
//!                               └───────┘ queue: again when a call ends, and every two seconds
//! ```

mod judge;
mod measure;
mod turns;

pub use judge::Shortage;
pub(crate) use turns::Turns;

use crate::limits::SCHEDULER_QUEUE;
use hardpoint_model::config::SchedulerPolicy;
use hardpoint_model::{Manifest, ResourceShortfall};
use judge::Grant;
pub(crate) use judge::Need;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// What an operator decides about calls when memory is short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// What becomes of a call that needs more than is free.
    pub policy: SchedulerPolicy,
    /// How long it waits at most, where it waits.
    pub wait: Duration,
    /// How much memory all workers may use together; `None`: what the machine has.
    pub memory_bytes: Option<u64>,
    /// Whether idle plugins are ended to make room.
    pub evicts: bool,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        let (policy, wait) = (SchedulerPolicy::default(), Duration::from_mins(5));
        Self { policy, wait, memory_bytes: None, evicts: true }
    }
}

/// Leave for one call to use what its plugin needs; dropped with the call.
#[derive(Debug)]
pub(crate) struct Permit {
    grant: Grant,
    given_back: Arc<Notify>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.given_back.notify_one();
    }
}

/// How a wish ended.
pub(crate) type Verdict = Result<Arc<Permit>, Shortage>;

/// Somebody wants something of the scheduler.
#[derive(Debug)]
enum Wish {
    /// To begin a call.
    Begin {
        instance: String,
        need: Need,
        why: watch::Sender<Option<String>>,
        reply: oneshot::Sender<Verdict>,
    },
    /// That others make room for an instance that lacked this much.
    Room { instance: String, shortfall: Option<ResourceShortfall>, reply: oneshot::Sender<()> },
}

/// A call that may have to wait.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Why it waits, once it does.
    pub(crate) why: watch::Receiver<Option<String>>,
    /// How that ends. Dropped: it waits no more.
    pub(crate) verdict: oneshot::Receiver<Verdict>,
}

/// The scheduler has too much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// The scheduler, as everybody else sees it.
#[derive(Debug)]
pub(crate) struct Scheduler {
    policy: SchedulerPolicy,
    wishes: mpsc::Sender<Wish>,
    contended: Arc<AtomicBool>,
}

impl Scheduler {
    /// And what [`Turns`] is made with.
    pub(crate) fn new(settings: &SchedulerSettings) -> (Self, Wishes) {
        let ((wishes, queue), contended) = (mpsc::channel(SCHEDULER_QUEUE), Arc::default());
        let own = Self { policy: settings.policy, wishes, contended: Arc::clone(&contended) };
        (own, Wishes { queue, contended })
    }

    /// What calls of this plugin have to be granted; `None`: nothing.
    pub(crate) fn need(&self, manifest: Option<&Manifest>) -> Option<Need> {
        match self.policy {
            SchedulerPolicy::Permissive => None,
            SchedulerPolicy::Safety | SchedulerPolicy::Queue => {
                manifest.map(Need::of).filter(|need| !need.is_nothing())
            }
        }
    }

    /// Whether somebody waits: then leave that was used is to be asked for anew, behind him.
    pub(crate) fn is_contended(&self) -> bool {
        self.contended.load(Ordering::Relaxed)
    }

    /// Asks for leave to begin a call.
    pub(crate) fn begin(&self, instance: &str, need: Need) -> Result<Pending, Overloaded> {
        let ((why, told), (reply, verdict)) = (watch::channel(None), oneshot::channel());
        let wish = Wish::Begin { instance: instance.to_owned(), need, why, reply };
        self.wishes.try_send(wish).map_err(|_| Overloaded)?;
        Ok(Pending { why: told, verdict })
    }

    /// Lets others make room for an instance whose call lacked something.
    pub(crate) async fn make_room(&self, instance: &str, shortfall: Option<ResourceShortfall>) {
        let (reply, made) = oneshot::channel();
        let wish = Wish::Room { instance: instance.to_owned(), shortfall, reply };
        if self.wishes.try_send(wish).is_ok() {
            let _ = made.await;
        }
    }
}

/// What waits for the scheduler.
#[derive(Debug)]
pub(crate) struct Wishes {
    queue: mpsc::Receiver<Wish>,
    contended: Arc<AtomicBool>,
}

/// What was granted and is not over.
#[derive(Debug, Default)]
struct Granted(Vec<Weak<Permit>>);

impl Granted {
    fn add(&mut self, permit: &Arc<Permit>) {
        self.0.push(Arc::downgrade(permit));
    }

    /// As it is now.
    fn now(&mut self) -> Vec<Grant> {
        self.0.retain(|permit| permit.strong_count() > 0);
        self.0.iter().filter_map(Weak::upgrade).map(|permit| permit.grant.clone()).collect()
    }
}
