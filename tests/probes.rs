//! What a plugin needs is looked at before it starts: models, the platform, and what is said about them.

use crate::support::{Answer, Cli, TestHost};
use hardpoint_engine::probe::{self, Missing};
use hardpoint_model::Manifest;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A plugin in a folder of its own that is made for one test.
pub(crate) struct Plugin {
    plugins: TempDir,
}

impl Plugin {
    /// A plugin that answers, with this behind the first lines of its manifest.
    pub(crate) fn with(manifest: &str) -> Self {
        let plugin = Self { plugins: tempfile::tempdir().unwrap() };
        let head = "name = \"needy\"\nversion = \"1.0.0\"\nentry = \"plugin:Needy\"\n";
        plugin.file("hardpoint.toml", format!("{head}{manifest}"));
        plugin.file(
            "plugin.py",
            "from hardpoint import Plugin, tool\n\n\nclass Needy(Plugin):\n    name = 'needy'\n\n    \
             @tool\n    def here(self) -> str:\n        return 'here'\n",
        );
        plugin
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.plugins.path().join("needy")
    }

    /// The folder whose sub-folder this plugin is.
    pub(crate) fn plugins(&self) -> &Path {
        self.plugins.path()
    }

    /// Writes a file into the plugin's folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The command line that calls its tool.
    pub(crate) fn call(&self) -> Cli {
        Cli::new(&["call", "needy", "here"]).plugins(self.plugins())
    }

    /// What is missing before its environment is looked at, asked in this process.
    async fn missing(&self) -> Vec<Missing> {
        let host = TestHost::new();
        let text = fs::read_to_string(self.dir().join("hardpoint.toml")).unwrap();
        let manifest = Manifest::parse(&text, "hardpoint.toml").unwrap();
        let missing = probe::machine(&manifest, &self.dir(), &host.launcher).await;
        host.launcher.all_gone().await;
        missing
    }
}

/// The plugin is UNAVAILABLE for exactly this reason.
#[track_caller]
pub(crate) fn unavailable(answer: &Answer, reason: &str) {
    let expected = format!("plugin `needy` is UNAVAILABLE: Missing dependencies: {reason}");
    assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    let said = answer.stderr.lines().find(|line| line.contains("UNAVAILABLE")).unwrap_or(&answer.stderr);
    let said = said.trim_start_matches("error: ");
    assert_eq!(said, expected, "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: "), "{}", answer.stderr);
}

#[track_caller]
pub(crate) fn answers(answer: &Answer) {
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("here"), "{}", answer.stdout);
}

const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

/// What a checkpoint of torch is: a zip archive, here an empty one with its end record.
fn whole_zip() -> Vec<u8> {
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend([0; 5000]);
    zip.extend(b"PK\x05\x06");
    zip.extend([0; 18]);
    zip
}

#[tokio::test]
async fn each_defect_of_a_model_file_is_named_with_its_file() {
    let zip = whole_zip();
    let defects: [(&str, &[u8], &str); 10] = [
        ("empty.pt", b"", "it is empty"),
        ("pointer.onnx", LFS_POINTER.as_bytes(), "it is a git-lfs pointer, not the model"),
        ("note.pth", b"put the weights here\n", "it is a text of 21 bytes, a placeholder for the model"),
        ("page.bin", b"<!DOCTYPE html>\n<html>", "it is a web page, not a model"),
        ("cut.pt", &zip[..4000], "it is truncated: the end of its zip archive is missing"),
        ("other.pt", &[7; 9000], "it does not begin with a zip archive or a pickle, as its name says"),
        ("other.onnx", &[0xff; 9000], "it does not begin with an ONNX model, as its name says"),
        ("other.gguf", &zip, "it does not begin with `GGUF`, as its name says"),
        ("other.h5", &zip, "it does not begin with the signature of HDF5, as its name says"),
        ("cut.safetensors", b"\x40\0\0\0\0\0\0\0{\"a\":{", "it is truncated: it has 14 bytes of at least 72"),
    ];
    let model = |name: &str| format!("{{ name = \"{name}\", path = \"models/{name}\" }}");
    let models: Vec<String> = defects.iter().map(|(name, ..)| model(name)).collect();
    let plugin = Plugin::with(&format!("[needs]\nmodels = [{}]\n", models.join(", ")));
    for (name, content, _) in &defects {
        plugin.file(&format!("models/{name}"), content);
    }
    let missing = plugin.missing().await;
    let said: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let expected: Vec<String> =
        defects.iter().map(|(name, _, why)| format!("Model file: models/{name} ({why})")).collect();
    assert_eq!(said, expected);
    for missing in &missing {
        assert!(missing.hint.contains(plugin.dir().to_str().unwrap()), "{}", missing.hint);
    }
}

