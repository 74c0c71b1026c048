//! What the NVIDIA driver says: NVML in a process of our own, else `nvidia-smi`.
//!
//! Owns the order of the two and how long an answer is kept. Must not decide what it means for a plugin.

use super::nvml::{self, NvmlAnswer};
use super::smi;
use crate::probe::limits::{DRIVER_KEPT, FIGURES_KEPT};
use hardpoint_process::Launcher;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// One device that the driver lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number, as `nvidia-smi` counts.
    pub index: u32,
    /// What it is called: `NVIDIA H200`.
    pub name: String,
    /// Its id: `GPU-…`.
    pub uuid: String,
    /// Its memory.
    pub memory_bytes: u64,
    /// How much of it is free; unknown to `nvidia-smi`'s short form.
    #[serde(default)]
    pub memory_free_bytes: Option<u64>,
    /// Whether it is divided into parts (MIG); unknown to `nvidia-smi`'s short form.
    pub mig: Option<bool>,
    /// How busy it is, in percent; unknown to `nvidia-smi`'s short form.
    #[serde(default)]
    pub load_percent: Option<u32>,
    /// Which processes use how much of its memory, in bytes; unknown to `nvidia-smi`'s short form.
    #[serde(default)]
    pub used_by: Vec<(u32, u64)>,
}

/// What the driver says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverFacts {
    /// Who said it: `NVML`, or the path of `nvidia-smi`.
    pub said_by: String,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// The devices.
    pub devices: Vec<Device>,
}

/// Why nothing can be known of any device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverTrouble {
    /// There is none on this machine.
    #[error("no NVIDIA driver: {0}")]
    None(String),
    /// There is one, and it does not work.
    #[error("the NVIDIA driver does not work: {0}")]
    Broken(String),
}

pub(crate) type Driver = Result<DriverFacts, DriverTrouble>;

/// The answer that is being waited for, or was given not long ago.
static LAST: Mutex<Option<Generation>> = Mutex::new(None);

#[derive(Clone)]
struct Generation {
    since: Instant,
    answer: Arc<OnceCell<Driver>>,
}

/// What the driver says now, or said a few seconds ago.
pub(crate) async fn driver(launcher: &Launcher) -> Driver {
    said(DRIVER_KEPT, launcher).await
}

/// The same for whoever counts what is free: hardly older than now.
pub(crate) async fn driver_now(launcher: &Launcher) -> Driver {
    said(FIGURES_KEPT, launcher).await
}

async fn said(kept: Duration, launcher: &Launcher) -> Driver {
    let answer = generation(Instant::now(), kept);
    answer.get_or_init(async || ask(launcher).await).await.clone()
}

/// Whoever comes while a question is on its way waits for its answer instead of asking again.
fn generation(now: Instant, kept: Duration) -> Arc<OnceCell<Driver>> {
    let Ok(mut last) = LAST.lock() else { return Arc::default() };
    match &*last {
        Some(last) if now.saturating_duration_since(last.since) < kept => last.answer.clone(),
        _ => {
            let answer = Arc::default();
            *last = Some(Generation { since: now, answer: Arc::clone(&answer) });
            answer
        }
    }
}

/// Asks now.
async fn ask(launcher: &Launcher) -> Driver {
    match nvml::ask(launcher).await {
        Ok(NvmlAnswer::Devices(facts)) => Ok(facts),
        Ok(NvmlAnswer::NoDriver(why)) => Err(DriverTrouble::None(why)),
        Ok(NvmlAnswer::Broken(why)) => Err(DriverTrouble::Broken(why)),
        Ok(NvmlAnswer::Unloadable(why)) => smi::ask(launcher, &why).await,
        Err(silence) => Err(DriverTrouble::Broken(format!("NVML {silence}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_within_seconds_shares_the_question_and_later_ones_ask_anew() {
        let now = Instant::now();
        let first = generation(now, DRIVER_KEPT);
        assert!(Arc::ptr_eq(&first, &generation(now + DRIVER_KEPT / 2, DRIVER_KEPT)));
        let anew = generation(now + FIGURES_KEPT, FIGURES_KEPT);
        assert!(!Arc::ptr_eq(&first, &anew), "whoever counts wants younger figures");
        assert!(!Arc::ptr_eq(&anew, &generation(now + FIGURES_KEPT + DRIVER_KEPT, DRIVER_KEPT)));
    }
}
