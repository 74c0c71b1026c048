//! Work that takes long enough to be felt by others is done on a thread of its own.

use crate::limits::LARGE_BYTES;
use crate::problem::{Code, Problem};

/// Does some work about `bytes` bytes here when they are few, else on another thread.
pub(crate) async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes < LARGE_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        tracing::error!("work on a large value ended without an answer: {e}");
        Problem::new(Code::Internal, "the host could not read or write a large value")
    })
}
