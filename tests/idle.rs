//! What a plugin costs that does nothing: no conda, and hardly more memory than its interpreter.

use crate::support::{Server, Serving, run_tool};
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The promise of memory beyond the bare interpreter.
const MORE_KB_MAX: u64 = 5 << 10;

/// A plugin of each contract that imports nothing but what the contract asks for; each tells its interpreter.
const PLUGINS: [(&str, &str, &str); 3] = [
    (
        "native",
        "where",
        "import sys\nfrom hardpoint import Plugin, tool\nclass P(Plugin):\n    \
         name, version, description = 'native', '1.0.0', 'Trivial.'\n    \
         @tool\n    def where(self) -> dict[str, str]:\n        'Where.'\n        return {'python': sys.executable}\n",
    ),
    (
        "cjm",
        "execute",
        "import sys\nclass P:\n    def execute(self):\n        return {'python': sys.executable}\n",
    ),
    (
        "forgesyte",
        "where",
        "import sys\nclass P:\n    name, version, description = 'forgesyte', '1.0.0', 'Trivial.'\n    \
         tools = {'where': {'description': 'Where.', 'handler': 'where', 'input_schema': {'properties': {}}}}\n    \
         def run_tool(self, tool, args):\n        return {'python': sys.executable}\n",
    ),
];

fn trivial(plugins: &Path, dialect: &str, code: &str) {
    let folder = plugins.join(dialect);
    fs::create_dir(&folder).unwrap();
    let manifest =
        format!("name = '{dialect}'\nversion = '1.0.0'\nentry = 'trivial:P'\ndialect = '{dialect}'\n");
    fs::write(folder.join("hardpoint.toml"), manifest).unwrap();
    fs::write(folder.join("trivial.py"), code).unwrap();
}

/// What the machine would get back if the process ended: not the pages of files, which all interpreters share and of
/// which as many are resident as the page cache happens to have.
fn private_kb(pid: u64) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// An interpreter that has imported nothing, once it is up.
fn bare(python: &str) -> Child {
    let mut command = Command::new(python);
    command.args(["-c", "import sys; print(flush=True); sys.stdin.read()"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child
}

#[test]
fn without_conda_an_idle_worker_of_each_contract_is_its_interpreter_and_at_most_5_mb() {
    let found =
        Command::new("python3").args(["-c", "import sys; print(sys._base_executable)"]).output().unwrap();
    let python = String::from_utf8(found.stdout).unwrap();
    // An environment of its own, built with nothing on the path: no conda, nor anything else.
    let serving = Serving::empty().env("PATH", "/nowhere").env("HARDPOINT_PYTHON", python.trim());
    fs::remove_file(serving.data().join("envs")).unwrap();
    for (dialect, _, code) in PLUGINS {
        trivial(&serving.plugins(), dialect, code);
    }
    let server: Server = serving.start();
    for (dialect, tool, _) in PLUGINS {
        let pid = server.wait_for(dialect, "INITIALIZED")["pid"].as_u64().unwrap();
        let before = private_kb(pid);
        let (status, answer) = run_tool(&server, dialect, tool, &json!({}));
        assert_eq!(status, 200, "{answer}");
        let python = answer["result"]["python"].as_str().unwrap();
        assert!(Path::new(python).starts_with(server.data().join("envs")), "{python}");
        let mut interpreter = bare(python);
        let bare = private_kb(interpreter.id().into());
        drop(interpreter.stdin.take());
        assert!(interpreter.wait().unwrap().success());
        for (when, kb) in [("idle", before), ("idle after a call", private_kb(pid))] {
            assert!(kb < bare + MORE_KB_MAX, "{dialect}, {when}: {kb} kB, the interpreter {bare} kB");
        }
    }
    server.stop();
}
