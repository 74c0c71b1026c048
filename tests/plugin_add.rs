//! `hardpoint plugin add`: plugins that are installed in somebody else's environment, manifests of other hosts, folders;
//! and what becomes of everything that is none of these.

use crate::support::{Answer, Cli, Environment, Serving, newer_python, test_plugins};
use hardpoint_testkit::soon;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A plugins folder and a data folder of their own.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.here()).unwrap();
        place
    }

    fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    /// The folders of the plugins folder, hidden ones too.
    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.plugins()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn cli(&self, args: &[&str]) -> Cli {
        let mut cli = Cli::new(args).plugins(self.plugins()).dir(self.here());
        cli.command.env("HARDPOINT_DATA_DIR", self.data());
        cli
    }

    fn run(&self, args: &[&str]) -> Answer {
        self.cli(args).run()
    }

    pub(crate) fn add(&self, path: &Path, more: &[&str]) -> Answer {
        self.run(&[&["plugin", "add", path.to_str().unwrap()], more].concat())
    }

    fn manifest(&self, plugin: &str) -> String {
        fs::read_to_string(self.plugins().join(plugin).join("hardpoint.toml")).unwrap()
    }

    fn foreign(&self, plugin: &str) -> Value {
        let text = fs::read_to_string(self.plugins().join(plugin).join("manifest.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// The row of one plugin in what `plugin add --json` prints.
#[track_caller]
fn row(answer: &Answer, name: &str) -> Value {
    let document = answer.json();
    let rows = document["plugins"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{document:#}")).clone()
}

/// A manifest as another host has written it.
fn foreign_manifest(environment: &Environment) -> Value {
    json!({"format_version": "2.0", "x_own": 1,
        "install": {"python_path": environment.python(), "installed_at": "then", "env_vars": {"GRAPH_CACHE": "on"}},
        "code": {"name": "cjm-small-graph", "version": "0.0.9", "description": "A graph.", "class": "Graph",
            "module": "cjm_small_graph.plugin", "interface": "a.b.GraphPlugin",
            "taxonomy": {"domain": "graph_store", "role": "GraphPlugin", "interface_fqcn": "a.b.GraphPlugin"},
            "config_schema": {"type": "object", "properties": {"readonly": {"type": "boolean", "default": false}}}},
        "drift_tracking": {}, "overrides": {"code": {"description": "Ours."}}})
}

fn write(folder: &Path, file: &str, manifest: &Value) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(file);
    fs::write(&path, serde_json::to_string_pretty(manifest).unwrap()).unwrap();
    path
}

#[test]
fn plugins_of_both_contracts_are_added_from_an_environment_and_can_be_called() {
    let (place, environment) = (Place::new(), Environment::new().with_words().with_graph());
    let answer = place.add(&environment.path(), &["--json"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    let words = row(&answer, "word-counter");
    assert_eq!((&words["state"], &words["tools"]), (&json!("INITIALIZED"), &json!(["count"])));
    let graph = row(&answer, "cjm-small-graph");
    assert_eq!((&graph["config"], &graph["added"]), (&json!(["readonly"]), &json!(true)));
    assert_eq!(graph["worker_env"][0]["name"], "GRAPH_KEY");
    let warnings = graph["warnings"].to_string();
    assert!(warnings.contains("hardpoint secret set cjm-small-graph GRAPH_KEY"), "{warnings}");
    assert!(warnings.contains("cjm_graph_plugin_system.nowhere.GraphPlugin` does not exist"), "{warnings}");
    assert_eq!(place.entries(), ["cjm-small-graph", "word-counter"]);

    let called = place.run(&["call", "word-counter", "count", "text=a b c", "--json"]);
    assert_eq!(called.json()["result"], json!({"words": 3}), "{}", called.stderr);
    let called = place.run(&["call", "cjm-small-graph", "add", "node=a", "--json"]);
    assert_eq!(called.json()["result"]["kwargs"], json!({"action": "add", "node": "a"}), "{}", called.stderr);
    let toml = place.manifest("cjm-small-graph");
    for line in [
        "memory_mb = 4096",
        "min_system_ram_mb = 2048",
        "startup_seconds = 120",
        "GRAPH_CACHE = \"on\"",
        "config_schema_hash = \"sha256:",
    ] {
        assert!(toml.contains(line), "{toml}");
    }
    let foreign = place.foreign("cjm-small-graph");
    assert_eq!((&foreign["format_version"], &foreign["code"]["class"]), (&json!("2.0"), &json!("Graph")));
    let valid = place.run(&[
        "plugin",
        "validate",
        place.plugins().join("cjm-small-graph/manifest.json").to_str().unwrap(),
    ]);
    assert!(valid.code == 0 && valid.stdout.contains("(manifest): valid"), "{}", valid.stderr);
}

#[test]
fn what_is_added_is_told_to_people_with_what_is_left_to_do() {
    let (place, environment) = (Place::new(), Environment::new().with_words().with_graph());
    let answer = place.add(&environment.path(), &["--dry-run"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    for said in [
        "word-counter (forgesyte)",
        "would go to",
        "count",
        "readonly",
        "hardpoint secret set cjm-small-graph GRAPH_KEY",
    ] {
        assert!(answer.stdout.contains(said), "{said}\n{}", answer.stdout);
    }
    assert!(place.entries().is_empty(), "a dry run writes nothing");
    // A path may be relative, and the interpreter names its environment, too.
    symlink(environment.path(), place.here().join("env")).unwrap();
    assert_eq!(place.run(&["plugin", "add", "./env", "--dry-run"]).code, 0);
    let answer = place.add(&environment.python(), &["--dialect", "forgesyte", "--name", "mine"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("hardpoint plugin load NAME"), "{}", answer.stderr);
    assert_eq!(place.entries(), ["mine"]);
    let answer = place.add(&environment.path(), &["--name", "mine"]);
    assert!(answer.code == 2 && answer.stderr.contains("`--name` is for one plugin"), "{}", answer.stderr);
}

#[test]
fn adding_again_brings_up_to_date_what_the_plugin_says_and_keeps_what_was_changed_by_hand() {
    let (place, environment) = (Place::new(), Environment::new().with_graph());
    assert_eq!(place.add(&environment.path(), &[]).code, 0);
    let first = place.foreign("cjm-small-graph");
    let file = place.plugins().join("cjm-small-graph/hardpoint.toml");
    let edited =
        place.manifest("cjm-small-graph").replace("memory_mb = 4096", "memory_mb = 512 # enough here")
            + "\n[config]\nreadonly = true\n";
    assert!(edited.starts_with("# Written by `hardpoint plugin add`"), "{edited}");
    let edited = edited.replace("version = ", "# The one that the others have.\nversion = ");
    fs::write(&file, &edited).unwrap();
    environment.edit("cjm_small_graph/meta.py", "'version': '0.0.9'", "'version': '0.0.10'");
    environment.edit(
        "cjm_small_graph/plugin.py",
        "'default': False",
        "'default': False, 'title': 'Read only'",
    );
    let answer = place.add(&environment.python(), &["--json"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(row(&answer, "cjm-small-graph")["refreshed"], true);
    let toml = place.manifest("cjm-small-graph");
    for line in [
        "# The one that the others have.\nversion = \"0.0.10\"",
        "# Written by",
        "memory_mb = 512 # enough here",
        "readonly = true",
    ] {
        assert!(toml.contains(line), "{toml}");
    }
    let again = place.foreign("cjm-small-graph");
    assert_eq!(again["install"]["installed_at"], first["install"]["installed_at"]);
    assert_ne!(again["drift_tracking"], first["drift_tracking"]);
    assert_eq!(place.entries(), ["cjm-small-graph"], "nothing is left beside it");
}

#[test]
fn what_holds_no_plugin_is_refused_with_a_remedy_and_nothing_is_written() {
    let place = Place::new();
    let empty = place.here().join("empty");
    fs::create_dir(&empty).unwrap();
    let broken = place.here().join("broken");
    fs::create_dir_all(broken.join("bin")).unwrap();
    fs::write(broken.join("bin/python"), "#!/bin/sh\necho no such luck >&2\nexit 3\n").unwrap();
    fs::set_permissions(broken.join("bin/python"), fs::Permissions::from_mode(0o755)).unwrap();
    let bare = Environment::new();
    let lying = Environment::new().with_graph();
    lying.edit("cjm_small_graph/meta.py", "'class': 'Graph'", "'class': 'Graphics'");
    let nowhere = Environment::new().install(
        "fs-nowhere",
        "[forgesyte.plugins]\nnowhere = not_there.plugin:Plugin\n",
        &[],
    );
    let words = Environment::new().with_words();
    for (path, more, code, said, remedy) in [
        (place.here().join("nothing"), &[][..], 2, "there is nothing at", "check the path"),
        (
            empty.clone(),
            &[],
            2,
            "holds no plugin: there is no hardpoint.toml, no bin/python",
            "hardpoint plugin add ./venv",
        ),
        (empty, &["--dialect", "native"], 2, "holds no plugin: there is no hardpoint.toml in it", "hint:"),
        (broken, &[], 2, "its Python exited with code 3: no such luck", "-I -c"),
        (bare.path(), &[], 2, "holds no plugin of another host", "-m pip install"),
        (lying.path(), &[], 2, "cannot be described: AttributeError", "mend its package"),
        (
            nowhere.path(),
            &[],
            4,
            "ModuleNotFoundError: No module named 'not_there'",
            "mend the plugin's code or packages",
        ),
        (
            words.path(),
            &["--dialect", "cjm"],
            2,
            "holds no plugin of this dialect, but `forgesyte-words` of forgesyte",
            "`--dialect`",
        ),
        (words.path(), &["--dialect", "native"], 2, "there is no hardpoint.toml in it", "hint:"),
    ] {
        let answer = place.add(&path, more);
        assert_eq!(answer.code, code, "{path:?}\n{}\n{}", answer.stdout, answer.stderr);
        assert!(
            answer.stderr.contains(said) && answer.stderr.contains(remedy),
            "{path:?}\n{}",
            answer.stderr
        );
        assert!(place.entries().is_empty(), "{path:?}: {:?}", place.entries());
    }
    let answer = place.run(&["plugin", "add"]);
    assert!(answer.code == 2 && answer.stderr.contains("there is nothing to add"), "{}", answer.stderr);
}

#[test]
fn a_distribution_of_two_contracts_asks_which_one_is_meant() {
    let (place, environment) = (Place::new(), Environment::new().with_graph());
    let files = [(
        "fs_graph.py",
        "class Plugin:\n    name = 'graph'\n    def analyze(self, image_bytes, options=None):\n        return {}\n",
    )];
    let environment =
        environment.install("cjm-small-graph", "[forgesyte.plugins]\ngraph = fs_graph:Plugin\n", &files);
    let answer = place.add(&environment.path(), &[]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("is a plugin of two dialects"), "{}", answer.stderr);
    assert!(answer.stderr.contains("--dialect cjm") && place.entries().is_empty(), "{}", answer.stderr);
    assert_eq!(place.add(&environment.path(), &["--dialect", "forgesyte"]).code, 0);
    assert_eq!(place.add(&environment.path(), &["--dialect", "cjm"]).code, 0);
    assert_eq!(place.entries(), ["cjm-small-graph", "graph"]);
}

#[test]
fn manifests_are_found_in_the_search_paths_and_hidden_and_broken_ones_are_told() {
    let (place, environment) = (Place::new(), Environment::new().with_graph());
    let (here, data) = (place.here().join(".cjm/manifests"), place.data().join("manifests"));
    let nested = foreign_manifest(&environment);
    write(&here, "b.json", &nested);
    write(&here, "c.json", &json!({"format_version": "3.0"}));
    write(&data, "a.json", &nested);
    let flat = json!({"name": "old", "version": "1", "description": "d", "module": "cjm_small_graph.plugin",
        "class": "Graph", "interface": "a.b.C", "python_path": environment.python(), "category": "Old", "x_own": 2});
    write(&data, "d.json", &flat);
    let answer = place.run(&["plugin", "add", "--json"]);
    assert_eq!(answer.code, 2, "a broken one is not well: {}", answer.stderr);
    let told = answer.json().to_string();
    assert!(told.contains("unrecognized format_version '3.0'"), "{told}");
    assert!(
        told.contains("a.json is not looked at: `cjm-small-graph` is in .cjm/manifests/b.json already"),
        "{told}"
    );
    assert_eq!(place.entries(), ["cjm-small-graph", "old"]);
    let foreign = place.foreign("cjm-small-graph");
    assert_eq!((&foreign["x_own"], &foreign["install"]["installed_at"]), (&json!(1), &json!("then")));
    let toml = place.manifest("cjm-small-graph");
    assert!(toml.contains("description = \"Ours.\"") && !toml.contains("config_schema_hash"), "{toml}");
    let flat = place.foreign("old");
    assert_eq!((&flat["format_version"], &flat["x_own"]), (&json!("2.0"), &json!(2)));
    // Kinds are asked for by what these manifests say.
    for (args, expected) in [
        (&["--role", "GraphPlugin"][..], &["cjm-small-graph"][..]),
        (&["--domain", "graph_store", "--category", "Graph Store"], &["cjm-small-graph"]),
        (&["--category", "Old"], &["old"]),
        (&["--role", "Other"], &[]),
        (&[], &["cjm-small-graph", "old"]),
    ] {
        let listed = place.run(&[&["plugin", "list", "--json"], args].concat()).json();
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{args:?}");
    }
}

#[test]
fn another_plugin_of_the_same_name_is_left_alone_unless_it_may_be_replaced() {
    let (place, one, other) =
        (Place::new(), Environment::new().with_words(), Environment::new().with_words());
    assert_eq!(place.add(&one.path(), &[]).code, 0);
    let before = place.manifest("word-counter");
    let answer = place.add(&other.path(), &[]);
    assert!(
        answer.code == 2 && answer.stderr.contains("is another plugin than this `word-counter`"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("--force"), "{}", answer.stderr);
    assert_eq!((place.manifest("word-counter"), place.entries()), (before, vec!["word-counter".to_owned()]));
    assert_eq!(place.add(&other.path(), &["--name", "second"]).code, 0);
    assert_eq!(place.entries(), ["second", "word-counter"]);
    assert_eq!(place.add(&other.path(), &["--force", "--name", "word-counter"]).code, 0);
    assert!(place.manifest("word-counter").contains(other.path().to_str().unwrap()));
    // Code is never thrown away.
    let own = place.plugins().join("cjm-small-graph");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("precious.py"), "").unwrap();
    let answer = place.add(&Environment::new().with_graph().path(), &["--force"]);
    assert!(answer.code == 2 && answer.stderr.contains("holds more than"), "{}", answer.stderr);
    assert!(own.join("precious.py").exists());
}

#[test]
fn a_folder_with_a_manifest_of_ours_is_linked() {
    let place = Place::new();
    let well = test_plugins().join("well");
    let answer = place.add(&well, &["--json"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(fs::read_link(place.plugins().join("well")).unwrap(), well);
    let answer = place.add(&well, &["--json"]);
    assert_eq!((answer.code, &row(&answer, "well")["refreshed"]), (0, &json!(true)));
    let answer = place.add(&well, &["--name", "other"]);
    assert!(answer.code == 2 && answer.stderr.contains("is called `well`"), "{}", answer.stderr);
    fs::remove_file(place.plugins().join("well")).unwrap();
    symlink(test_plugins().join("talks"), place.plugins().join("well")).unwrap();
    assert_eq!(place.add(&well, &[]).code, 2, "somebody else's link stays");
    assert_eq!(place.add(&well, &["--force"]).code, 0);
    let answer = place.add(&test_plugins().join("bad_manifest"), &[]);
    assert_eq!((answer.code, place.entries()), (2, vec!["well".to_owned()]), "{}", answer.stderr);
}

#[test]
fn a_plugin_whose_environment_is_gone_is_unavailable_and_says_so() {
    let (place, environment) = (Place::new(), Environment::new().with_graph());
    let file = write(&place.here(), "graph.json", &foreign_manifest(&environment));
    drop(environment);
    let answer = place.add(&file, &["--json"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let graph = row(&answer, "cjm-small-graph");
    assert_eq!((&graph["state"], &graph["added"]), (&json!("UNAVAILABLE"), &json!(true)));
    assert!(graph["failure"]["error"].as_str().unwrap().contains("it is not there"), "{graph:#}");
    assert!(graph["failure"]["hint"].as_str().unwrap().contains("python3 -m venv"), "{graph:#}");
}

#[test]
fn a_schema_that_is_not_the_recorded_one_counts_as_drift_from_the_first_start() {
    let (place, environment) = (Place::new(), Environment::new().with_graph());
    assert_eq!(place.add(&environment.path(), &[]).code, 0);
    let serving = |place: &Place| {
        let serving = Serving::of(&[]);
        symlink(place.plugins().join("cjm-small-graph"), serving.plugins().join("cjm-small-graph")).unwrap();
        let server = serving.start();
        server.wait_for("cjm-small-graph", "INITIALIZED");
        let config = server.get("/v1/plugins/cjm-small-graph/config").json();
        server.stop();
        config
    };
    assert_eq!(serving(&place)["drift"], false);
    environment.edit(
        "cjm_small_graph/plugin.py",
        "'default': False",
        "'default': False, 'title': 'Read only'",
    );
    let config = serving(&place);
    assert_eq!(config["drift"], true, "{config:#}");
    assert!(place.manifest("cjm-small-graph").contains(config["kept_schema_hash"].as_str().unwrap()));
}

#[test]
fn an_interrupted_attempt_leaves_nothing() {
    let (place, environment) = (Place::new(), Environment::new().with_words());
    let mark = place.here().join("importing");
    let code = format!("open({:?}, 'w').close()\nimport time\ntime.sleep(300)\n", mark.display());
    fs::write(environment.site().join("fs_words/plugin.py"), code).unwrap();
    let child = place.cli(&["plugin", "add", environment.path().to_str().unwrap()]).start();
    assert!(soon(Duration::from_secs(30), || mark.exists()), "it never got to the import");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let answer = Answer::of(child);
    assert_eq!(answer.code, 130, "{}", answer.stderr);
    assert!(place.entries().is_empty(), "{:?}", place.entries());
}

#[test]
fn what_was_added_before_an_interruption_is_told_and_what_is_tried_is_named() {
    let (place, environment) = (Place::new(), Environment::new().with_words());
    let mark = place.here().join("importing");
    let code = format!("open({:?}, 'w').close()\nimport time\ntime.sleep(300)\n", mark.display());
    let hangs = Environment::new().install(
        "fs-hangs",
        "[forgesyte.plugins]\nhangs = fs_hangs:Plugin\n",
        &[("fs_hangs.py", &code)],
    );
    let paths = [environment.path(), hangs.path()];
    let child = place.cli(&["plugin", "add", paths[0].to_str().unwrap(), paths[1].to_str().unwrap()]).start();
    assert!(soon(Duration::from_secs(30), || mark.exists()), "it never got to the import");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let answer = Answer::of(child);
    assert_eq!((answer.code, place.entries()), (130, vec!["word-counter".to_owned()]), "{}", answer.stderr);
    assert!(answer.stdout.contains("word-counter (forgesyte)"), "{}", answer.stdout);
    for said in ["trying `words`", "trying `hangs`: it may take", "interrupted: what is shown here stays"] {
        assert!(answer.stderr.contains(said), "{said}\n{}", answer.stderr);
    }
}

#[test]
fn a_plugin_that_ends_before_it_says_what_it_is_is_only_added_by_force_and_then_said_not_to_start() {
    for (code, said) in [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "SIGSEGV"),
    ] {
        let environment = Environment::new().install(
            "fs-ends",
            "[forgesyte.plugins]\nends = fs_ends:Plugin\n",
            &[("fs_ends.py", code)],
        );
        let place = Place::new();
        let answer = place.add(&environment.path(), &[]);
        assert_eq!((answer.code, place.entries()), (4, Vec::<String>::new()), "{}", answer.stderr);
        assert!(answer.stderr.contains("✗ ends: not added"), "{}", answer.stderr);
        assert!(answer.stderr.contains(said) && answer.stderr.contains("`--force`"), "{}", answer.stderr);
        assert!(!answer.stderr.contains("plugin check ends"), "there is none: {}", answer.stderr);
        let answer = place.add(&environment.path(), &["--force"]);
        assert_eq!((answer.code, place.entries()), (4, vec!["ends".to_owned()]), "{}", answer.stderr);
        assert!(answer.stdout.contains("! ends (forgesyte)"), "{}", answer.stdout);
        assert!(answer.stdout.contains(", but it does not start"), "{}", answer.stdout);
    }
}

#[test]
fn one_of_several_plugins_is_chosen_and_may_then_be_given_another_name() {
    let (place, other) = (Place::new(), Environment::new().with_words());
    assert_eq!(place.add(&other.path(), &["--name", "cjm-small-graph"]).code, 0);
    let environment = Environment::new().with_words().with_graph();
    let answer = place.add(&environment.path(), &["--dry-run"]);
    let remedy = "`--only cjm-small-graph --name NAME`";
    assert!(answer.code == 2 && answer.stderr.contains(remedy), "{}", answer.stderr);
    let answer = place.add(&environment.path(), &["--only", "nobody"]);
    let said = ["there is no plugin `nobody` among", "`cjm-small-graph`", "`words`"];
    let is_said = said.iter().all(|said| answer.stderr.contains(said));
    assert!(answer.code == 2 && is_said, "{}", answer.stderr);
    let answer = place.add(&environment.path(), &["--only", "cjm-small-graph", "--name", "graph"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(place.entries(), ["cjm-small-graph", "graph"]);
}

#[test]
fn published_plugins_are_added_as_they_are() {
    let Some(python) = newer_python() else { return };
    let packages =
        ["cjm-plugin-system==0.0.34", "cjm-graph-plugin-sqlite==0.0.9", "cjm-graph-plugin-system==0.0.10"];
    let Some(environment) = Environment::of(&python).with_published(&packages) else { return };
    let place = Place::new();
    let answer = place.add(&environment.path(), &["--json"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    let graph = row(&answer, "cjm-graph-plugin-sqlite");
    assert_eq!((&graph["dialect"], &graph["state"]), (&json!("cjm"), &json!("INITIALIZED")));
    let nodes = r#"nodes=[{"id": "a", "label": "Person", "properties": {}}]"#;
    let called =
        place.run(&["call", "cjm-graph-plugin-sqlite", "execute", "action=add_nodes", nodes, "--json"]);
    assert_eq!(called.json()["result"], json!({"created_ids": ["a"], "count": 1}), "{}", called.stderr);
    let listed = place.run(&["plugin", "list", "--role", "GraphPlugin", "--json"]).json();
    assert_eq!(listed[0]["taxonomy"]["domain"], "graph");
}
