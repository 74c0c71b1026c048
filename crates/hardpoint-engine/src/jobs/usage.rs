//! What the worker of a running call uses, measured at a pace of its own.
//!
//! Owns the pace and the figures. Must not know who is told. Measuring reads files of the kernel, beside the threads
//! that answer everybody, and asks the GPU's driver where there is one.

use crate::engine::Engine;
use crate::mebibytes::mebibytes;
use crate::probe::gpu_share_of;
use hardpoint_model::job::{EventKind, ResourceSnapshot};
use hardpoint_process::{Process, TreeUsage};
use jiff::Timestamp;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Measures one worker's tree again and again.
#[derive(Debug)]
pub(super) struct Meter {
    engine: Engine,
    worker: Process,
    every: Duration,
    next: Instant,
    before: Option<TreeUsage>,
    /// What is under way; it ends with this.
    reading: JoinSet<Option<(TreeUsage, ResourceSnapshot)>>,
}

impl Meter {
    pub(super) fn new(engine: &Engine, pid: u32, every: Duration) -> Self {
        let next = Instant::now() + every;
        let (worker, reading) = (Process(pid), JoinSet::new());
        Self { engine: engine.clone(), worker, every, next, before: None, reading }
    }

    /// The next figures, when their time has come. Safe to drop half-way.
    pub(super) async fn read(&mut self) -> EventKind {
        if self.every.is_zero() {
            return std::future::pending().await;
        }
        loop {
            if self.reading.is_empty() {
                tokio::time::sleep_until(self.next).await;
                self.next = Instant::now() + self.every;
                self.reading.spawn(measure(self.engine.clone(), self.worker, self.before.clone()));
            }
            if let Some(Ok(Some((usage, snapshot)))) = self.reading.join_next().await {
                self.before = Some(usage);
                return EventKind::ResourceSnapshot { snapshot };
            }
        }
    }
}

/// `before`: without it the use of the processor is the mean since the worker's start.
async fn measure(
    engine: Engine,
    worker: Process,
    before: Option<TreeUsage>,
) -> Option<(TreeUsage, ResourceSnapshot)> {
    let usage = tokio::task::spawn_blocking(move || TreeUsage::of(worker)).await.ok()?;
    let gpu = gpu_share_of(usage.processes(), engine.launcher()).await;
    let mut snapshot = ResourceSnapshot {
        timestamp: Timestamp::now(),
        worker_pid: worker.0,
        cpu_percent: usage.cpu_percent_since(before.as_ref()),
        memory_rss_mb: mebibytes(usage.resident_bytes()),
        ..ResourceSnapshot::default()
    };
    if let Some(share) = gpu {
        snapshot.gpu_index = Some(share.index);
        snapshot.gpu_memory_mb = Some(mebibytes(share.used_bytes));
        snapshot.gpu_type = Some("NVIDIA".to_owned());
        snapshot.gpu_total_mb = Some(mebibytes(share.total_bytes));
        snapshot.gpu_load_percent = share.load_percent.map(f64::from);
    }
    Some((usage, snapshot))
}
