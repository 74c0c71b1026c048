//! Letting go of what jobs brought long ago: by age, and by how much all of it takes.
//!
//! Owns the pace. What a job was and how it ended stays; only its outputs go.

use super::limits::{FORGET_AT_ONCE, FORGET_EVERY};
use super::outputs::Outputs;
use hardpoint_store::{Op, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::time::Duration;

/// How long outputs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputsKept {
    /// After the end of their job.
    pub age_max: Duration,
    /// All of them together.
    pub bytes_max: u64,
}

/// Looks again and again, for as long as the host lives.
pub(super) async fn run(store: Store, outputs: Outputs, kept: OutputsKept) -> Infallible {
    loop {
        if let Err(error) = forget_some(&store, &outputs, kept).await {
            tracing::warn!(%error, "old outputs could not be let go of");
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

async fn forget_some(store: &Store, outputs: &Outputs, kept: OutputsKept) -> Result<(), StoreError> {
    let age = SignedDuration::try_from(kept.age_max).unwrap_or(SignedDuration::MAX);
    let ended_before = Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN);
    loop {
        let old = store.outputs_beyond(kept.bytes_max, ended_before, FORGET_AT_ONCE).await?;
        if old.is_empty() {
            return Ok(());
        }
        for job in old {
            let files = store.files_of(job, u32::MAX).await?;
            // The rows first: a file without a row is found at the next start, a row without a file never would be.
            store.enqueue_apart(vec![Op::ForgetOutputs(job)]).await?;
            outputs.remove_files(&files);
        }
    }
}
