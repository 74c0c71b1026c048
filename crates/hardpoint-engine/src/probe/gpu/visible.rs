//! `CUDA_VISIBLE_DEVICES`: which of the driver's devices a plugin may see.
//!
//! Owns reading the variable as CUDA does: it ends at the first entry that names no device.

use super::driver::Device;

pub(crate) const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// How many devices are left to see. Parts of a device (`MIG-…`) cannot be checked here: torch is asked.
pub(super) fn visible(variable: Option<&str>, devices: &[Device]) -> usize {
    let Some(variable) = variable else { return devices.len() };
    variable.split(',').map(str::trim).take_while(|entry| is_there(entry, devices)).count()
}

fn is_there(entry: &str, devices: &[Device]) -> bool {
    if entry.starts_with("MIG-") {
        return !devices.is_empty();
    }
    match entry.parse::<usize>() {
        Ok(number) => number < devices.len(),
        Err(_) => entry.starts_with("GPU-") && devices.iter().any(|device| device.uuid.starts_with(entry)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_as_cuda_reads_it() {
        let device = |index| Device {
            index,
            name: "A".to_owned(),
            uuid: format!("GPU-{index}abc"),
            memory_bytes: 1,
            mig: None,
            ..Device::default()
        };
        let devices = [device(0), device(1)];
        for (variable, expected) in [
            (None, 2),
            (Some(""), 0),
            (Some("-1"), 0),
            (Some("NoDevFiles"), 0),
            (Some("1"), 1),
            (Some("1, 0"), 2),
            (Some("0,7,1"), 1),
            (Some("GPU-1a"), 1),
            (Some("GPU-9"), 0),
            (Some("MIG-123"), 1),
        ] {
            assert_eq!(visible(variable, &devices), expected, "{variable:?}");
        }
        assert_eq!(visible(Some("MIG-123"), &[]), 0);
    }
}
