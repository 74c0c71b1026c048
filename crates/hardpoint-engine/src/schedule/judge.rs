//! Whether what a plugin needs is free, and who would have to go so that it is.
//!
//! Pure: figures in, a verdict out. Must not know where figures come from.

use crate::limits::SCHEDULER_LOOK;
use crate::mebibytes::{bytes, mebibytes};
use hardpoint_model::{Category, JobError, Manifest, ResourceShortfall};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::time::Duration;

/// What a plugin needs while it works, in bytes; 0: nothing in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Need {
    pub(crate) ram: u64,
    pub(crate) vram: u64,
}

/// Something that there is a certain amount of, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amount {
    pub(crate) total: u64,
    pub(crate) free: u64,
}

/// What was free when it was looked at; `None`: nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Machine {
    pub(crate) ram: Option<Amount>,
    /// Of the device with the most of it free.
    pub(crate) vram: Option<Amount>,
}

/// An instance that is up, and what its worker's tree holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) instance: String,
    pub(crate) incarnation: u64,
    pub(crate) ram: u64,
    pub(crate) vram: u64,
    /// The most it was ever seen to hold.
    pub(crate) peak_ram: u64,
    pub(crate) peak_vram: u64,
    pub(crate) is_idle: bool,
    pub(crate) last_used: Option<Timestamp>,
}

/// What a call was granted that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) instance: String,
    pub(crate) need: Need,
}

/// One of the two kinds of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Ram,
    Vram,
}

/// What is short, and by how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    pub(crate) instance: String,
    pub(crate) resource: Resource,
    pub(crate) needed: u64,
    pub(crate) available: u64,
    pub(crate) total: u64,
}

impl Need {
    /// What a manifest says.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let needs = &manifest.needs;
        let bytes = |mb: Option<u64>| mb.unwrap_or(0).saturating_mul(1 << 20);
        let vram = if needs.requires_gpu { bytes(needs.min_gpu_vram_mb) } else { 0 };
        Self { ram: bytes(needs.min_system_ram_mb), vram }
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    fn of_resource(self, resource: Resource) -> u64 {
        match resource {
            Resource::Ram => self.ram,
            Resource::Vram => self.vram,
        }
    }
}

impl Machine {
    fn of_resource(&self, resource: Resource) -> Option<Amount> {
        match resource {
            Resource::Ram => self.ram,
            Resource::Vram => self.vram,
        }
    }
}

impl Holding {
    pub(crate) fn of_resource(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Ram => self.ram,
            Resource::Vram => self.vram,
        }
    }

    fn peak(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Ram => self.peak_ram,
            Resource::Vram => self.peak_vram,
        }
    }
}

/// Whether an instance may have what it needs. What its worker holds already counts as its own; what others were granted
/// and have not taken yet is not free.
pub(crate) fn judge(
    instance: &str,
    need: Need,
    machine: &Machine,
    held: &[Holding],
    granted: &[Grant],
) -> Result<(), Shortage> {
    if granted.iter().any(|grant| grant.instance == instance) {
        return Ok(());
    }
    for resource in [Resource::Ram, Resource::Vram] {
        let needed = need.of_resource(resource);
        let (true, Some(amount)) = (needed > 0, machine.of_resource(resource)) else { continue };
        let own = own(instance, resource, held);
        let promised = promised(resource, held, granted);
        let available = amount.free.saturating_sub(promised).saturating_add(own);
        if needed > available {
            let (instance, total) = (instance.to_owned(), amount.total);
            return Err(Shortage { instance, resource, needed, available, total });
        }
    }
    Ok(())
}

fn own(instance: &str, resource: Resource, held: &[Holding]) -> u64 {
    let own = held.iter().find(|holding| holding.instance == instance);
    own.map_or(0, |holding| holding.of_resource(resource))
}

/// What was granted and is not in use yet. Several calls of one instance need it once.
fn promised(resource: Resource, held: &[Holding], granted: &[Grant]) -> u64 {
    let mut seen: Vec<&str> = Vec::new();
    let mut promised = 0_u64;
    for grant in granted {
        if !seen.contains(&grant.instance.as_str()) {
            seen.push(&grant.instance);
            let left = grant.need.of_resource(resource).saturating_sub(own(&grant.instance, resource, held));
            promised = promised.saturating_add(left);
        }
    }
    promised
}

