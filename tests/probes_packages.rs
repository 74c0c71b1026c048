//! A plugin's packages: found by either of their names, in the right version, without importing any.

use crate::probes::{Plugin, answers, unavailable};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Small packages whose import names differ from their own; `google` is a folder without code.
const REQUIREMENTS: &str =
    "requirements = [\"PyYAML>=6\", \"python-dateutil>=2.8\", \"protobuf>=4\", \"six\"]";

fn needing(dependencies: &[&str]) -> Plugin {
    let list: Vec<String> = dependencies.iter().map(|dependency| format!("\"{dependency}\"")).collect();
    let needs = format!("[python]\n{REQUIREMENTS}\n\n[needs]\ndependencies = [{}]\n", list.join(", "));
    let plugin = Plugin::with(&needs);
    // Found like an import, and imported by nobody: that would end the process.
    plugin.file("beside.py", "import os\nos._exit(1)\n");
    plugin.file("folder/notes.txt", "no code here");
    plugin
}

#[test]
fn either_name_of_a_package_will_do_and_nothing_is_imported() {
    let plugin = needing(&[
        "PyYAML",
        "pyyaml>=6,<100",
        "yaml",
        "yaml>=6",
        "python_dateutil",
        "dateutil>=2.8",
        "six",
        "google.protobuf>=4",
        "google.protobuf.message",
        "protobuf",
        "google",
        "json",
        "sys",
        "xml.etree.ElementTree",
        "beside",
    ]);
    answers(&plugin.call().run());
}

#[test]
fn each_missing_package_is_named_with_the_command_that_installs_it() {
    let plugin = needing(&[
        "PyYAML>=100",
        "yaml<1",
        "nobody-has-this>=2",
        "sklearn",
        "google.nothing",
        "yaml.nothing",
        "folder",
        "beside>=2",
    ]);
    let answer = plugin.call().run();
    let version = answer.stderr.split("PyYAML (found ").nth(1).unwrap().split(',').next().unwrap();
    let reason = format!(
        "Python package: PyYAML (found {version}, needs >=100), \
         Python package: yaml (found pyyaml {version}, needs <1), \
         Python package: nobody-has-this, Python package: sklearn, Python package: google.nothing, \
         Python package: yaml.nothing, Python package: folder, \
         Python package: beside (found in a version that cannot be told, needs >=2)"
    );
    unavailable(&answer, &reason);
    for words in ["pip install 'nobody-has-this>=2'", "pip install 'scikit-learn'", "needy/hardpoint.toml"] {
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    }
}

#[test]
fn models_and_packages_that_are_missing_are_told_together() {
    let plugin = Plugin::with("[needs]\ndependencies = [\"nobody_has_this\"]\nmodels = { a = \"a.pt\" }\n");
    let reason = "Model file: a.pt (it is not there), Python package: nobody_has_this";
    unavailable(&plugin.call().run(), reason);
}

/// A file that Python itself runs at every start of this environment.
#[test]
fn an_environment_that_prints_crashes_or_hangs_is_told_apart() {
    let data = tempfile::tempdir().unwrap();
    let plugin = Plugin::with("[needs]\ndependencies = [\"json\"]\n");
    let call = || {
        let mut cli = plugin.call();
        cli.command.env("HARDPOINT_DATA_DIR", data.path()).env("HARDPOINT_PROBE_SECONDS", "2");
        cli.run()
    };
    answers(&call());
    let file = site_packages(data.path()).join("always.pth");
    fs::write(
        &file,
        "import sys; print('HARDPOINT is loud' * 100_000); sys.stdout.write('no end of line')\n",
    )
    .unwrap();
    answers(&call());
    let reason = |why: &str| format!("Python packages (they cannot be looked at: Python {why})");
    fs::write(&file, "import os; os.kill(os.getpid(), 11)\n").unwrap();
    unavailable(&call(), &reason("was killed by signal 11"));
    fs::write(&file, "import os; print('HARDPOINT-PROBE {'); os._exit(0)\n").unwrap();
    unavailable(&call(), &reason("printed something that is no answer"));
    fs::write(&file, "import os, time; os.fork(); os.fork(); time.sleep(1000)\n").unwrap();
    let asked = Instant::now();
    unavailable(&call(), &reason("gave no answer within 2 s"));
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
}

fn site_packages(data: &Path) -> PathBuf {
    let only = |folder: &Path, fits: &dyn Fn(&str) -> bool| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut fitting = names.filter(|path| fits(path.file_name().unwrap().to_str().unwrap()));
        fitting.next().unwrap()
    };
    let environment = only(&data.join("envs"), &|name| name.strip_suffix(".lock").is_none());
    only(&environment.join("current/lib"), &|name| name.starts_with("python")).join("site-packages")
}
