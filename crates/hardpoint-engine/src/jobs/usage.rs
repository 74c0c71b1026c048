//! What the worker of a running call uses, measured at a pace of its own.
//!
//! Owns the pace and the figures. Must not know who is told. Measuring reads files of the kernel, beside the threads
//! that answer everybody.

use hardpoint_model::job::{EventKind, ResourceSnapshot};
use hardpoint_process::{Process, TreeUsage};
use jiff::Timestamp;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Measures one worker's tree again and again.
#[derive(Debug)]
pub(super) struct Meter {
    worker: Process,
    every: Duration,
    next: Instant,
    before: Option<TreeUsage>,
    /// Under way.
    reading: Option<JoinHandle<TreeUsage>>,
}

impl Meter {
    pub(super) fn new(pid: u32, every: Duration) -> Self {
        Self { worker: Process(pid), every, next: Instant::now() + every, before: None, reading: None }
    }

    /// The next figures, when their time has come. Safe to drop half-way.
    pub(super) async fn read(&mut self) -> EventKind {
        loop {
            let Some(reading) = &mut self.reading else {
                if self.every.is_zero() {
                    return std::future::pending().await;
                }
                tokio::time::sleep_until(self.next).await;
                let worker = self.worker;
                self.next = Instant::now() + self.every;
                self.reading = Some(tokio::task::spawn_blocking(move || TreeUsage::of(worker)));
                continue;
            };
            let read = reading.await;
            self.reading = None;
            if let Ok(usage) = read {
                return self.told(usage);
            }
        }
    }

    fn told(&mut self, usage: TreeUsage) -> EventKind {
        // The first time it is the mean since the worker's start.
        let cpu_percent = usage.cpu_percent_since(self.before.as_ref());
        let memory_rss_mb = usage.resident_mb();
        self.before = Some(usage);
        EventKind::ResourceSnapshot {
            snapshot: ResourceSnapshot {
                timestamp: Timestamp::now(),
                worker_pid: self.worker.0,
                cpu_percent,
                memory_rss_mb,
                gpu_index: None,
                gpu_memory_mb: None,
                gpu_type: None,
                gpu_total_mb: None,
                gpu_load_percent: None,
            },
        }
    }
}
