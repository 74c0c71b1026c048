//! `hardpoint plugin check` and `plugin validate`: a report on what a plugin keeps of its contract, whichever that is.

use crate::plugin_add::Place;
use crate::support::{Answer, Cli, Environment, test_plugins};
use serde_json::{Value, json};
use std::fs;

fn checked(plugin: &str) -> Answer {
    Cli::new(&["plugin", "check", plugin, "--json"]).run()
}

/// What was found under one name: how good, and what.
#[track_caller]
fn finding(answer: &Answer, name: &str) -> (String, String) {
    let document = answer.json();
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name}: {document:#}"));
    (found["level"].as_str().unwrap().to_owned(), found["what"].as_str().unwrap().to_owned())
}

#[track_caller]
fn check(answer: &Answer, name: &str, level: &str, said: &str) {
    let (found, what) = finding(answer, name);
    assert!(found == level && what.contains(said), "{name}: {found}: {what}");
}

#[test]
fn each_contract_has_its_own_report() {
    let native = checked("well");
    assert_eq!(native.code, 0, "{}", native.stderr);
    for name in ["manifest", "environment", "needs", "import", "tools", "configuration", "hooks", "answers"] {
        assert_eq!(finding(&native, name).0, "ok", "{name}");
    }
    assert_eq!(native.json()["answers_ping"], true);
    let duck = checked("cjm-duck");
    check(&duck, "execute", "ok", "`Duck.execute`");
    check(&duck, "schema", "ok", "keys: map, tag");
    check(&duck, "manifest", "ok", "dialect cjm");
    let reporter = checked("reporter");
    check(&reporter, "name", "ok", "reporter");
    check(&reporter, "other manifest", "warning", "it lists");
}

#[test]
fn what_a_plugin_of_another_host_lacks_is_a_finding_with_a_remedy() {
    let (place, environment) = (Place::new(), Environment::new().with_words().with_graph());
    assert_eq!(place.add(&environment.path(), &[]).code, 0);
    let check_of = |plugin: &str| place.cli(&["plugin", "check", plugin, "--json"]).run();
    let graph = check_of("cjm-small-graph");
    assert_eq!(graph.code, 0, "{}", graph.stderr);
    check(&graph, "variables", "warning", "needs the variable `GRAPH_KEY`");
    check(&graph, "drift", "ok", "the one that was recorded");
    check(&graph, "interface", "ok", "Graph");
    check(&graph, "actions", "ok", "add");
    check(&graph, "hooks", "ok", "cleanup");
    check(&graph, "environment", "ok", environment.path().to_str().unwrap());
    check(&check_of("word-counter"), "other manifest", "ok", "there is none");

    environment.edit(
        "cjm_small_graph/plugin.py",
        "'default': False",
        "'default': False, 'title': 'Read only'",
    );
    check(&check_of("cjm-small-graph"), "drift", "warning", "is not the one that was recorded");
    environment.edit("cjm_small_graph/plugin.py", "class Graph:", "class Elsewhere:");
    let lying = check_of("cjm-small-graph");
    assert_eq!(lying.code, 4);
    check(&lying, "import", "problem", "`cjm_small_graph.plugin:Graph` is nothing, not a class");
    drop(environment);
    let gone = check_of("cjm-small-graph");
    assert_eq!(gone.code, 3);
    check(&gone, "environment", "problem", "it is not there");
}

#[test]
fn a_plugin_that_does_not_start_is_told_by_the_step_that_failed() {
    for (plugin, code, name, said) in [
        ("import_error", 4, "import", "ModuleNotFoundError"),
        ("initialize_error", 4, "initialize", "initializing"),
        ("needs_missing_model", 4, "needs", "Model file"),
    ] {
        let answer = checked(plugin);
        assert_eq!(answer.code, code, "{}", answer.stderr);
        check(&answer, "manifest", "ok", plugin);
        check(&answer, name, "problem", said);
    }
    let answer = Cli::new(&["plugin", "check", "import_error"]).run();
    assert!(answer.stderr.contains("1 problem") && answer.stderr.contains("hint:"), "{}", answer.stderr);
}

#[test]
fn a_folder_can_be_checked_before_it_is_added() {
    let well = test_plugins().join("well");
    let answer = checked(well.to_str().unwrap());
    assert_eq!((answer.code, &answer.json()["ok"]), (0, &json!(true)), "{}", answer.stderr);
    let answer = Cli::new(&["plugin", "check", "/nowhere/at/all"]).run();
    assert!(
        answer.code == 2 && answer.stderr.contains("is no folder with a hardpoint.toml"),
        "{}",
        answer.stderr
    );
}

#[test]
fn manifests_are_validated_with_every_mistake_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let flat = json!({"name": "p", "version": "1", "description": "d", "module": "m.plugin", "class": "C",
        "interface": "a.b.C", "python_path": "/opt/envs/p/bin/python"});
    let good = write("good.json", &flat.to_string());
    let answer = Cli::new(&["plugin", "validate", &good]).run();
    assert_eq!((answer.code, answer.stdout.trim()), (0, format!("✓ {good} (manifest): valid").as_str()));
    let mut changed = flat;
    changed["interface"] = json!("C");
    changed["module"] = Value::Null;
    let bad = write("bad.json", &changed.to_string());
    let answer = Cli::new(&["plugin", "validate", &good, &bad]).run();
    assert_eq!(answer.code, 1);
    let expected = format!(
        "✗ {bad} (manifest): 2 error(s)\n  - manifest: required field 'module' is missing or empty\n  - manifest: field \
         'interface' 'C' is not a dotted FQN (expected 'module.subpackage.ClassName')\n"
    );
    assert_eq!(answer.stderr, expected);
    for (file, said) in [
        ("/nowhere.json".to_owned(), "File not found: /nowhere.json"),
        (write("half.json", "{"), "Parse error in "),
        (write("a.txt", ""), "Cannot detect format from extension '.txt'"),
        (write("hardpoint.toml", "name = 1\n"), "name: must be a string"),
    ] {
        let answer = Cli::new(&["plugin", "validate", &file]).run();
        assert!(answer.code == 1 && answer.stderr.contains(said), "{}", answer.stderr);
    }
    let answer = Cli::new(&["plugin", "validate", &bad, "--json"]).run();
    assert_eq!(answer.json()["files"][0]["errors"].as_array().unwrap().len(), 2);
}
