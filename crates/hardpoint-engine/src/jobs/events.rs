//! Following events: those that are on disk, then those that happen, without a gap and without a repeat.
//!
//! Owns the place of one subscriber. A subscriber that is too slow for the live stream reads from the disk until it
//! has caught up: it never slows anybody, and it loses nothing that is still kept. What is not, it is told of.

use super::Jobs;
use super::limits::EVENTS_PER_READ;
use hardpoint_model::job::{Event, EventKind, JobId};
use hardpoint_store::{EventFilter, Gone, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// The next event.
    Event(Event),
    /// Some before the next one are not kept any more.
    Gone(Gone),
}

impl Followed {
    /// Whether its job is over with this.
    pub(super) fn is_end(&self) -> bool {
        let Self::Event(Event { kind: EventKind::StateTransition { to, .. }, .. }) = self else {
            return false;
        };
        to.is_terminal()
    }
}

/// One subscriber.
#[derive(Debug)]
pub struct Following {
    jobs: Jobs,
    live: broadcast::Receiver<Arc<Event>>,
    wanted: Vec<JobId>,
    /// The last number that was seen, whether it was given out or not.
    last: u64,
    /// Read from the disk, and not yet given out.
    read: VecDeque<Followed>,
    /// Whether there may be more on the disk.
    behind: bool,
}

impl Following {
    pub(super) fn new(jobs: Jobs, since: u64, wanted: Vec<JobId>) -> Self {
        // The live stream first: what happens while the disk is read is in both, and taken once.
        let live = jobs.shared.events.subscribe();
        Self { jobs, live, wanted, last: since, read: VecDeque::new(), behind: true }
    }

    /// What comes next. `None`: the host is stopping.
    pub async fn next(&mut self) -> Result<Option<Followed>, StoreError> {
        loop {
            if let Some(told) = self.read.pop_front() {
                return Ok(Some(told));
            }
            if self.behind {
                self.read_some().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.number <= self.last => {}
                Ok(event) => {
                    self.last = event.number;
                    if self.wanted.is_empty() || self.wanted.contains(&event.job_id) {
                        return Ok(Some(Followed::Event(Event::clone(&event))));
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// The same of what has happened already. `None`: there is no more now.
    pub async fn next_kept(&mut self) -> Result<Option<Followed>, StoreError> {
        while self.read.is_empty() && self.behind {
            self.read_some().await?;
        }
        Ok(self.read.pop_front())
    }

    /// How many events there are, of all jobs, after this number.
    pub fn after(&self, number: u64) -> u64 {
        self.jobs.shared.store.last_event().saturating_sub(number)
    }

    async fn read_some(&mut self) -> Result<(), StoreError> {
        let filter = EventFilter { since: self.last, jobs: self.wanted.clone(), limit: EVENTS_PER_READ };
        let found = self.jobs.shared.store.events(filter).await?;
        self.behind = !found.events.is_empty() || found.next > self.last;
        self.last = found.next;
        self.read.extend(found.gone.map(Followed::Gone));
        self.read.extend(found.events.into_iter().map(Followed::Event));
        Ok(())
    }
}
