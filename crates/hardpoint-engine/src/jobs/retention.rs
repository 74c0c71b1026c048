//! How long events are kept: from time to time those that need not be are let go.
//!
//! Owns the rhythm. Must not know how events are kept.

use super::limits::RETENTION_EVERY;
use super::settings::EventsKept;
use hardpoint_store::{Keep, Store};
use jiff::Timestamp;
use std::convert::Infallible;

/// For ever. A disk that refuses now is asked again the next time.
pub(super) async fn run(store: Store, kept: EventsKept) -> Infallible {
    loop {
        let since = Timestamp::now().checked_sub(kept.age_max).unwrap_or(Timestamp::MIN);
        let keep = Keep { count: kept.count_max, since };
        let (mut next, mut count) = (Some(0), 0);
        while let Some(from) = next {
            match store.prune(keep, from).await {
                Ok(pruned) => {
                    count += pruned.count;
                    next = pruned.next;
                }
                Err(error) => {
                    tracing::warn!(%error, "old events could not be let go");
                    next = None;
                }
            }
        }
        if count > 0 {
            tracing::debug!(count, "old events were let go");
        }
        tokio::time::sleep(RETENTION_EVERY).await;
    }
}
