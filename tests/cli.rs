//! The command line as people and scripts use it: words, exit codes, one JSON document.

use crate::support::{Answer, Cli};
use serde_json::{Value, json};
use std::fs;

/// Runs a command line that has something wrong with it; every word must be in what it says.
fn refused(args: &[&str], code: i32, words: &[&str]) -> Answer {
    let answer = Cli::new(args).run();
    assert_eq!(answer.code, code, "{args:?}: {}{}", answer.stdout, answer.stderr);
    for word in words {
        assert!(answer.stderr.contains(word), "`{word}` is not in:\n{}", answer.stderr);
    }
    assert_eq!(answer.stdout, "", "an error belongs on stderr");
    answer
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_a_remedy() {
    refused(&["call", "nobody", "echo"], 2, &["no plugin `nobody`", "hint:", "`well`"]);
    refused(&["call", "well", "sing"], 2, &["no tool `sing`", "`echo`", "hint:"]);
    refused(&["call", "well", "echo"], 2, &["`text` is required", "hint:"]);
    refused(&["call", "well", "echo", "text=a", "tims=2"], 2, &["`tims`", "`times`"]);
    refused(&["call", "well", "echo", "text=a", "times=many"], 2, &["`times` must be an integer"]);
    refused(&["call", "well", "echo", "text=a", "text=b"], 2, &["`text` is given twice"]);
    refused(&["call", "well", "echo", "text=@/nowhere"], 2, &["`/nowhere` cannot be read"]);
    refused(&["call", "well", "echo", "text"], 2, &["name=value"]);
    refused(
        &["call", "bad_manifest", "x"],
        2,
        &["hardpoint.toml:3", "hardpoint.toml:18", "limits.memory_mb"],
    );
    refused(&["run", "/nowhere.yaml"], 2, &["/nowhere.yaml cannot be read"]);
    refused(&["run", "/etc/hostname"], 2, &["neither .yaml nor .json"]);
    refused(
        &["run", "/etc"],
        2,
        &["/etc cannot be read: it is a folder", "hint: name the file of a pipeline"],
    );
    refused(&["run", "/dev/null"], 2, &["/dev/null cannot be read: it is a device or a socket"]);
    refused(&["run", "-"], 2, &["stdin is empty", "hint: write a list of stages"]);
    refused(
        &["plugin", "list", "--plugins-dir", "/nowhere"],
        2,
        &["no plugins folder at /nowhere", "plugin new"],
    );
    refused(&["plugin", "check", "import_error"], 4, &["ModuleNotFoundError", "hint:", "requirements"]);
}

#[test]
fn a_pipeline_with_mistakes_names_them_all_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    let check = |text: &str, words: &[&str]| {
        fs::write(&file, text).unwrap();
        refused(&["run", file.to_str().unwrap()], 2, words);
    };
    check("stages: [{plugin: well, tol: echo}]\nspeed: 3\n", &["p.yaml:1", "`tool`", "p.yaml:2", "speed"]);
    check("stages: []\n", &["stages"]);
    check(" \n", &["p.yaml is empty", "hint: write a list of stages"]);
    fs::write(&file, b"\xff\xfe\x00").unwrap();
    let words = &["it is no text in UTF-8", "hint: a pipeline is a text in YAML or JSON"];
    refused(&["run", file.to_str().unwrap()], 2, words);
    check("stages: [\n", &["p.yaml"]);
    check("- {plugin: well, tool: nothing}\n", &["stage 1", "no tool `nothing`"]);
    check("- {plugin: nobody, tool: x}\n", &["no plugin `nobody`"]);
}

#[test]
fn json_is_exactly_one_document_whatever_happens() {
    let check = |args: &[&str], code: i32, expected: Value| {
        let answer = Cli::new(args).run();
        let document = answer.json();
        assert_eq!(answer.code, code, "{document}");
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&document[name], value, "{document}");
        }
    };
    check(&["call", "well", "echo", "text=a", "times=3", "--json"], 0, json!({"ok": true, "result": "aaa"}));
    check(&["call", "well", "echo", "--json"], 2, json!({"ok": false, "category": "user_input"}));
    check(&["call", "nobody", "x", "--json"], 2, json!({"ok": false, "error_type": "InvalidRequest"}));
    check(
        &["call", "well", "count", "n=3", "--json"],
        0,
        json!({"ok": true, "result": {"items": [0, 1, 2]}}),
    );
    let error = json!({"ok": false, "error_type": "ModuleNotFoundError", "category": "fatal"});
    check(&["call", "import_error", "x", "--json"], 4, error);
    check(&["--json", "sing"], 2, json!({"ok": false, "error_type": "InvalidRequest"}));
    check(&["call", "well", "nap", "--timeout", "1e300", "--json"], 2, json!({"ok": false}));
}

