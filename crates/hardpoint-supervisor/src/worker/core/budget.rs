//! How much a worker may say unasked.

use crate::limits::UNASKED_PER_SECOND_MAX;
use std::time::Duration;
use tokio::time::Instant;

/// How many messages may still come unasked in this second.
pub(super) struct Budget {
    second: Instant,
    spent: u32,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { second: now, spent: 0 }
    }

    pub(super) fn spend(&mut self, now: Instant) -> bool {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.spent += 1;
        self.spent <= UNASKED_PER_SECOND_MAX
    }
}
