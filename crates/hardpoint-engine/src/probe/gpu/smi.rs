//! `nvidia-smi`, for machines whose NVML library cannot be loaded by name.
//!
//! Owns finding it and reading its table. Must not know what an answer means for a plugin.

use super::driver::{Device, Driver, DriverFacts, DriverTrouble};
use crate::probe::ask::{Question, Reply, ask as ask_process, environment, quote};
use crate::probe::limits::{DEVICES_MAX, DRIVER_LIMIT};
use crate::probe::programs;
use hardpoint_process::{Launcher, Status};
use std::collections::BTreeMap;
use std::path::PathBuf;

const NAME: &str = "nvidia-smi";
const ARGUMENTS: [&str; 2] = ["--query-gpu=index,name,uuid,memory.total", "--format=csv,noheader"];
/// With this code it says that it cannot reach a driver.
const NO_DRIVER: i32 = 9;

/// Asks the first `nvidia-smi` on `PATH`; `no_library` says why NVML could not be asked.
pub(super) async fn ask(launcher: &Launcher, no_library: &str) -> Driver {
    let Some(program) = programs::on_path(NAME) else {
        return Err(DriverTrouble::None(format!("{no_library}, and {NAME} is not on PATH")));
    };
    let question = Question {
        title: NAME.to_owned(),
        env: environment(&program, &BTreeMap::new()),
        program: program.clone(),
        args: ARGUMENTS.map(str::to_owned).into(),
        cwd: PathBuf::from("/"),
        limit: DRIVER_LIMIT,
    };
    let said_by = program.display().to_string();
    match ask_process(question, launcher).await {
        Ok(reply) => read(&reply, said_by),
        Err(silence) => Err(DriverTrouble::Broken(format!("{said_by} {silence}"))),
    }
}

fn read(reply: &Reply, said_by: String) -> Driver {
    let devices = || reply.stdout.lines().filter_map(device).take(DEVICES_MAX as usize).collect::<Vec<_>>();
    let says_none = reply.stdout.contains("No devices were found");
    match (reply.status, devices()) {
        (Status::Code(0), devices) if !devices.is_empty() || says_none || reply.stdout.trim().is_empty() => {
            Ok(DriverFacts { said_by, version: None, devices })
        }
        (Status::Code(0), _) => {
            let said = quote(&reply.stdout);
            Err(DriverTrouble::Broken(format!("{said_by} printed something that is no answer: {said}")))
        }
        (Status::Code(_), _) if says_none => Ok(DriverFacts { said_by, version: None, devices: Vec::new() }),
        (status, _) => {
            let why = format!("{said_by} {}", reply.ending());
            let is_none = status == Status::Code(NO_DRIVER);
            Err(if is_none { DriverTrouble::None(why) } else { DriverTrouble::Broken(why) })
        }
    }
}

/// `0, NVIDIA H200, GPU-5a3c…, 143771 MiB`
fn device(line: &str) -> Option<Device> {
    let mut fields = line.split(',').map(str::trim);
    let (index, name, uuid, memory) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let mebibytes: u64 =
        memory.strip_suffix("MiB").and_then(|number| number.trim().parse().ok()).unwrap_or(0);
    Some(Device {
        index: index.parse().ok()?,
        name: name.to_owned(),
        uuid: uuid.to_owned(),
        memory_bytes: mebibytes << 20,
        ..Device::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_nvidia_smi_is_read_whatever_stands_in_it() {
        let check = |status, stdout: &str, stderr: &str, expected: Result<usize, &str>| {
            let driver = read(&Reply::of(status, stdout, stderr), "smi".to_owned());
            match (driver, expected) {
                (Ok(facts), Ok(count)) => assert_eq!(facts.devices.len(), count, "{stdout}"),
                (Err(trouble), Err(words)) => assert!(trouble.to_string().starts_with(words), "{trouble}"),
                (driver, expected) => panic!("{stdout}: {driver:?} instead of {expected:?}"),
            }
        };
        let good = Status::Code(0);
        check(good, "0, NVIDIA H200, GPU-1, 143771 MiB\n1, NVIDIA H200, GPU-2, [N/A]\n", "", Ok(2));
        check(good, "No devices were found\n", "", Ok(0));
        check(Status::Code(6), "No devices were found\n", "", Ok(0));
        check(good, "", "", Ok(0));
        check(good, "hello\n", "", Err("the NVIDIA driver does not work: smi printed something"));
        check(
            Status::Code(9),
            "NVIDIA-SMI has failed\n",
            "",
            Err("no NVIDIA driver: smi exited with code 9: NVIDIA-SMI has failed"),
        );
        check(
            Status::Code(3),
            "",
            "oh\n",
            Err("the NVIDIA driver does not work: smi exited with code 3: oh"),
        );
        check(
            Status::Signal(11),
            "",
            "",
            Err("the NVIDIA driver does not work: smi was killed by signal 11"),
        );
    }

    #[test]
    fn a_row_of_the_table_is_a_device() {
        let device = device("1, NVIDIA GeForce RTX 4090, GPU-5a, 24564 MiB").unwrap();
        assert_eq!((device.index, device.name.as_str()), (1, "NVIDIA GeForce RTX 4090"));
        assert_eq!((device.uuid.as_str(), device.memory_bytes), ("GPU-5a", 24_564 << 20));
    }
}
