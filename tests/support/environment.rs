//! Environments that somebody else has made, with plugins of other hosts installed in them as an installer leaves them.
//!
//! Owns virtual environments that go away with the test. Nothing is fetched unless a test asks for published packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A virtual environment.
pub(crate) struct Environment {
    folder: TempDir,
}

/// A class of the contract `forgesyte`.
const WORDS: &str = "\
class Plugin:
    name = 'word-counter'
    version = '0.2.0'
    tools = {'count': {'description': 'Counts.', 'handler': 'count', 'input_schema': {'properties': {'text': {'type': 'string'}}}}}
    def run_tool(self, tool, args):
        return {'words': len(args['text'].split())}
";

/// A class of the contract `cjm`, without the package of that host, as the contract allows.
const GRAPH: &str = "\
class Variable:
    def __init__(self, name, **more):
        self.name, self.secret, self.required = name, more.get('secret', False), more.get('required', False)
        self.label = self.description = ''
        self.default, self.options = more.get('default'), None

class Graph:
    WORKER_ENV = [Variable('GRAPH_KEY', secret=True, required=True), Variable('GRAPH_MODE', default='fast')]
    supported_actions = {'add'}
    def initialize(self, config=None):
        self.config = config
    def get_config_schema(self):
        return {'type': 'object', 'properties': {'readonly': {'type': 'boolean', 'default': False}}}
    def get_current_config(self):
        return self.config
    def execute(self, *args, **kwargs):
        return {'args': list(args), 'kwargs': kwargs}
    def cleanup(self):
        pass
";
const GRAPH_META: &str = "\
def get_plugin_metadata():
    return {'name': 'cjm-small-graph', 'version': '0.0.9', 'type': 'graph', 'module': 'cjm_small_graph.plugin',
            'class': 'Graph', 'interface': 'cjm_graph_plugin_system.nowhere.GraphPlugin', 'env_vars': {'GRAPH_CACHE': 'on'},
            'resources': {'requires_gpu': False, 'platforms': [], 'min_system_ram_mb': 2048}}
";

impl Environment {
    /// An empty one, of the Python that the tests find first.
    pub(crate) fn new() -> Self {
        Self::of("python3")
    }

    pub(crate) fn of(python: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("hardpoint-environment-").tempdir().unwrap();
        let made = Command::new(python)
            .args(["-I", "-m", "venv", "--without-pip"])
            .arg(folder.path().join("env"))
            .status();
        assert!(made.unwrap().success());
        Self { folder }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("env")
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.path().join("bin/python")
    }

    /// Where its packages are.
    pub(crate) fn site(&self) -> PathBuf {
        let lib = fs::read_dir(self.path().join("lib")).unwrap().flatten().next().unwrap();
        lib.path().join("site-packages")
    }

    /// One distribution: its files, and the lines of its entry points.
    pub(crate) fn install(self, name: &str, entry_points: &str, files: &[(&str, &str)]) -> Self {
        let site = self.site();
        let info = format!("{}-0.1.0.dist-info", name.replace('-', "_"));
        let metadata =
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\nSummary: What {name} is.\n");
        let own = [("METADATA", metadata.as_str()), ("entry_points.txt", entry_points)];
        let own = own.map(|(file, text)| (format!("{info}/{file}"), text));
        for (file, text) in files.iter().map(|(file, text)| ((*file).to_owned(), *text)).chain(own) {
            let path = site.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self
    }

    /// With a plugin of the contract `forgesyte` that calls itself `word-counter`.
    pub(crate) fn with_words(self) -> Self {
        let entry_points = "[forgesyte.plugins]\nwords = fs_words.plugin:Plugin\n";
        self.install(
            "forgesyte-words",
            entry_points,
            &[("fs_words/__init__.py", ""), ("fs_words/plugin.py", WORDS)],
        )
    }

    /// With a plugin of the contract `cjm`.
    pub(crate) fn with_graph(self) -> Self {
        let files = [
            ("cjm_small_graph/__init__.py", ""),
            ("cjm_small_graph/meta.py", GRAPH_META),
            ("cjm_small_graph/plugin.py", GRAPH),
        ];
        self.install("cjm-small-graph", "", &files)
    }

    /// Replaces a text in one of its files by one of another length, which Python's cache notices.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.site().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from) && from.len() != to.len());
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Installs published packages; `None`, said aloud, where there is no registry to be reached.
    pub(crate) fn with_published(self, packages: &[&str]) -> Option<Self> {
        let pip = Command::new(self.python()).args(["-I", "-m", "ensurepip"]).output().unwrap();
        assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
        let options =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--no-deps"];
        let done = Command::new(self.python()).args(options).args(packages).output().unwrap();
        if done.status.success() {
            return Some(self);
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let unreached =
            ["Retrying (", "Connection", "Network is unreachable", "timed out", "Name or service not known"];
        assert!(unreached.iter().any(|words| said.contains(words)), "{said}");
        println!("skipped: the package registry cannot be reached");
        None
    }
}

/// A Python of at least 3.12, which what others have published needs; `None`, said aloud, where there is none.
pub(crate) fn newer_python() -> Option<String> {
    let names = ["python3", "python3.12", "python3.13", "python3.14"].map(str::to_owned);
    // Those whose shims are not switched on.
    let pyenv = std::env::var_os("PYENV_ROOT").map(|root| Path::new(&root).join("versions"));
    let versions = pyenv.and_then(|versions| fs::read_dir(versions).ok()).into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin/python").display().to_string());
    let fits = |name: &String| {
        let check = "import sys; sys.exit(sys.version_info < (3, 12))";
        let asked = Command::new(name).args(["-I", "-c", check]).current_dir(Path::new("/")).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = names.into_iter().chain(installed).find(fits);
    if found.is_none() {
        println!("skipped: there is no Python 3.12 or newer here");
    }
    found
}
