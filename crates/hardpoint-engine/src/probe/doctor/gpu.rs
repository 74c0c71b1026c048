//! The GPU, for the machine as a whole. Pure.

use super::Finding;
use crate::probe::gpu::{Device, Driver, DriverTrouble};

pub(super) fn finding(driver: &Driver) -> Finding {
    const NAME: &str = "gpu";
    let only = "; plugins with `requires_gpu` cannot run";
    match driver {
        Ok(facts) if facts.devices.is_empty() => Finding::warning(
            NAME,
            format!("{} lists no device{only}", facts.said_by),
            "look whether the device is handed on to this machine or container (`--gpus all`)",
        )
        .with(facts),
        Ok(facts) => {
            let devices: Vec<String> = facts.devices.iter().map(device).collect();
            let version = facts.version.as_ref().map(|version| format!(", driver {version}"));
            let what = format!("{}{}", devices.join(", "), version.unwrap_or_default());
            Finding::ok(NAME, what).with(facts)
        }
        Err(trouble @ DriverTrouble::None(_)) => Finding::warning(
            NAME,
            format!("{trouble}{only}"),
            "install the NVIDIA driver if this machine has such a GPU (in a container: `--gpus all`)",
        ),
        Err(trouble @ DriverTrouble::Broken(_)) => Finding::warning(
            NAME,
            format!("{trouble}{only}"),
            "run `nvidia-smi`; after an update of the driver the machine has to be started anew",
        ),
    }
}

fn device(device: &Device) -> String {
    let memory = (device.memory_bytes > 0).then(|| format!("{:.0} GiB", bytes_in_gib(device.memory_bytes)));
    let mig = (device.mig == Some(true)).then(|| "divided (MIG)".to_owned());
    let known: Vec<String> = memory.into_iter().chain(mig).collect();
    if known.is_empty() { device.name.clone() } else { format!("{} ({})", device.name, known.join(", ")) }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn bytes_in_gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;
    use crate::probe::gpu::DriverFacts;

    #[test]
    fn a_machine_without_a_gpu_is_no_problem_but_says_what_cannot_run() {
        let device = Device {
            index: 0,
            name: "NVIDIA H200".to_owned(),
            uuid: "GPU-1".to_owned(),
            memory_bytes: 143 << 30,
            mig: Some(true),
            ..Device::default()
        };
        let facts = |devices| {
            let (said_by, version) = ("NVML".to_owned(), Some("570.1".to_owned()));
            Ok(DriverFacts { said_by, version, devices })
        };
        let found = finding(&facts(vec![device]));
        let expected = "NVIDIA H200 (143 GiB, divided (MIG)), driver 570.1";
        assert_eq!((found.level, found.what.as_str()), (Level::Ok, expected));
        for driver in [
            facts(Vec::new()),
            Err(DriverTrouble::None("x".to_owned())),
            Err(DriverTrouble::Broken("x".to_owned())),
        ] {
            let found = finding(&driver);
            assert_eq!(found.level, Level::Warning);
            assert!(found.what.ends_with("`requires_gpu` cannot run") && found.remedy.is_some());
        }
    }
}
