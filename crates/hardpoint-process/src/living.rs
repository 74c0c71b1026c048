//! The trees of one launcher that are not gone yet.
//!
//! Owns a count. A tree may be let go of by whoever started it; whoever ends the host still has to know
//! when the last one is gone.

use std::sync::Arc;
use tokio::sync::watch;

/// How many there are.
#[derive(Debug, Clone)]
pub(crate) struct Living {
    count: Arc<watch::Sender<usize>>,
}

/// One of them; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Alive {
    living: Living,
}

impl Living {
    pub(crate) fn none() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }

    pub(crate) fn one_more(&self) -> Alive {
        self.count.send_modify(|count| *count += 1);
        Alive { living: self.clone() }
    }

    pub(crate) async fn all_gone(&self) {
        // The sender lives as long as this, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.living.count.send_modify(|count| *count -= 1);
    }
}
