//! The configuration as an operator meets it: layers, origins, mistakes.

use crate::support::{Answer, Cli};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// A command in a folder with this `hardpoint.yaml`.
fn configured(yaml: &str, args: &[&str]) -> (Cli, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hardpoint.yaml"), yaml).unwrap();
    let mut cli = Cli::new(args).dir(folder.path());
    cli.command.env_remove("HARDPOINT_PLUGINS_DIR").env_remove("HARDPOINT_DATA_DIR");
    (cli, folder)
}

fn entry(answer: &Answer, key: &str) -> Value {
    let all = answer.json();
    let entry = all.as_array().unwrap().iter().find(|entry| entry["key"] == key);
    entry.unwrap_or_else(|| panic!("{key} is not in {all:#}")).clone()
}

#[test]
fn show_says_where_each_value_came_from() {
    let yaml = "listen: 127.0.0.1:9001\nrestart:\n  policy: always\n  attempts_max: 2\nplugins_dir: my\n";
    let args = ["config", "show", "--json", "--data-dir", "from-the-command-line"];
    let (mut cli, folder) = configured(yaml, &args);
    cli.command.env("HARDPOINT_RESTART__POLICY", "on-failure").env("HARDPOINT_DATA_DIR", "/nowhere");
    let answer = cli.run();
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let folder = folder.path().canonicalize().unwrap();
    let file = |line| json!({"source": "file", "file": "hardpoint.yaml", "line": line});
    for (key, value, origin) in [
        ("listen", json!("127.0.0.1:9001"), file(1)),
        ("restart.attempts_max", json!(2), file(4)),
        ("plugins_dir", json!(folder.join("my")), file(5)),
        (
            "restart.policy",
            json!("on-failure"),
            json!({"source": "environment", "variable": "HARDPOINT_RESTART__POLICY"}),
        ),
        (
            "data_dir",
            json!(folder.join("from-the-command-line")),
            json!({"source": "command_line", "option": "--data-dir"}),
        ),
        ("load.starts_at_once", json!(4), json!({"source": "default"})),
    ] {
        assert_eq!(entry(&answer, key), json!({"key": key, "value": value, "origin": origin}));
    }
    let (cli, _folder) = configured(yaml, &["config", "show", "--origin"]);
    let told = cli.run().stdout;
    assert!(told.contains("file hardpoint.yaml:3"), "{told}");
}

#[test]
fn a_file_may_be_named_and_have_any_of_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.toml", "listen = \"127.0.0.1:9\"\nplugins_dir = \"p\"\n"),
        ("b.json", "{\"listen\": \"127.0.0.1:9\", \"plugins_dir\": \"p\"}"),
        ("c.yml", "listen: 127.0.0.1:9\nplugins_dir: p\n"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let by_variable = |mut cli: Cli| {
            cli.command.env_remove("HARDPOINT_PLUGINS_DIR").env("HARDPOINT_CONFIG", &file);
            cli.run()
        };
        let answer = by_variable(Cli::new(&["config", "show", "--json"]));
        assert_eq!(entry(&answer, "listen")["value"], "127.0.0.1:9", "{name}");
        assert_eq!(entry(&answer, "plugins_dir")["value"], json!(folder.path().join("p")), "{name}");
        let named = Cli::new(&["config", "show", "--json", "--config", file.to_str().unwrap()]).run();
        assert_eq!(entry(&named, "listen")["value"], "127.0.0.1:9", "{name}");
    }
    for (file, word) in
        [("/nowhere.yaml", "cannot be read"), ("/etc/hostname", "neither .yaml, .toml nor .json")]
    {
        let answer = Cli::new(&["config", "check", "--config", file]).run();
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains(word) && answer.stderr.contains("hint:"), "{}", answer.stderr);
    }
}

#[test]
fn mistakes_of_every_layer_are_told_at_once_with_a_remedy() {
    for verb in [&["config", "check"][..], &["serve"], &["plugin", "list"], &["config", "show"]] {
        let (mut cli, _folder) = configured("restart:\n  polcy: never\nport: 3\n", verb);
        cli.command.env("HARDPOINT_LISTN", "x");
        let answer = cli.run();
        assert_eq!(answer.code, 2, "{verb:?}");
        for word in [
            "hardpoint.yaml:2: restart.polcy: unknown field",
            "did you mean `policy`?",
            "hardpoint.yaml:3: port: unknown field",
            "HARDPOINT_LISTN",
            "did you mean `HARDPOINT_LISTEN`?",
        ] {
            assert!(answer.stderr.contains(word), "{verb:?}: `{word}` is not in\n{}", answer.stderr);
        }
        assert_eq!(answer.stdout, "");
    }
}

#[test]
fn check_looks_for_what_only_this_machine_knows() {
    let plugins = crate::support::test_plugins();
    let plugins = plugins.display();
    let yaml = format!("plugins_dir: {plugins}\nplugins:\n  wel:\n    enabled: false\n");
    let (cli, _folder) = configured(&yaml, &["config", "check"]);
    let answer = cli.run();
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.contains("no plugin `wel`") && answer.stderr.contains("hardpoint.yaml:4"),
        "{}",
        answer.stderr
    );
    let (cli, _folder) = configured("plugins_dir: /nowhere\n", &["config", "check"]);
    assert!(cli.run().stderr.contains("no plugins folder at /nowhere"));
    let (mut cli, _folder) = configured(&format!("plugins_dir: {plugins}\n"), &["config", "check"]);
    cli.command.env("HARDPOINT_LOG", "=loud=");
    let answer = cli.run();
    assert!(answer.stderr.contains("`log` (environment HARDPOINT_LOG) is not a filter"), "{}", answer.stderr);
    let (cli, _folder) = configured(&format!("plugins_dir: {plugins}\n"), &["config", "check"]);
    let answer = cli.run();
    assert_eq!((answer.code, answer.stdout.as_str()), (0, "the configuration is sound: 1 key is set\n"));
}

#[test]
fn the_schema_is_the_published_one() {
    let published = crate::support::repository().join("docs/reference/config.schema.json");
    let published: Value = serde_json::from_str(&fs::read_to_string(published).unwrap()).unwrap();
    assert_eq!(Cli::new(&["config", "schema"]).run().json(), published);
}
