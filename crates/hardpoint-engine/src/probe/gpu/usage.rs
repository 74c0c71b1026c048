//! How much of a GPU some processes use.
//!
//! Owns the choice of the device that is told of: the one that most of their memory is on.

use super::driver::{Device, DriverTrouble, driver};
use hardpoint_process::Launcher;
use std::sync::atomic::{AtomicBool, Ordering};

/// What processes use of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) index: u32,
    pub(crate) used_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) load_percent: Option<u32>,
}

/// Whether it was found that there is no driver: then it is not asked again for figures.
static NO_DRIVER: AtomicBool = AtomicBool::new(false);

/// What these processes use of a GPU; `None` when that is nothing, or not known.
pub(crate) async fn share_of(processes: &[u32], launcher: &Launcher) -> Option<Share> {
    if NO_DRIVER.load(Ordering::Relaxed) {
        return None;
    }
    match driver(launcher).await {
        Ok(facts) => share(processes, &facts.devices),
        // It may work again, or there was no descriptor left to ask it with.
        Err(DriverTrouble::Broken(_)) => None,
        Err(DriverTrouble::None(_)) => {
            NO_DRIVER.store(true, Ordering::Relaxed);
            None
        }
    }
}

/// What these processes use of one of these devices; `None` when that is nothing.
pub(crate) fn share(processes: &[u32], devices: &[Device]) -> Option<Share> {
    let shares = devices.iter().map(|device| {
        let of_them = device.used_by.iter().filter(|(process, _)| processes.contains(process));
        Share {
            index: device.index,
            used_bytes: of_them.map(|(_, bytes)| bytes).sum(),
            total_bytes: device.memory_bytes,
            load_percent: device.load_percent,
        }
    });
    shares.max_by_key(|share| share.used_bytes).filter(|share| share.used_bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_with_most_of_their_memory_is_told_and_that_of_strangers_does_not_count() {
        let device = |index, used_by: &[(u32, u64)]| Device {
            index,
            memory_bytes: 100,
            load_percent: Some(7),
            used_by: used_by.to_vec(),
            ..Device::default()
        };
        let devices = [device(0, &[(1, 90), (2, 10)]), device(1, &[(2, 20), (3, 15)]), device(2, &[])];
        let of = |processes: &[u32]| share(processes, &devices).map(|share| (share.index, share.used_bytes));
        assert_eq!(of(&[1]), Some((0, 90)));
        assert_eq!(of(&[2]), Some((1, 20)));
        assert_eq!(of(&[2, 3]), Some((1, 35)));
        assert_eq!(of(&[4]), None);
        assert_eq!(share(&[1], &[]), None);
    }
}
