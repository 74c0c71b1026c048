//! What calls use, measured beside them and remembered for each instance and configuration.
//!
//! Owns the way in and what is remembered. A call pays for two looks at an atomic and one place in a queue: everything
//! that reads files of the kernel, adds up or writes is done by a task of its own, which sleeps while nothing runs.
//!
//! ```text
//!   calls ── wake, over ──> queue (bounded; full: counted) ──> Recorder: measures, attributes ──> records ──> store
//!                                                                    └──> Activity: highest measured
//! ```

mod reading;
mod recorder;
mod records;
mod trace;

pub(crate) use recorder::Recorder;
pub(crate) use trace::Over;

use crate::decisions::Decisions;
use crate::limits::USAGE_QUEUE;
use hardpoint_model::usage::UsageRecord;
use records::Records;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// What waits for the recorder.
#[derive(Debug)]
pub(crate) enum Message {
    /// A call is over.
    Over(Box<Over>),
    /// Nothing follows; told when all of it is written.
    Stop(oneshot::Sender<()>),
}

/// The way to the recorder. The default measures nothing.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    queue: Option<mpsc::Sender<Message>>,
    alarm: Arc<Alarm>,
    records: Arc<Records>,
    dropped: AtomicU64,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Whether the recorder is awake.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    awake: AtomicBool,
    rings: Notify,
}

impl Alarm {
    /// Wakes it, unless it is: while calls follow each other it costs a look.
    fn ring(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.rings.notify_one();
        }
    }

    /// Wakes it, also from the pause between two looks.
    fn ring_anyway(&self) {
        self.rings.notify_one();
    }

    /// It is about to sleep, and looks once more before it does.
    fn reset(&self) {
        self.awake.store(false, Ordering::SeqCst);
    }

    async fn rung(&self) {
        self.rings.notified().await;
    }
}

impl Usage {
    /// The way, and what stands at its end.
    pub(crate) fn open(decisions: &mut Decisions) -> (Self, Recorder) {
        let (queue, messages) = mpsc::channel(USAGE_QUEUE);
        let records = Arc::new(Records::of(std::mem::take(&mut decisions.usage)));
        let alarm = Arc::<Alarm>::default();
        let recorder =
            Recorder::new(messages, Arc::clone(&alarm), Arc::clone(&records), decisions.store.clone());
        (Self { queue: Some(queue), alarm, records, ..Self::default() }, recorder)
    }

    pub(crate) fn runs(&self, task: JoinHandle<()>) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// A call begins, or a worker has come.
    pub(crate) fn wake(&self) {
        if self.queue.is_some() {
            self.alarm.ring();
        }
    }

    /// A call is over. Never waits.
    pub(crate) fn over(&self, over: impl FnOnce() -> Over) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(Message::Over(Box::new(over()))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.alarm.ring();
    }

    /// What is remembered of an instance, the configuration that was used last first.
    pub(crate) fn records(&self, instance: &str) -> Vec<UsageRecord> {
        self.records.of_instance(instance)
    }

    /// Calls that were not recorded because too many ended at once.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is not written yet.
    pub(crate) async fn stop(&self) {
        let (stopped, done) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Message::Stop(stopped)).await.is_ok()
        {
            self.alarm.ring_anyway();
            let _ = done.await;
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}
