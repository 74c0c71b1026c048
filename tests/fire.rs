//! One server, plugins that fail in every way we know, and five healthy ones that never notice.

use crate::support::{Server, Serving, run_tool, test_plugins};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const HEALTHY: usize = 5;

/// A plugin that fails: what it is made of, what sets it off, and what must then be said of it.
struct Bad {
    name: &'static str,
    /// Folder below tests/plugins.
    from: &'static str,
    /// Added to its manifest.
    manifest: &'static str,
    /// Tool, arguments, and the status of the answer; `None` when it fails at its start.
    call: Option<(&'static str, Value, u16)>,
    state: &'static str,
    reason: &'static str,
}

fn starts(name: &'static str, state: &'static str, reason: &'static str) -> Bad {
    Bad { name, from: name, manifest: "", call: None, state, reason }
}

fn needs(name: &'static str, manifest: &'static str, reason: &'static str) -> Bad {
    Bad { name, from: "well", manifest, call: None, state: "UNAVAILABLE", reason }
}

fn calls(
    name: &'static str,
    from: &'static str,
    tool: &'static str,
    args: Value,
    status: u16,
    reason: &'static str,
) -> Bad {
    Bad { name, from, manifest: "", call: Some((tool, args, status)), state: "FAILED", reason }
}

fn all_bad() -> Vec<Bad> {
    vec![
        starts("import_error", "FAILED", "ModuleNotFoundError: No module named"),
        starts("exit_at_import", "FAILED", "failed while importing: SystemExit: 7"),
        starts("segfault_at_import", "FAILED", "was killed by signal 11 (SIGSEGV)"),
        starts("validate_error", "FAILED", "failed while validating: RuntimeError: validate gives up"),
        starts("initialize_error", "FAILED", "failed while initializing: RuntimeError: initialize gives up"),
        starts("bad_manifest", "FAILED", "mistakes, the first: "),
        starts("missing_package", "UNAVAILABLE", "Python package: hardpoint-test-package-that-is-not-there"),
        starts("hang_at_import", "FAILED", "was still importing after its start-up time of"),
        needs("missing_model", "[needs.models]\nnet = \"gone.onnx\"\n", "Model file: gone.onnx"),
        needs(
            "truncated_model",
            "[needs.models]\nnet = \"cut.safetensors\"\n",
            "Model file: cut.safetensors",
        ),
        needs("placeholder_model", "[needs.models]\nnet = \"lfs.pt\"\n", "Model file: lfs.pt"),
        needs("needs_gpu", "[needs]\nrequires_gpu = true\n", "GPU ("),
        needs("wrong_platform", "[needs]\nplatforms = [\"darwin-arm64\"]\n", "darwin-arm64"),
        calls("segfault", "segfault", "crash", json!({}), 502, "was killed by signal 11 (SIGSEGV)"),
        calls("os_exit", "os_exit", "leave", json!({}), 502, "exited with code 42"),
        calls("deadlock", "deadlock", "lock", json!({}), 408, "ran past its timeout of 2 s"),
        Bad {
            manifest: "[limits]\ntimeout_seconds = 2\n",
            ..calls("c_loop", "c_loop", "spin", json!({}), 408, "ran past its timeout of 2 s")
        },
        calls(
            "memory_hog",
            "memory_hog",
            "allocate",
            json!({"mb": 512, "hold_seconds": 20}),
            502,
            "memory limit of 256 MB",
        ),
        calls(
            "memory_hog_in_child",
            "memory_hog",
            "allocate_in_child",
            json!({"mb": 512, "hold_seconds": 20}),
            502,
            "memory limit of 256 MB",
        ),
        calls("garbage", "half_frame", "garbage", json!({}), 502, "broke the worker protocol"),
        calls("closes_fd_3", "half_frame", "close_socket", json!({}), 502, "broke the worker protocol"),
    ]
}

/// A copy of a test plugin under another name.
fn plant(plugins: &Path, name: &str, from: &str, manifest: &str) {
    let folder = plugins.join(name);
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(test_plugins().join(from)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let file = folder.join("hardpoint.toml");
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace(&format!("name = \"{from}\""), &format!("name = \"{name}\""));
    // A table that is there already is extended, not written twice.
    let (table, rest) = manifest.split_once('\n').unwrap_or_default();
    let text = if !table.is_empty() && text.contains(table) {
        text.replace(table, &format!("{table}\n{rest}"))
    } else {
        format!("{text}\n{manifest}")
    };
    fs::write(file, text).unwrap();
}

fn models(folder: &Path) {
    let header_longer_than_the_file = [&[0, 1, 0, 0, 0, 0, 0, 0][..], b"{\"a\":"].concat();
    fs::write(folder.join("truncated_model/cut.safetensors"), header_longer_than_the_file).unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
    fs::write(folder.join("placeholder_model/lfs.pt"), pointer).unwrap();
}

/// Ends the callers however the test ends.
struct UntilDropped<'a>(&'a AtomicBool);

impl Drop for UntilDropped<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Calls a healthy plugin without a pause; how often it answered.
fn call_all_along(server: &Server, name: &str, going: &AtomicBool) -> u32 {
    let mut answers = 0;
    while going.load(Ordering::Relaxed) {
        let (status, body) = run_tool(server, name, "echo", &json!({"text": "here"}));
        assert_eq!((status, &body["result"]), (200, &json!("here")), "{name}: {body:#}");
        answers += 1;
    }
    answers
}

/// Sets a plugin off; its state is told the moment the answer is there.
fn set_off(server: &Server, plugin: &Bad) {
    let Some((tool, args, expected)) = &plugin.call else { return };
    server.wait_for(plugin.name, "INITIALIZED");
    let (status, body) = run_tool(server, plugin.name, tool, args);
    // A kernel that ends the child alone leaves the tool the time to say so; the worker goes at the next look.
    if status == 200 && *tool == "allocate_in_child" {
        return;
    }
    assert_eq!(status, *expected, "{}: {body:#}", plugin.name);
    assert_eq!(body["ok"], json!(false), "{}: {body:#}", plugin.name);
    assert_eq!(server.health(plugin.name)["state"], "FAILED", "{}: {body:#}", plugin.name);
}

#[test]
fn twenty_ways_to_fail_are_told_apart_while_five_healthy_plugins_go_on() {
    let serving = Serving::empty()
        .env("HARDPOINT_NVML_LIBRARY", "libnone.so")
        .env("PATH", std::env::var("PATH").unwrap());
    let bad = all_bad();
    assert!(bad.len() >= 20);
    for plugin in &bad {
        plant(&serving.plugins(), plugin.name, plugin.from, plugin.manifest);
    }
    let healthy: Vec<String> = (0..HEALTHY).map(|number| format!("healthy-{number}")).collect();
    for name in &healthy {
        plant(&serving.plugins(), name, "well", "");
    }
    models(&serving.plugins());
    let server = serving.start();
    for name in &healthy {
        server.wait_for(name, "INITIALIZED");
    }

    let (server_ref, going) = (&server, AtomicBool::new(true));
    let answers: u32 = thread::scope(|scope| {
        let until = UntilDropped(&going);
        let going = &going;
        let callers: Vec<_> =
            healthy.iter().map(|name| scope.spawn(move || call_all_along(server_ref, name, going))).collect();
        let triggers: Vec<_> =
            bad.iter().map(|plugin| scope.spawn(move || set_off(server_ref, plugin))).collect();
        let broken = triggers.into_iter().filter_map(|trigger| trigger.join().err()).count();
        assert_eq!(broken, 0, "plugins that were not set off as they should");
        for plugin in &bad {
            let health = server_ref.wait_for(plugin.name, plugin.state);
            let reason = health["reason"].as_str().unwrap();
            assert!(reason.contains(plugin.reason), "{}: {reason}", plugin.name);
            assert!(
                health["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
                "{}: no remedy",
                plugin.name
            );
            assert_eq!(health["pid"], Value::Null, "{}: a worker lives on", plugin.name);
        }
        drop(until);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    assert!(answers >= 50, "the healthy ones answered {answers} times");

    let listed = server.get("/v1/plugins").json();
    assert_eq!(listed.as_array().unwrap().len(), bad.len() + HEALTHY);
    for name in &healthy {
        let health = server.health(name);
        assert_eq!((&health["state"], &health["error_count"]), (&json!("INITIALIZED"), &json!(0)), "{name}");
    }
    server.stop();
}
