//! NVML, NVIDIA's library, in a process of our own: a driver that hangs or crashes takes only that along.
//!
//! Owns both ends: the question, and what the process started with [`DRIVER_ARGUMENT`] does. It runs
//! before there are threads, a runtime or a command line.

use super::driver::{Device, DriverFacts};
use crate::probe::ask::{MARK, Question, Silence, ask as ask_process, environment};
use crate::probe::limits::{DEVICES_MAX, DRIVER_LIMIT, PROCESSES_MAX};
use hardpoint_process::Launcher;
use nvml_wrapper::Nvml;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The first argument that makes the binary ask the driver and end.
pub const DRIVER_ARGUMENT: &str = "__driver-probe";

/// Names another library than the system's; nothing else is tried then.
const LIBRARY_VARIABLE: &str = "HARDPOINT_NVML_LIBRARY";
/// The names that the library has: with the driver, with its headers, inside WSL.
const LIBRARIES: [&str; 3] = ["libnvidia-ml.so.1", "libnvidia-ml.so", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NvmlAnswer {
    /// There is no such library.
    Unloadable(String),
    /// The library says that no driver is loaded.
    NoDriver(String),
    /// It says that something else is wrong.
    Broken(String),
    /// It lists the devices.
    Devices(DriverFacts),
}

/// Asks NVML.
pub(super) async fn ask(launcher: &Launcher) -> Result<NvmlAnswer, Silence> {
    let program = PathBuf::from("/proc/self/exe");
    let mut env = environment(&program, &BTreeMap::new());
    if let Ok(library) = std::env::var(LIBRARY_VARIABLE) {
        env.insert(LIBRARY_VARIABLE.to_owned(), library);
    }
    let question = Question {
        title: "NVML".to_owned(),
        // The shim's own binary, which is ours, also where it was replaced on disk since.
        program,
        args: vec![DRIVER_ARGUMENT.to_owned()],
        env,
        cwd: PathBuf::from("/"),
        limit: DRIVER_LIMIT,
    };
    ask_process(question, launcher).await?.answer()
}

/// The whole life of the process that was started with [`DRIVER_ARGUMENT`].
pub fn driver_main() -> i32 {
    let named = std::env::var_os(LIBRARY_VARIABLE).filter(|library| !library.is_empty());
    let libraries = named.map_or_else(|| LIBRARIES.map(OsString::from).to_vec(), |library| vec![library]);
    let answer = ask_libraries(&libraries);
    let Ok(line) = serde_json::to_string(&answer) else { return 1 };
    let mut out = std::io::stdout();
    match writeln!(out, "\n{MARK}{line}").and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// The first library that can be loaded answers.
fn ask_libraries(libraries: &[OsString]) -> NvmlAnswer {
    let mut why = String::new();
    for library in libraries {
        match Nvml::builder().lib_path(library).init() {
            Ok(nvml) => return list(&nvml).map_or_else(broken, NvmlAnswer::Devices),
            Err(NvmlError::LibloadingError(error)) => {
                if why.is_empty() || Path::new(library).exists() {
                    why = unloadable(library, &error.to_string());
                }
            }
            Err(error) => return broken(error),
        }
    }
    NvmlAnswer::Unloadable(why)
}

fn broken(error: NvmlError) -> NvmlAnswer {
    match error {
        NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound => {
            NvmlAnswer::NoDriver(format!("NVML says: {error}"))
        }
        error => NvmlAnswer::Broken(format!("NVML says: {error}")),
    }
}

fn unloadable(library: &OsStr, why: &str) -> String {
    let library = library.to_string_lossy();
    if why.contains("No such file") { format!("there is no {library}") } else { format!("{library}: {why}") }
}

fn list(nvml: &Nvml) -> Result<DriverFacts, NvmlError> {
    let count = nvml.device_count()?.min(DEVICES_MAX);
    let (mut devices, mut trouble) = (Vec::new(), None);
    for index in 0..count {
        // One device that fell off the bus takes nothing from the others.
        match device(nvml, index) {
            Ok(device) => devices.push(device),
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    if let (true, Some(error)) = (devices.is_empty(), trouble) {
        return Err(error);
    }
    Ok(DriverFacts { said_by: "NVML".to_owned(), version: nvml.sys_driver_version().ok(), devices })
}

fn device(nvml: &Nvml, index: u32) -> Result<Device, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info().ok();
    Ok(Device {
        index,
        name: device.name()?,
        uuid: device.uuid()?,
        // Devices that share the machine's memory have none to tell of.
        memory_bytes: memory.as_ref().map_or(0, |memory| memory.total),
        memory_free_bytes: memory.map(|memory| memory.free),
        // Devices that cannot be divided say that they do not know the question.
        mig: device.mig_mode().ok().map(|mode| mode.current != 0),
        load_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        used_by: used_by(&device),
    })
}

/// A driver that does not tell takes nothing else away.
fn used_by(device: &nvml_wrapper::Device<'_>) -> Vec<(u32, u64)> {
    let computing = device.running_compute_processes().unwrap_or_default();
    let drawing = device.running_graphics_processes().unwrap_or_default();
    let used = computing.into_iter().chain(drawing).filter_map(|process| match process.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some((process.pid, bytes)),
        UsedGpuMemory::Unavailable => None,
    });
    used.take(PROCESSES_MAX).collect()
}
