//! How much memory this machine has, and how much of it could be taken now.
//!
//! Owns the reading of the kernel's figures: those of the machine, and those of the control groups that this process is
//! confined to, because in a container the machine's figures promise what nobody may take. Reads files: not for a
//! runtime's threads.

use crate::memory::confinements;
use std::fs;

/// Memory of the machine, or of what this process is confined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineMemory {
    /// All there is.
    pub total_bytes: u64,
    /// What could be taken without swapping.
    pub available_bytes: u64,
}

impl MachineMemory {
    /// Reads it now; `None` where the kernel does not say.
    pub fn now() -> Option<Self> {
        let machine = of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let within = |memory: Self, (limit, used): (u64, u64)| Self {
            total_bytes: memory.total_bytes.min(limit),
            available_bytes: memory.available_bytes.min(limit.saturating_sub(used)),
        };
        Some(confinements().into_iter().fold(machine, within))
    }
}

fn of_machine(meminfo: &str) -> Option<MachineMemory> {
    let field = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb << 10)
    };
    Some(MachineMemory { total_bytes: field("MemTotal")?, available_bytes: field("MemAvailable")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read_in_kibibytes() {
        let text = "MemTotal:       16 kB\nMemFree:  1 kB\nMemAvailable:    4 kB\n";
        assert_eq!(of_machine(text), Some(MachineMemory { total_bytes: 16 << 10, available_bytes: 4 << 10 }));
        assert_eq!(of_machine("MemTotal: 16 kB\n"), None, "kernels before 3.14");
    }

    #[test]
    fn this_machine_has_memory_and_some_of_it_is_free() {
        let memory = MachineMemory::now().unwrap();
        assert!(memory.available_bytes > 0 && memory.available_bytes <= memory.total_bytes, "{memory:?}");
    }
}
