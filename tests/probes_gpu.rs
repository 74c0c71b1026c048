//! A plugin that needs a GPU: the driver and torch are each asked with a limit, and the reason names which
//! of the two failed.
//!
//! No GPU is needed here: `HARDPOINT_NVML_LIBRARY` names a library that does not exist, so that `nvidia-smi`
//! is asked, and that is a script of the test; torch is a file beside the plugin.

use crate::probes::{Plugin, answers, unavailable};
use crate::support::Cli;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const NEEDS_GPU: &str = "[needs]\nrequires_gpu = true\n";
const NEEDS_TORCH: &str = "[needs]\nrequires_gpu = true\ndependencies = [\"torch\"]\n";
const LISTS_ONE: &str = "echo '0, NVIDIA Test 1, GPU-5a3c, 24564 MiB'";

/// The command line on a machine whose `nvidia-smi` is this script; `None` is a machine that has none.
fn on_machine(plugin: &Plugin, nvidia_smi: Option<&str>) -> Cli {
    let programs = plugin.plugins().join("programs");
    fs::create_dir_all(&programs).unwrap();
    if let Some(script) = nvidia_smi {
        let program = programs.join("nvidia-smi");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let others = std::env::split_paths(&path).map(|folder| without_nvidia_smi(plugin, folder));
    let path = std::env::join_paths(std::iter::once(programs).chain(others)).unwrap();
    let mut cli = plugin.call();
    cli.command.env("HARDPOINT_NVML_LIBRARY", "/nowhere/libnvidia-ml.so").env("PATH", path);
    cli.command.env_remove("CUDA_VISIBLE_DEVICES");
    cli
}

/// The folder itself, or links to all else that is in it: on a machine with a GPU that is `/usr/bin`.
fn without_nvidia_smi(plugin: &Plugin, folder: PathBuf) -> PathBuf {
    if !folder.join("nvidia-smi").exists() {
        return folder;
    }
    let name = folder.to_str().unwrap().replace('/', "-");
    let links = plugin.plugins().join("links").join(name);
    if !links.is_dir() {
        fs::create_dir_all(&links).unwrap();
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_name() != "nvidia-smi" {
                std::os::unix::fs::symlink(entry.path(), links.join(entry.file_name())).unwrap();
            }
        }
    }
    links
}

/// A torch that answers like this.
fn torch(plugin: &Plugin, available: &str, built_for: &str) {
    let text = format!(
        "__version__ = '2.5.1'\n\n\nclass version:\n    cuda = {built_for}\n\n\nclass cuda:\n    \
         is_available = staticmethod(lambda: {available})\n    \
         device_count = staticmethod(lambda: 1)\n\n    @staticmethod\n    def init():\n        \
         raise RuntimeError('the driver is too old')\n"
    );
    plugin.file("torch.py", text);
}

#[test]
fn a_driver_with_a_device_is_enough_without_torch() {
    let plugin = Plugin::with(NEEDS_GPU);
    answers(&on_machine(&plugin, Some(LISTS_ONE)).run());
}

#[test]
fn both_the_driver_and_torch_must_see_the_device() {
    let plugin = Plugin::with(NEEDS_TORCH);
    torch(&plugin, "True", "'12.4'");
    answers(&on_machine(&plugin, Some(LISTS_ONE)).run());
}

#[test]
fn without_a_driver_nothing_is_built_and_the_driver_is_named() {
    let plugin = Plugin::with(&format!("[python]\nrequirements = [\"torch==0.0.0\"]\n{NEEDS_TORCH}"));
    let reason =
        "GPU (no NVIDIA driver: there is no /nowhere/libnvidia-ml.so, and nvidia-smi is not on PATH)";
    unavailable(&on_machine(&plugin, None).run(), reason);
}

#[test]
fn a_driver_without_a_device_is_named() {
    let plugin = Plugin::with(NEEDS_GPU);
    let smi = plugin.plugins().join("programs/nvidia-smi");
    let answer = on_machine(&plugin, Some("echo 'No devices were found'")).run();
    unavailable(&answer, &format!("GPU (no NVIDIA device: {} lists none)", smi.display()));
    let broken =
        "echo \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\"; exit 9";
    let reason = format!(
        "GPU (no NVIDIA driver: {} exited with code 9: NVIDIA-SMI has failed because it couldn't communicate \
         with the NVIDIA driver.)",
        smi.display()
    );
    unavailable(&on_machine(&plugin, Some(broken)).run(), &reason);
}