#[tokio::test]
async fn whole_models_are_accepted_also_at_the_end_of_a_link() {
    let plugin = Plugin::with(
        "[needs]\nmodels = { a = \"a.pt\", b = \"b.pth\", c = \"c.txt\", d = \"d.gguf\", e = \"link.pt\" }\n",
    );
    plugin.file("a.pt", whole_zip());
    plugin.file("b.pth", b"\x80\x02}q\0.");
    plugin.file("c.txt", "cat\ndog\n");
    plugin.file("d.gguf", [b"GGUF\x03\0\0\0".as_slice(), &[0; 64]].concat());
    symlink(plugin.dir().join("a.pt"), plugin.dir().join("link.pt")).unwrap();
    assert_eq!(plugin.missing().await, []);
}

/// Opening a pipe waits for a writer, and reading `/dev/zero` never ends: neither may be tried.
#[tokio::test]
async fn what_is_no_file_is_refused_without_waiting_for_it() {
    let plugin = Plugin::with(
        "[needs]\nmodels = { a = \"pipe.pt\", b = \"zero.pt\", c = \"folder.pt\", d = \"dangling.pt\", \
         e = \"absent.pt\", f = \"plugin.py/below.pt\" }\n",
    );
    let pipe = plugin.dir().join("pipe.pt");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_bits_truncate(0o600),
        0,
    )
    .unwrap();
    symlink("/dev/zero", plugin.dir().join("zero.pt")).unwrap();
    fs::create_dir(plugin.dir().join("folder.pt")).unwrap();
    symlink("/nowhere/model.pt", plugin.dir().join("dangling.pt")).unwrap();
    let asked = Instant::now();
    let missing = plugin.missing().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let said: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let expected = [
        "Model file: pipe.pt (it is a pipe, not a file)",
        "Model file: zero.pt (it is a device, not a file)",
        "Model file: folder.pt (it is a folder, not a file)",
        "Model file: dangling.pt (it is a link to /nowhere/model.pt, which is not there)",
        "Model file: absent.pt (it is not there)",
        "Model file: plugin.py/below.pt (it is not there)",
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_model_that_may_not_be_read_is_named_with_the_reason() {
    let plugin = Plugin::with("[needs]\nmodels = { a = \"a.pt\" }\n");
    let path = plugin.file("a.pt", whole_zip());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let missing = plugin.missing().await;
    assert!(missing[0].what.starts_with("Model file: a.pt (it cannot be read: Permission denied"));
}

#[tokio::test]
async fn a_least_size_and_a_checksum_are_checked_and_a_changed_file_is_checked_anew() {
    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let plugin = Plugin::with(&format!(
        "[[needs.models]]\nname = \"m\"\npath = \"m.dat\"\nsha256 = \"{DIGEST}\"\nmin_bytes = 4\n"
    ));
    plugin.file("m.dat", "test");
    assert_eq!(plugin.missing().await, []);
    plugin.file("m.dat", "tent");
    let missing = plugin.missing().await;
    let what = &missing[0].what;
    assert!(what.starts_with("Model file: m.dat (its SHA-256 is "), "{what}");
    assert!(what.ends_with("…, not 9f86d081884c7d65…)"), "{what}");
    plugin.file("m.dat", "tes");
    let expected = "Model file: m.dat (it has 3 bytes, at least 4 are needed)";
    assert_eq!(plugin.missing().await[0].what, expected);
}

#[test]
fn a_plugin_without_its_model_is_unavailable_before_its_code_runs() {
    let plugin = Plugin::with("[needs]\nmodels = { detector = \"models/yolo.pt\" }\n");
    plugin.file("plugin.py", "raise SystemExit('this code must not run')\n");
    unavailable(&plugin.call().run(), "Model file: models/yolo.pt (it is not there)");
    let mut json = plugin.call();
    json.command.arg("--json");
    let document = json.run().json();
    assert_eq!(document["error_type"], "PluginUnavailable");
    assert_eq!(document["category"], "resource");
}

#[test]
fn on_another_platform_nothing_else_is_looked_at() {
    let plugin = Plugin::with(
        "[python]\nrequirements = [\"a-package-that-nobody-has\"]\n\n[needs]\nrequires_gpu = true\n\
         platforms = [\"freebsd-riscv64\"]\nmodels = { a = \"a.pt\" }\n",
    );
    let platform = hardpoint_model::Platform::current();
    let reason = format!("Platform (this machine is {platform}, the plugin runs on freebsd-riscv64)");
    unavailable(&plugin.call().run(), &reason);
}
