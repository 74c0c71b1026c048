//! Following events: those that are on disk, then those that happen, without a gap and without a repeat.
//!
//! Owns the place of one subscriber. A subscriber that is too slow for the live stream reads from the disk until it
//! has caught up: it never slows anybody, and it loses nothing that is still kept.

use super::Jobs;
use super::limits::EVENTS_PER_READ;
use hardpoint_model::job::{Event, JobId};
use hardpoint_store::{EventFilter, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};

/// One subscriber.
#[derive(Debug)]
pub struct Following {
    jobs: Jobs,
    live: broadcast::Receiver<Arc<Event>>,
    job: Option<JobId>,
    /// The last number that was seen, whether it was given out or not.
    last: u64,
    /// Read from the disk, and not yet given out.
    read: VecDeque<Event>,
    /// Whether there may be more on the disk.
    behind: bool,
    /// How often it was too slow for the live stream.
    lagged: u64,
}

impl Following {
    pub(super) fn new(jobs: Jobs, since: u64, job: Option<JobId>) -> Self {
        // The live stream first: what happens while the disk is read is in both, and taken once.
        let live = jobs.shared.events.subscribe();
        Self { jobs, live, job, last: since, read: VecDeque::new(), behind: true, lagged: 0 }
    }

    /// How often it was too slow for the live stream.
    pub fn lagged(&self) -> u64 {
        self.lagged
    }

    /// The next event. `None`: the host is stopping.
    pub async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(Some(event));
            }
            if self.behind {
                self.read_some().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.number <= self.last => {}
                Ok(event) => {
                    self.last = event.number;
                    if self.job.is_none_or(|job| job == event.job_id) {
                        return Ok(Some(Event::clone(&event)));
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    self.lagged += 1;
                    self.behind = true;
                }
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// The next event that has happened already. `None`: there are no more now.
    pub async fn next_kept(&mut self) -> Result<Option<Event>, StoreError> {
        while self.read.is_empty() && self.behind {
            self.read_some().await?;
        }
        Ok(self.read.pop_front())
    }

    async fn read_some(&mut self) -> Result<(), StoreError> {
        let filter = EventFilter { since: self.last, job: self.job, limit: EVENTS_PER_READ };
        let found = self.jobs.shared.store.events(filter).await?;
        self.behind = !found.is_empty();
        if let Some(last) = found.last() {
            self.last = last.number;
        }
        self.read.extend(found);
        Ok(())
    }
}