/// Who is ended first so that this is there: those without a call, the longest unused first, of these the one that
/// was seen to hold most. Nobody, when all of them together are not enough: that would help no one.
pub(crate) fn victim<'h>(shortage: &Shortage, held: &'h [Holding], granted: &[Grant]) -> Option<&'h Holding> {
    let resource = shortage.resource;
    let spared = |holding: &Holding| {
        let is_granted = granted.iter().any(|grant| grant.instance == holding.instance);
        !holding.is_idle || is_granted || holding.instance == shortage.instance
    };
    let candidates = held.iter().filter(|holding| !spared(holding) && holding.of_resource(resource) > 0);
    let all: u64 = candidates.clone().map(|holding| holding.of_resource(resource)).sum();
    if all < shortage.needed.saturating_sub(shortage.available) {
        return None;
    }
    candidates.min_by_key(|holding| (holding.last_used, Reverse(holding.peak(resource))))
}

impl Shortage {
    /// What a plugin said that it lacked; how much, if it did not say, is not known: anything may help. `None`: it lacked
    /// something that no other plugin can give back.
    pub(crate) fn told(instance: &str, shortfall: Option<ResourceShortfall>) -> Option<Self> {
        let (resource, needed, available) = match shortfall {
            None => (Resource::Ram, 1, 0),
            Some(ResourceShortfall { resource, needed, available }) => {
                let resource = match resource.as_str() {
                    "system_ram_mb" => Resource::Ram,
                    "gpu_vram_mb" => Resource::Vram,
                    _ => return None,
                };
                (resource, bytes(needed).max(1), bytes(available))
            }
        };
        Some(Self { instance: instance.to_owned(), resource, needed, available, total: u64::MAX })
    }

    /// What somebody who was ended held is free now. Whether that is enough.
    pub(crate) fn is_made_up_by(&mut self, victim: &Holding) -> bool {
        self.available = self.available.saturating_add(victim.of_resource(self.resource));
        self.needed <= self.available
    }

    pub(crate) fn is_of_gpu(&self) -> bool {
        self.resource == Resource::Vram
    }

    /// Whether it would be too much for a machine on which nothing else runs.
    pub(crate) fn is_for_good(&self) -> bool {
        self.needed > self.total
    }

    /// The same as a plugin's own lack would be told.
    pub(crate) fn to_job_error(&self) -> JobError {
        let mut error = JobError::new(Category::Resource, "ResourceError", self.to_string());
        error.resource_shortfall = Some(self.shortfall());
        error.retriable = !self.is_for_good();
        error.of_plugin(&self.instance)
    }

    /// How much was needed and there was, in MiB.
    pub fn shortfall(&self) -> ResourceShortfall {
        let resource = match self.resource {
            Resource::Ram => "system_ram_mb",
            Resource::Vram => "gpu_vram_mb",
        };
        ResourceShortfall {
            resource: resource.to_owned(),
            needed: mebibytes(whole(self.needed)),
            available: mebibytes(whole(self.available)),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let own = "say less under `[needs]` in its hardpoint.toml";
        if self.is_for_good() {
            return format!("run it on a machine that has as much, raise `scheduler.memory_mb`, or {own}");
        }
        format!(
            "try again when other plugins hold less, `hardpoint plugin unload` what is not needed, or {own}"
        )
    }

    /// When it may be different; `None`: it will not be.
    pub fn retry_after(&self) -> Option<Duration> {
        (!self.is_for_good()).then_some(SCHEDULER_LOOK)
    }

    /// Why somebody waits.
    pub(crate) fn why(&self) -> String {
        let what = match self.resource {
            Resource::Ram => "memory",
            Resource::Vram => "GPU memory",
        };
        let mb = |bytes: u64| bytes >> 20;
        let (needed, free, total) = (mb(self.needed), mb(self.available), mb(self.total));
        format!("it needs {needed} MiB of {what}; {free} of {total} MiB are free for it")
    }
}

/// Without what is less than a mebibyte: the same figure as in the sentence.
fn whole(bytes: u64) -> u64 {
    bytes >> 20 << 20
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ResourceScheduler blocked execution of {}: {}", self.instance, self.why())
    }
}

#[cfg(test)]
mod tests;
