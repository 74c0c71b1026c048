//! From what the driver and torch say to one word about the GPU.
//!
//! Owns the wording: the reason names which of the two failed, and both when both did. Pure.

use super::driver::{Driver, DriverTrouble};
use super::torch::Torch;
use super::visible::{VARIABLE, visible};
use crate::probe::ask::{Silence, quote};
use crate::probe::{Missing, Need};

/// `torch` is `None` when it was not asked; `hidden` is the value of `CUDA_VISIBLE_DEVICES`.
pub(crate) fn judge(
    driver: &Driver,
    torch: Option<&Result<Torch, Silence>>,
    visible_devices: Option<&str>,
) -> Option<Missing> {
    let failures = [driver_fails(driver, visible_devices), torch.and_then(torch_fails)];
    let (whys, hints): (Vec<String>, Vec<String>) = failures.into_iter().flatten().unzip();
    (!whys.is_empty()).then(|| Missing {
        need: Need::Gpu,
        what: format!("GPU ({})", whys.join("; ")),
        hint: hints.join("; "),
    })
}

const DRIVER_HINT: &str = "install the NVIDIA driver until `nvidia-smi` lists a device (in a container: start \
    it with `--gpus all`), or run the plugin on a machine that has one";
const REPAIR_HINT: &str = "run `nvidia-smi`: after an update of the driver the machine has to be started anew; \
    else look for NVRM and Xid in the kernel's log";

fn driver_fails(driver: &Driver, variable: Option<&str>) -> Option<(String, String)> {
    match driver {
        Err(trouble @ DriverTrouble::None(_)) => Some((trouble.to_string(), DRIVER_HINT.to_owned())),
        Err(trouble @ DriverTrouble::Broken(_)) => Some((trouble.to_string(), REPAIR_HINT.to_owned())),
        Ok(facts) if facts.devices.is_empty() => {
            Some((format!("no NVIDIA device: {} lists none", facts.said_by), DRIVER_HINT.to_owned()))
        }
        Ok(facts) if visible(variable, &facts.devices) == 0 => {
            let (value, count) = (quote(variable.unwrap_or_default()), facts.devices.len());
            let devices =
                if count == 1 { "the one device".to_owned() } else { format!("all {count} devices") };
            let why = format!("no visible NVIDIA device: {VARIABLE}=\"{value}\" hides {devices}");
            let hint = format!("set {VARIABLE} to a device that `nvidia-smi -L` lists, or unset it");
            Some((why, hint))
        }
        Ok(_) => None,
    }
}

fn torch_fails(torch: &Result<Torch, Silence>) -> Option<(String, String)> {
    match torch {
        Ok(Torch::Says { available: true, count: 1.., .. }) => None,
        Ok(Torch::Says { version, built_for, why, .. }) => {
            let (what, hint) = unavailable(built_for.as_deref(), why);
            Some((format!("CUDA not available to torch {}: {what}", quote(version)), hint))
        }
        Ok(Torch::Broken { import_error }) => {
            let hint = "add `torch` to `requirements` under `[python]` in hardpoint.toml, and try \
                `python -c 'import torch'` in the plugin's environment";
            Some((format!("torch cannot be imported: {}", quote(import_error)), hint.to_owned()))
        }
        Err(silence @ Silence::Late(_)) => {
            let hint = "try `python -c 'import torch'` in the plugin's environment; for a slow disk, set \
                HARDPOINT_PROBE_SECONDS to the seconds it needs";
            Some((format!("CUDA not available to torch: its process {silence}"), hint.to_owned()))
        }
        Err(silence) => {
            let hint = "try `python -c 'import torch; print(torch.cuda.is_available())'` in the plugin's \
                environment; a torch that hangs or crashes there has to be installed anew";
            Some((format!("CUDA not available to torch: its process {silence}"), hint.to_owned()))
        }
    }
}

