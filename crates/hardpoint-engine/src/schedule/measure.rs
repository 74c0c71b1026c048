//! What is free and who holds what, looked at now.
//!
//! Owns the reading of the machine, of its GPUs and of the trees of workers. Must not decide anything.

use super::SchedulerSettings;
use super::judge::{Amount, Holding, Machine};
use crate::engine::Engine;
use crate::probe::{Device, gpu_share, gpus_now};
use crate::snapshot::PluginView;
use hardpoint_process::{MachineMemory, Process, TreeUsage};
use std::sync::Arc;

/// Everything that is decided with.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) machine: Machine,
    pub(super) held: Vec<Holding>,
    /// Whether GPUs were looked at.
    pub(super) with_gpus: bool,
}

/// `with_gpus`: whether somebody needs one; asking the driver takes a moment.
pub(super) async fn look(engine: &Engine, settings: &SchedulerSettings, with_gpus: bool) -> Look {
    let up: Vec<(Arc<PluginView>, u32)> = engine
        .snapshot()
        .plugins
        .values()
        .filter_map(|plugin| Some((Arc::clone(plugin), plugin.worker()?.pid())))
        .collect();
    let pids: Vec<u32> = up.iter().map(|(_, pid)| *pid).collect();
    let read = tokio::task::spawn_blocking(move || {
        let trees: Vec<TreeUsage> = pids.into_iter().map(|pid| TreeUsage::of(Process(pid))).collect();
        (MachineMemory::now(), trees)
    });
    let Ok((memory, trees)) = read.await else { return Look::default() };
    let gpus = if with_gpus { gpus_now(engine.launcher()).await.ok() } else { None };
    let devices = gpus.map(|facts| facts.devices).unwrap_or_default();
    let held = up.iter().zip(&trees).map(|((plugin, _), tree)| {
        let share = gpu_share(tree.processes(), &devices);
        holding(plugin, tree.resident_bytes(), share.map_or(0, |share| share.used_bytes))
    });
    let held: Vec<Holding> = held.collect();
    let used = held.iter().map(|holding| holding.ram).sum();
    let ram = within(memory, settings.memory_bytes, used);
    let vram = roomiest(&devices);
    Look { machine: Machine { ram, vram }, held, with_gpus }
}

fn holding(plugin: &PluginView, ram: u64, vram: u64) -> Holding {
    Holding {
        instance: plugin.name.clone(),
        incarnation: plugin.incarnation,
        ram,
        vram,
        peak_ram: plugin.activity.memory_peak_bytes().max(ram),
        peak_vram: plugin.activity.gpu_peak_bytes().max(vram),
        is_idle: plugin.takes_calls() && plugin.activity.in_flight() == 0,
        last_used: plugin.activity.last_used(),
    }
}

/// What an operator lets workers have together, if that is less than the machine has.
fn within(memory: Option<MachineMemory>, allowed: Option<u64>, used: u64) -> Option<Amount> {
    let machine = memory.map(|memory| Amount { total: memory.total_bytes, free: memory.available_bytes });
    let allowed = allowed.map(|total| Amount { total, free: total.saturating_sub(used) });
    match (machine, allowed) {
        (Some(machine), Some(allowed)) => {
            Some(Amount { total: machine.total.min(allowed.total), free: machine.free.min(allowed.free) })
        }
        (one, other) => one.or(other),
    }
}

/// The device with the most free memory: one is what a plugin works on.
fn roomiest(devices: &[Device]) -> Option<Amount> {
    let amount =
        |device: &Device| Some(Amount { total: device.memory_bytes, free: device.memory_free_bytes? });
    let amounts = devices.iter().filter_map(amount);
    amounts.max_by_key(|amount| amount.free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_have_what_the_operator_allows_and_never_more_than_the_machine_has() {
        let machine = |total, free| Some(MachineMemory { total_bytes: total, available_bytes: free });
        let amount = |total, free| Some(Amount { total, free });
        assert_eq!(within(machine(100, 60), None, 30), amount(100, 60));
        assert_eq!(within(machine(100, 60), Some(50), 30), amount(50, 20));
        assert_eq!(within(machine(100, 10), Some(50), 30), amount(50, 10));
        assert_eq!(within(None, Some(50), 70), amount(50, 0));
        assert_eq!(within(None, None, 70), None);
    }
}