#[test]
fn a_driver_that_hangs_is_given_up_and_leaves_nothing() {
    let plugin = Plugin::with(NEEDS_GPU);
    let smi = plugin.plugins().join("programs/nvidia-smi");
    let asked = Instant::now();
    let answer = on_machine(&plugin, Some("sleep 1000 & wait")).run();
    let reason =
        format!("GPU (the NVIDIA driver does not work: {} gave no answer within 5 s)", smi.display());
    unavailable(&answer, &reason);
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[test]
fn a_torch_that_sees_no_device_is_named() {
    let plugin = Plugin::with(NEEDS_TORCH);
    torch(&plugin, "False", "None");
    let reason = "GPU (CUDA not available to torch 2.5.1: it is built without CUDA)";
    unavailable(&on_machine(&plugin, Some(LISTS_ONE)).run(), reason);
    torch(&plugin, "False", "'12.4'");
    let reason = "GPU (CUDA not available to torch 2.5.1: RuntimeError: the driver is too old \
        (it is built for CUDA 12.4))";
    unavailable(&on_machine(&plugin, Some(LISTS_ONE)).run(), reason);
    // The environment is there by now, so both are asked, and both are named.
    let both = on_machine(&plugin, Some("exit 1")).run();
    let smi = plugin.plugins().join("programs/nvidia-smi");
    let reason = format!(
        "GPU (the NVIDIA driver does not work: {} exited with code 1; CUDA not available to torch 2.5.1: \
         RuntimeError: the driver is too old (it is built for CUDA 12.4))",
        smi.display()
    );
    unavailable(&both, &reason);
}

#[test]
fn a_torch_that_crashes_hangs_or_babbles_says_so_and_no_more() {
    let plugin = Plugin::with(NEEDS_TORCH);
    let check = |content: &str, reason: &str| {
        plugin.file("torch.py", content);
        let mut cli = on_machine(&plugin, Some(LISTS_ONE));
        cli.command.env("HARDPOINT_PROBE_SECONDS", "2");
        unavailable(&cli.run(), &format!("GPU ({reason})"));
    };
    let torch = "CUDA not available to torch: its process";
    check("import os\nos.kill(os.getpid(), 11)\n", &format!("{torch} was killed by signal 11"));
    check("import os\nos._exit(7)\n", &format!("{torch} exited with code 7"));
    check(
        "print('x' * 2_000_000)\nimport os\nos._exit(0)\n",
        &format!("{torch} printed something that is no answer"),
    );
    check("import time\ntime.sleep(1000)\n", &format!("{torch} gave no answer within 2 s"));
    check("raise SystemExit('no licence')\n", "torch cannot be imported: SystemExit: no licence");
    check("import not_there\n", "torch cannot be imported: ModuleNotFoundError: No module named 'not_there'");
}

#[test]
fn devices_that_are_hidden_do_not_count() {
    let plugin = Plugin::with(NEEDS_GPU);
    let mut cli = on_machine(&plugin, Some(LISTS_ONE));
    cli.command.env("CUDA_VISIBLE_DEVICES", "");
    let reason = "GPU (no visible NVIDIA device: CUDA_VISIBLE_DEVICES=\"\" hides the one device)";
    unavailable(&cli.run(), reason);
    let plugin = Plugin::with("[env]\nCUDA_VISIBLE_DEVICES = \"-1\"\n\n[needs]\nrequires_gpu = true\n");
    let reason = "GPU (no visible NVIDIA device: CUDA_VISIBLE_DEVICES=\"-1\" hides the one device)";
    unavailable(&on_machine(&plugin, Some(LISTS_ONE)).run(), reason);
}

#[test]
fn the_driver_is_asked_once_for_all_plugins_that_start_together() {
    let plugin = Plugin::with(NEEDS_GPU);
    for n in 0..5 {
        let manifest = format!("name = \"p{n}\"\nversion = \"1\"\nentry = \"p:P\"\n{NEEDS_GPU}");
        plugin.file(&format!("../p{n}/hardpoint.toml"), manifest);
    }
    let asked = plugin.plugins().join("asked");
    let script = format!("echo x >> {}; {LISTS_ONE}", asked.display());
    let mut cli = on_machine(&plugin, Some(&script));
    let program = cli.command.get_program().to_owned();
    let mut doctor = Command::new(program);
    doctor.args(["doctor", "--plugins", "--json"]);
    doctor.envs(cli.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    doctor.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    cli.command = doctor;
    let answer = cli.run();
    assert_eq!(answer.stdout.matches("\"plugin p").count(), 5, "{}", answer.stdout);
    assert_eq!(fs::read_to_string(asked).unwrap().lines().count(), 1);
}

/// The one test that asks the real driver.
#[test]
fn a_real_gpu_is_found_where_there_is_one() {
    let listed = Command::new("nvidia-smi").arg("-L").output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success() && !listed.stdout.is_empty())
    else {
        println!("skipped: no GPU");
        return;
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let plugin = Plugin::with(NEEDS_GPU);
    answers(&plugin.call().run());
    let doctor = Cli::new(&["doctor", "--json"]).plugins(plugin.plugins()).run().json();
    let findings = doctor["findings"].as_array().unwrap();
    let gpu = findings.iter().find(|finding| finding["name"] == "gpu").unwrap();
    assert_eq!(gpu["level"], "ok", "{gpu}");
    for device in gpu["facts"]["devices"].as_array().unwrap() {
        assert!(listed.contains(device["uuid"].as_str().unwrap()), "{device} is not in\n{listed}");
        assert!(device["memory_bytes"].as_u64().unwrap() > 1 << 30, "{device}");
    }
}
