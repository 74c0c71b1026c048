//! One look at a worker: what it and all that it started use, and the most memory that it had since the last look.
//!
//! Owns the questions to the kernel and the GPU's driver. Must not know calls.

use super::trace::Moment;
use crate::engine::Engine;
use crate::probe::gpu_share_of;
use hardpoint_process::{Process, TreeUsage};
use std::path::Path;

/// One worker.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) instance: String,
    pub(super) pid: u32,
    /// What it had of a GPU when that was asked last.
    pub(super) gpu_bytes: u64,
}

/// What was seen of one.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) instance: String,
    /// `None`: it is gone.
    pub(super) moment: Option<Moment>,
    /// It and all that it started.
    pub(super) processes: Vec<u32>,
}

/// Looks at all of them, on a thread that may wait.
pub(super) async fn look(workers: Vec<Subject>) -> Vec<Seen> {
    let read = move || workers.into_iter().map(read).collect();
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

/// The whole tree now, or the worker alone at its peak since the last look, whichever is more. A worker that lets nobody
/// look at its memory (it has secrets) has no such peak.
fn read(subject: Subject) -> Seen {
    let process = Process(subject.pid);
    let (usage, peak) = (TreeUsage::of(process), process.peak_resident_bytes());
    let resident = usage.resident_bytes();
    let moment = (resident > 0).then(|| Moment {
        at: usage.at(),
        cpu: usage.cpu_time(),
        memory_bytes: process.forget_peak().map_or(resident, |()| resident.max(peak)),
        gpu_bytes: subject.gpu_bytes,
    });
    Seen { instance: subject.instance, moment, processes: usage.processes().to_vec() }
}

/// Whether there may be a GPU with a driver that can be asked; where there is none no process is started to find out.
pub(super) fn may_have_gpu() -> bool {
    ["/dev/nvidiactl", "/dev/dxg"].iter().any(|device| Path::new(device).exists())
}

/// What instances have of a GPU, by their processes.
pub(super) async fn gpu_of(engine: Engine, instances: Vec<(String, Vec<u32>)>) -> Vec<(String, u64)> {
    let mut found = Vec::with_capacity(instances.len());
    for (instance, processes) in instances {
        let share = gpu_share_of(&processes, engine.launcher()).await;
        found.push((instance, share.map_or(0, |share| share.used_bytes)));
    }
    found
}