fn unavailable(built_for: Option<&str>, why: &str) -> (String, String) {
    match built_for {
        None => (
            "it is built without CUDA".to_owned(),
            "require a torch that is built for CUDA: on linux-x64 that of the package index is; another index is \
             named in PIP_EXTRA_INDEX_URL (https://download.pytorch.org/whl/cu124, for example)"
                .to_owned(),
        ),
        Some(cuda) => {
            let said = if why.is_empty() { "it finds no device".to_owned() } else { quote(why) };
            (
                format!("{said} (it is built for CUDA {})", quote(cuda)),
                "update the NVIDIA driver, or require a torch that is built for an older CUDA".to_owned(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::gpu::{Device, DriverFacts};
    use std::time::Duration;

    fn facts(devices: u32) -> DriverFacts {
        let device = |index| Device {
            index,
            name: "NVIDIA H200".to_owned(),
            uuid: format!("GPU-{index}"),
            memory_bytes: 1 << 37,
            mig: None,
            ..Device::default()
        };
        DriverFacts { said_by: "NVML".to_owned(), version: None, devices: (0..devices).map(device).collect() }
    }

    fn says(built_for: Option<&str>, available: bool, why: &str) -> Torch {
        let (version, built_for) = ("2.5.1".to_owned(), built_for.map(str::to_owned));
        Torch::Says { version, built_for, available, count: available.into(), why: why.to_owned() }
    }

    #[test]
    fn the_reason_names_which_of_the_two_failed() {
        let check =
            |driver: &Driver, torch: Option<Result<Torch, Silence>>, variable, expected: Option<&str>| {
                let missing = judge(driver, torch.as_ref(), variable);
                assert_eq!(missing.as_ref().map(|missing| missing.what.as_str()), expected);
                assert!(missing.is_none_or(|missing| !missing.hint.is_empty()));
            };
        let none = Err(DriverTrouble::None("there is no libnvidia-ml.so.1".to_owned()));
        let hangs = Err(DriverTrouble::Broken("NVML gave no answer within 5 s".to_owned()));
        check(&Ok(facts(1)), None, None, None);
        check(&Ok(facts(2)), Some(Ok(says(Some("12.4"), true, ""))), Some("1"), None);
        check(&none, None, None, Some("GPU (no NVIDIA driver: there is no libnvidia-ml.so.1)"));
        check(
            &hangs,
            None,
            None,
            Some("GPU (the NVIDIA driver does not work: NVML gave no answer within 5 s)"),
        );
        check(&Ok(facts(0)), None, None, Some("GPU (no NVIDIA device: NVML lists none)"));
        let hidden = "GPU (no visible NVIDIA device: CUDA_VISIBLE_DEVICES=\"\" hides the one device)";
        check(&Ok(facts(1)), None, Some(""), Some(hidden));
        let cpu = says(None, false, "AssertionError: Torch not compiled with CUDA enabled");
        let not_built = "GPU (CUDA not available to torch 2.5.1: it is built without CUDA)";
        check(&Ok(facts(1)), Some(Ok(cpu.clone())), None, Some(not_built));
        let old = says(Some("12.4"), false, "RuntimeError: the driver is too old");
        let too_old = "GPU (CUDA not available to torch 2.5.1: RuntimeError: the driver is too old (it is built for CUDA 12.4))";
        check(&Ok(facts(1)), Some(Ok(old)), None, Some(too_old));
        let late = Err(Silence::Late(Duration::from_mins(1)));
        let hung = "GPU (CUDA not available to torch: its process gave no answer within 60 s)";
        check(&Ok(facts(1)), Some(late), None, Some(hung));
        let both = "GPU (no NVIDIA driver: there is no libnvidia-ml.so.1; \
            CUDA not available to torch 2.5.1: it is built without CUDA)";
        check(&none, Some(Ok(cpu)), None, Some(both));
        let broken = Ok(Torch::Broken { import_error: "ImportError: no torch".to_owned() });
        check(
            &Ok(facts(1)),
            Some(broken),
            None,
            Some("GPU (torch cannot be imported: ImportError: no torch)"),
        );
    }
}
