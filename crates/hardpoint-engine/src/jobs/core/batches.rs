//! What is on its way to the disk, in order, and what follows when the disk refuses.
//!
//! ```text
//!   write ──> sent ──> done
//!               └─ refused: all that was sent after it is refused, too
//!   during the outage:  facts are held, everything else is refused at once
//!   after a while:      a new epoch; what is held is sent again, in order
//! ```
//!
//! Must not know what a batch says.

use super::Effect;
use hardpoint_model::job::{JobId, JobStatus};
use hardpoint_store::{Op, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// What follows when the disk refuses.
#[derive(Debug)]
pub(super) enum Purpose<R> {
    /// The job was never accepted.
    Submit(JobId, R),
    /// The job waits again, in the status that it had.
    Start(JobId, JobStatus),
    /// It happens all the same and is written later, but whoever asked cannot be told that it is kept.
    Wish(R),
    /// It is true whether the disk likes it or not: it is written again until it is.
    Fact,
}

/// Some changes that become true together.
#[derive(Debug)]
pub(super) struct Batch<R> {
    pub(super) ops: Arc<[Op]>,
    /// What is done once they are.
    pub(super) then: Vec<Effect<R>>,
    pub(super) purpose: Purpose<R>,
}

#[derive(Debug)]
pub(super) struct Batches<R> {
    sent: BTreeMap<u64, Batch<R>>,
    /// Facts that are owed to the disk, in order.
    held: BTreeMap<u64, Batch<R>>,
    next: u64,
    epoch: u64,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    /// When the disk is tried again.
    until: Instant,
    why: StoreError,
}

impl<R> Default for Batches<R> {
    fn default() -> Self {
        Self { sent: BTreeMap::new(), held: BTreeMap::new(), next: 0, epoch: 0, outage: None }
    }
}

impl<R> Batches<R> {
    /// Whether something is still on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.held.is_empty()
    }

    /// Why nothing can be kept just now.
    pub(super) fn outage(&self) -> Option<&StoreError> {
        self.outage.as_ref().map(|outage| &outage.why)
    }

    /// Sends a batch.
    pub(super) fn send(&mut self, batch: Batch<R>) -> Effect<R> {
        let (number, epoch, ops) = (self.next, self.epoch, Arc::clone(&batch.ops));
        self.next += 1;
        self.sent.insert(number, batch);
        Effect::Write { number, epoch, ops }
    }

    /// A batch that came back.
    pub(super) fn take(&mut self, number: u64) -> Option<Batch<R>> {
        self.sent.remove(&number)
    }

    /// Keeps a fact until the disk is tried again: under the number that it had, if it was sent.
    pub(super) fn hold(&mut self, number: Option<u64>, ops: Arc<[Op]>, then: Vec<Effect<R>>) {
        let number = number.unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.held.insert(number, Batch { ops, then, purpose: Purpose::Fact });
    }

    pub(super) fn refused(&mut self, why: StoreError, until: Instant) {
        self.outage.get_or_insert(Outage { until, why });
    }

    /// The disk is tried again with everything that it owes, in order; so all that was sent must be back first.
    pub(super) fn retry(&mut self, now: Instant) -> Vec<Effect<R>> {
        let due = self.outage.as_ref().is_some_and(|outage| outage.until <= now);
        if !due || !self.sent.is_empty() {
            return Vec::new();
        }
        self.outage = None;
        self.epoch += 1;
        self.sent = std::mem::take(&mut self.held);
        let epoch = self.epoch;
        let again = self.sent.iter();
        again
            .map(|(number, batch)| Effect::Write { number: *number, epoch, ops: Arc::clone(&batch.ops) })
            .collect()
    }
}
