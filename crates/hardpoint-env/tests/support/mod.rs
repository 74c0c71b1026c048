//! What the tests of environments share: real interpreters, the real uv, wheels built on the spot.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its part, and stops where it cannot go on"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use hardpoint_env::{EnvError, EnvEvent, EnvRequest, EnvStore, Environment, Requirements, Settings};
use hardpoint_process::{Launcher, MemoryMode};
use tokio::sync::OnceCell;

/// A data directory that goes away with the test.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("hardpoint-env-").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self, settings: Settings) -> EnvStore {
        let data = self.path().join("data");
        EnvStore::open_with(&data, launcher(&data), settings).unwrap()
    }

    /// A program made of shell lines.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// A requirement for a wheel with one module `name`, made here.
    pub fn wheel(&self, name: &str) -> String {
        let file = self.path().join(format!("{name}-1.0-py3-none-any.whl"));
        let script = "\
import sys, zipfile
name, path = sys.argv[1:]
info = f'{name}-1.0.dist-info/'
files = {
    f'{name}.py': 'ANSWER = 42\\n',
    info + 'METADATA': f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n',
    info + 'WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
}
with zipfile.ZipFile(path, 'w') as wheel:
    for file, text in files.items():
        wheel.writestr(file, text)
    wheel.writestr(info + 'RECORD', ''.join(f'{file},,\\n' for file in [*files, info + 'RECORD']))
";
        let made = Command::new("python3").args(["-c", script, name]).arg(&file).status().unwrap();
        assert!(made.success());
        format!("{name} @ file://{}", file.display())
    }

    /// The builds of every key, finished or not.
    pub fn builds(&self) -> Vec<PathBuf> {
        let keys = std::fs::read_dir(self.path().join("data/envs")).unwrap().flatten();
        keys.filter(|key| key.path().is_dir())
            .flat_map(|key| std::fs::read_dir(key.path()).unwrap().flatten())
            .filter(|build| build.file_type().unwrap().is_dir())
            .map(|build| build.path())
            .collect()
    }
}

/// Settings with a real uv: the one of this machine, or one that the store itself installed for the tests.
pub async fn with_uv() -> Settings {
    static UV: OnceCell<PathBuf> = OnceCell::const_new();
    let uv = UV
        .get_or_init(|| async {
            let settings = Settings::from_process();
            let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hardpoint-env-tests");
            let store = EnvStore::open_with(&data, launcher(&data), settings).unwrap();
            store.ensure(&request(&["six"]), |_| {}).await.unwrap();
            let own = data.join("tools/uv/current/bin/uv");
            if own.exists() { own } else { on_path("uv") }
        })
        .await;
    Settings::from_process().with("HARDPOINT_UV", uv)
}

/// A launcher as a host has it; nothing here has a memory limit. Several hosts live in one test process,
/// so each has a scratch folder of its own.
pub fn launcher(data: &Path) -> Launcher {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let shim = env!("CARGO_BIN_EXE_hardpoint-shim").into();
    let scratch = data.join("scratch").join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    Launcher::new(shim, &scratch, MemoryMode::Sampler).unwrap()
}

pub fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists()).unwrap()
}

pub fn request(requirements: &[&str]) -> EnvRequest {
    EnvRequest {
        plugin: "echo".to_owned(),
        requires: ">=3.9".to_owned(),
        requirements: Requirements::List(requirements.iter().map(|&item| item.to_owned()).collect()),
        given: None,
        rebuild: false,
    }
}

/// Makes the environment ready and keeps what was told.
pub async fn ensure(
    store: &EnvStore,
    request: &EnvRequest,
) -> (Result<Environment, EnvError>, Vec<EnvEvent>) {
    let mut events = Vec::new();
    let result = store.ensure(request, |event| events.push(event)).await;
    (result, events)
}

/// The interpreter behind `python3`, which needs nothing else on `PATH`.
pub fn real_python() -> String {
    let code = "import os, sys; print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)))";
    let output = Command::new("python3").args(["-I", "-c", code]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the environment's Python prints.
pub fn python(environment: &Environment, code: &str) -> String {
    let output = Command::new(&environment.python).args(["-I", "-c", code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The lines that an installer wrote.
pub fn lines(events: &[EnvEvent]) -> Vec<&str> {
    fn line(event: &EnvEvent) -> Option<&str> {
        match event {
            EnvEvent::Installing { line, .. } => Some(line.as_str()),
            EnvEvent::Interpreter { .. } | EnvEvent::Waiting { .. } | EnvEvent::Ready { .. } => None,
        }
    }
    events.iter().filter_map(line).collect()
}

/// The uv that these settings name.
pub fn uv_of(_settings: &Settings) -> String {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hardpoint-env-tests/tools/uv/current/bin/uv");
    let uv = if own.exists() { own } else { on_path("uv") };
    uv.display().to_string()
}

/// Whether a process is there and not only waiting to be reaped.
pub fn runs(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout);
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}
