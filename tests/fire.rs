//! One server, plugins that fail in every way we know, and five healthy ones that never notice.

use crate::support::{Serving, run_tool, test_plugins};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    healthy.iter().for_each(|name| plant(&serving.plugins(), name, "well", ""));
    models(&serving.plugins());
    let server = Arc::new(serving.start());
    for name in &healthy {
        server.wait_for(name, "INITIALIZED");
    }

    // From here on the healthy ones are called without a pause.
    let (going, answers) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let callers: Vec<_> = healthy
        .iter()
        .cloned()
        .map(|name| {
            let (server, going, answers) = (Arc::clone(&server), Arc::clone(&going), Arc::clone(&answers));
            thread::spawn(move || {
                while going.load(Ordering::Relaxed) {
                    let (status, body) = run_tool(&server, &name, "echo", &json!({"text": "here"}));
                    assert_eq!((status, &body["result"]), (200, &json!("here")), "{name}: {body:#}");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let triggers: Vec<_> = bad
        .iter()
        .filter_map(|plugin| Some((plugin.name, plugin.call.clone()?)))
        .map(|(name, (tool, args, expected))| {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                server.wait_for(name, "INITIALIZED");
                let (status, body) = run_tool(&server, name, tool, &args);
                assert_eq!(status, expected, "{name}: {body:#}");
                assert_eq!(body["ok"], json!(false), "{name}: {body:#}");
                // Told the moment the answer is there.
                assert_eq!(server.health(name)["state"], "FAILED", "{name}: {body:#}");
            })
        })
        .collect();
    triggers.into_iter().for_each(|trigger| trigger.join().unwrap());

    for plugin in &bad {
        let health = server.wait_for(plugin.name, plugin.state);
        let reason = health["reason"].as_str().unwrap();
        assert!(reason.contains(plugin.reason), "{}: {reason}", plugin.name);
        assert!(health["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{}: no remedy", plugin.name);
        assert_eq!(health["pid"], Value::Null, "{}: a worker lives on", plugin.name);
    }
    going.store(false, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert!(answers.load(Ordering::Relaxed) >= 50, "the healthy ones hardly answered");

    let listed = server.get("/v1/plugins").json();
    assert_eq!(listed.as_array().unwrap().len(), bad.len() + HEALTHY);
    for name in &healthy {
        let health = server.health(name);
        assert_eq!((&health["state"], &health["error_count"]), (&json!("INITIALIZED"), &json!(0)), "{name}");
    }
    Arc::into_inner(server).unwrap().stop();
}