#[test]
fn a_result_in_bytes_is_base64_for_scripts_and_a_file_for_people() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let answer = Cli::new(&["call", "well", "big", "n_bytes=3", "--json"]).run();
    assert_eq!(answer.json()["result"], json!({"$bytes": "AAEC"}));
    let answer = Cli::new(&["call", "well", "big", "n_bytes=100000", "--out", folder]).run();
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let path = answer.stdout.split_whitespace().next().unwrap();
    assert_eq!(fs::read(path).unwrap().len(), 100_000);
    let back = ["call", "well", "view_bytes", &format!("data=@{path}"), "--json"];
    assert_eq!(Cli::new(&back).run().json()["result"], 100_000);
    let input = out.path().join("input.json");
    fs::write(&input, r#"{"data": {"$bytes": "AAEC"}}"#).unwrap();
    let back = ["call", "well", "view_bytes", "--input-json", input.to_str().unwrap(), "--json"];
    assert_eq!(Cli::new(&back).run().json()["result"], 3);
    let twice = ["call", "well", "view_bytes", "--input-json", input.to_str().unwrap(), "data=x"];
    refused(&twice, 2, &["`data` is given twice"]);
}

#[test]
fn a_new_plugin_works_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    let made = Cli::new(&["plugin", "new", "my-first_1"]).plugins(&plugins).run();
    assert_eq!(made.code, 0, "{}", made.stderr);
    let greeted = Cli::new(&["call", "my-first_1", "greet", "name=world"]).plugins(&plugins).run();
    assert_eq!((greeted.code, greeted.stdout.trim()), (0, "greeting  Hello, world!"), "{}", greeted.stderr);
    let again = Cli::new(&["plugin", "new", "my-first_1"]).plugins(&plugins).run();
    assert_eq!(again.code, 2, "{}", again.stderr);
    let bad = Cli::new(&["plugin", "new", "My Plugin"]).plugins(&plugins).run();
    assert!(bad.code == 2 && bad.stderr.contains("my_plugin"), "{}", bad.stderr);
}

#[test]
fn broken_plugins_are_listed_beside_the_others() {
    let answer = Cli::new(&["plugin", "list", "--json"]).run();
    let listed = answer.json();
    let of =
        |name: &str| listed.as_array().unwrap().iter().find(|plugin| plugin["name"] == name).unwrap().clone();
    assert_eq!(of("well")["ok"], true);
    assert_eq!(of("bad_manifest")["ok"], false);
    assert!(of("bad_manifest")["errors"].as_array().unwrap().len() >= 7);
    let checked = Cli::new(&["plugin", "check", "well"]).run();
    assert!(checked.stdout.contains("echo(text: string, times: integer = 1)"), "{}", checked.stdout);
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let answer = Cli::new(&["--help"]).run();
    assert_eq!(answer.code, 0);
    for word in ["Examples:", "Exit codes:", "hardpoint run", "--plugins-dir", "130"] {
        assert!(answer.stdout.contains(word), "`{word}` is not in the help");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_no_panic() {
    for args in [&["call", "well", "echo", "text=a"][..], &["call", "well", "echo", "text=a", "--json"]] {
        let mut cli = Cli::new(args);
        cli.command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
        let answer = cli.run();
        assert_eq!(answer.code, 5, "{}", answer.stderr);
        assert!(
            answer.stderr.contains("could not be written") || args.contains(&"--json"),
            "{}",
            answer.stderr
        );
        assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_listed_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = |name: &str| {
        let dir = folder.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir.join("hardpoint.toml")
    };
    std::os::unix::fs::symlink("/nowhere", plugin("broken-link")).unwrap();
    fs::create_dir(plugin("a-folder")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", plugin("a-device")).unwrap();
    fs::write(plugin("huge"), vec![b'#'; 1 << 20]).unwrap();
    fs::write(plugin("binary"), [0xff, 0xfe, 0]).unwrap();
    let listed = Cli::new(&["plugin", "list"]).plugins(folder.path()).run();
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    for word in ["broken-link", "a-folder", "a-device", "huge", "binary", "not a regular file", "not UTF-8"] {
        let all = format!("{}{}", listed.stdout, listed.stderr);
        assert!(all.contains(word), "`{word}` is not in:\n{all}");
    }
}
