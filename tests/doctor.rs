//! The doctor names what is wrong with a machine, on machines that have something wrong with them.

use crate::probes::Plugin;
use crate::support::{Answer, Cli};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn doctor(args: &[&str]) -> Cli {
    let mut cli = Cli::new(&[&["doctor", "--json"], args].concat());
    cli.command.env_remove("NATS_SERVER_BIN").env_remove("CUDA_VISIBLE_DEVICES");
    cli
}

#[track_caller]
fn finding(answer: &Answer, name: &str) -> Value {
    let document = answer.json();
    let findings = document["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{document}")).clone()
}

#[track_caller]
fn check(answer: &Answer, name: &str, level: &str, words: &str) -> Value {
    let found = finding(answer, name);
    assert_eq!(found["level"], level, "{found}");
    assert!(found["what"].as_str().unwrap().contains(words), "`{words}` is not in {found}");
    assert_eq!(found["remedy"].is_string(), level != "ok", "a remedy for all that is not ok: {found}");
    found
}

/// A program of the test's own.
fn program(path: &Path, script: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

#[test]
fn the_doctor_looks_at_everything_and_has_a_remedy_for_all_that_is_not_well() {
    let answer = doctor(&[]).run();
    let document = answer.json();
    let findings = document["findings"].as_array().unwrap();
    let names: Vec<&str> = findings.iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    let expected = [
        "python",
        "uv",
        "memory limits",
        "gpu",
        "nats-server",
        "data folder",
        "shared memory",
        "secrets",
        "open files",
        "processes",
        "plugins",
    ];
    assert_eq!(names, expected);
    for found in findings {
        assert_eq!(found["remedy"].is_string(), found["level"] != "ok", "{found}");
    }
    let has_problem = findings.iter().any(|finding| finding["level"] == "problem");
    assert_eq!((answer.code, &document["ok"]), (i32::from(has_problem), &Value::Bool(!has_problem)));
    let python = finding(&answer, "python");
    assert_eq!(python["level"], "ok", "{python}");
    let text = Cli::new(&["doctor"]).run();
    assert_eq!(text.code, answer.code);
    for word in ["python", "memory limits", "problem", "warning"] {
        assert!(text.stdout.contains(word), "{}", text.stdout);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_is_a_problem_and_the_rest_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut cli = doctor(&[]);
    cli.command.env("HARDPOINT_DATA_DIR", file.join("data"));
    let answer = cli.run();
    assert_eq!(answer.code, 1);
    check(&answer, "data folder", "problem", "cannot be written to");
    assert_eq!(finding(&answer, "python")["level"], "ok");
    let mut cli = doctor(&["--plugins"]);
    cli.command.env("HARDPOINT_DATA_DIR", file.join("data"));
    let answer = cli.run();
    check(&answer, "plugin needs_missing_model", "problem", "Model file: models/detector.onnx");
    check(&answer, "plugin well", "ok", "before its environment is built");
}

#[test]
fn the_memory_limit_is_tried_out_and_not_only_looked_for() {
    let found = finding(&doctor(&[]).run(), "memory limits");
    let enforced = found["facts"]["cgroup_version"].is_u64();
    assert_eq!(found["level"], if enforced { "ok" } else { "warning" }, "{found}");
    let word = if enforced { "enforced by the kernel" } else { "sampled, not enforced" };
    assert!(found["what"].as_str().unwrap().starts_with(word), "{found}");
}

#[test]
fn a_machine_without_a_usable_python_is_told_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let python = program(&folder.path().join("python"), "echo no licence >&2; exit 3");
    let mut cli = doctor(&[]);
    cli.command.env("HARDPOINT_PYTHON", &python).env("HARDPOINT_UV", "/nowhere/uv");
    let answer = cli.run();
    assert_eq!(answer.code, 1);
    let words = format!("{}: exited with code 3: no licence", python.display());
    check(&answer, "python", "problem", &words);
    check(&answer, "uv", "warning", "HARDPOINT_UV names /nowhere/uv, which is no program");
}

#[test]
fn gpus_and_the_message_bus_are_found_by_their_programs() {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("programs");
    let smi = program(&programs.join("nvidia-smi"), "echo '0, NVIDIA Test 1, GPU-5a3c, 24576 MiB'");
    let nats = program(&programs.join("nats-server"), "echo nats-server: v2.10.7");
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();
    let run = || {
        let mut cli = doctor(&[]);
        cli.command.env("PATH", &path).env("HARDPOINT_NVML_LIBRARY", "/nowhere/libnvidia-ml.so");
        cli.run()
    };
    let answer = run();
    let gpu = check(&answer, "gpu", "ok", "NVIDIA Test 1 (24 GiB)");
    assert_eq!(gpu["facts"]["said_by"], smi.to_str().unwrap());
    check(&answer, "nats-server", "ok", &format!("nats-server 2.10.7 at {}", nats.display()));
    program(&programs.join("nats-server"), "echo nats-server: v2.9.25");
    program(&programs.join("nvidia-smi"), "kill -SEGV $$");
    let answer = run();
    check(&answer, "nats-server", "warning", "has version 2.9.25, 2.10 or newer is needed");
    check(&answer, "gpu", "warning", "was killed by signal 11");
}

#[test]
fn few_open_files_are_told_with_their_number() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 512; exec \"$0\" doctor --json", env!("CARGO_BIN_EXE_hardpoint")]);
    command.env("HARDPOINT_DATA_DIR", crate::support::shared_data());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = Answer::of(command.spawn().unwrap());
    check(&answer, "open files", "warning", "512 files open");
}

#[test]
fn a_named_plugin_is_looked_at_without_building_anything() {
    let plugin = Plugin::with(
        "[python]\nrequirements = [\"a-package-that-nobody-has\"]\n\n[needs]\ndependencies = [\"nobody_has\"]\n",
    );
    let run = |args: &[&str]| doctor(args).plugins(plugin.plugins()).run();
    let answer = run(&["needy"]);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    check(&answer, "plugin needy", "ok", "`hardpoint plugin check needy` builds it");
    plugin.file(
        "hardpoint.toml",
        "name = \"needy\"\nversion = \"1.0.0\"\nentry = \"plugin:Needy\"\n[needs]\ndependencies = [\"json\"]\n",
    );
    assert_eq!(plugin.call().run().code, 0);
    check(&run(&["--plugins"]), "plugin needy", "ok", "has all that its manifest says it needs");
    plugin.file(
        "hardpoint.toml",
        "name = \"needy\"\nversion = \"1.0.0\"\nentry = \"plugin:Needy\"\n[needs]\ndependencies = [\"nobody_has\"]\n",
    );
    let answer = run(&["needy"]);
    assert_eq!(answer.code, 1);
    let reason = "UNAVAILABLE: Missing dependencies: Python package: nobody_has";
    check(&answer, "plugin needy", "problem", reason);
    let unknown = Cli::new(&["doctor", "nobody"]).run();
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("there is no plugin `nobody`"), "{}", unknown.stderr);
}
