//! What each layer may say, what it is told when it is wrong, and which one wins.

use super::*;
use crate::diagnostics::Diagnostics;
use crate::document::Format;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

fn yaml(text: &str) -> ConfigFile<'_> {
    ConfigFile { name: "hardpoint.yaml", text, format: Format::Yaml, folder: Path::new("/etc/hp") }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sources<'a>(flags: Vec<Flag>, set: &[(&str, &str)], text: &'a str) -> Sources<'a> {
    Sources {
        flags,
        variables: variables(set),
        file: Some(yaml(text)),
        defaults: vec![("data_dir", "/home/me/data".to_owned()), ("plugins_dir", "/work/plugins".to_owned())],
        here: Some(Path::new("/work")),
    }
}

fn listen(text: &str) -> Vec<Flag> {
    vec![Flag { option: "--listen", key: "listen", text: text.to_owned() }]
}

fn entry(loaded: &Loaded, key: &str) -> (Value, String) {
    let entry = loaded.entries().into_iter().find(|entry| entry.key == key).unwrap();
    (entry.value, entry.origin.to_string())
}

#[track_caller]
fn complains(result: Result<Loaded, Diagnostics>, expected: &[&str]) {
    let told = result.unwrap_err().to_string();
    for part in expected {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
}

#[test]
fn every_layer_beats_the_one_below_and_is_named_as_the_origin() {
    let file = "# ours\nlisten: 127.0.0.1:3\n";
    let set = [("HARDPOINT_LISTEN", "127.0.0.1:2")];
    for (flags, set, file, value, origin) in [
        (listen("127.0.0.1:1"), &set[..], file, "127.0.0.1:1", "command line --listen"),
        (vec![], &set[..], file, "127.0.0.1:2", "environment HARDPOINT_LISTEN"),
        (vec![], &[], file, "127.0.0.1:3", "file hardpoint.yaml:2"),
        (vec![], &[], "", "127.0.0.1:8700", "default"),
        (vec![], &[("HARDPOINT_LISTEN", "")], "", "127.0.0.1:8700", "default"),
    ] {
        let loaded = load(&sources(flags, set, file)).unwrap();
        assert_eq!(entry(&loaded, "listen"), (json!(value), origin.to_owned()));
    }
}

/// A variable for every key, and what it is set to.
const EVERY: &[(&str, &str)] = &[
    ("HARDPOINT_LISTEN", "[::1]:9000"),
    ("HARDPOINT_LOG", "debug"),
    ("HARDPOINT_FAIL_ON", "any"),
    ("HARDPOINT_TRACEBACK_POLICY", "none"),
    ("HARDPOINT_DRIFT_DETECTION", "false"),
    ("HARDPOINT_RESTART__POLICY", "on-failure"),
    ("HARDPOINT_RESTART__DELAYS_SECONDS", "0, 0.5,2"),
    ("HARDPOINT_RESTART__ATTEMPTS_MAX", "7"),
    ("HARDPOINT_RESTART__HEALTHY_SECONDS", "1.5"),
    ("HARDPOINT_HEALTH__PING_SECONDS", "0.25"),
    ("HARDPOINT_HEALTH__UNRESPONSIVE_SECONDS", "2"),
    ("HARDPOINT_HEALTH__STUCK_SECONDS", "3"),
    ("HARDPOINT_HEALTH__KILL_IDLE_SECONDS", "4"),
    ("HARDPOINT_LOAD__STARTS_AT_ONCE", "9"),
    ("HARDPOINT_STOP__DRAIN_SECONDS", "5"),
    ("HARDPOINT_STOP__GRACE_SECONDS", "6"),
    ("HARDPOINT_JOBS__RUNNING_MAX", "8"),
    ("HARDPOINT_JOBS__PENDING_MAX", "12"),
    ("HARDPOINT_JOBS__RETRIES_MAX", "0"),
    ("HARDPOINT_JOBS__ATTEMPTS_MAX", "3"),
    ("HARDPOINT_JOBS__ON_HOST_LOSS", "fail"),
    ("HARDPOINT_JOBS__CANCEL_GRACE_SECONDS", "0.5"),
    ("HARDPOINT_JOBS__RETRY_WAIT_MAX_SECONDS", "7"),
    ("HARDPOINT_JOBS__SNAPSHOT_SECONDS", "0.5"),
    ("HARDPOINT_JOBS__KEEP_OUTPUTS_DAYS", "7"),
    ("HARDPOINT_JOBS__KEEP_OUTPUTS_MB", "100"),
    ("HARDPOINT_SCHEDULER__POLICY", "queue"),
    ("HARDPOINT_SCHEDULER__WAIT_SECONDS", "30"),
    ("HARDPOINT_SCHEDULER__MEMORY_MB", "4000"),
    ("HARDPOINT_SCHEDULER__EVICT", "false"),
    ("HARDPOINT_LOGS__FILE_MB", "3"),
    ("HARDPOINT_LOGS__FILES", "4"),
    ("HARDPOINT_USAGE__RECORD", "false"),
    ("HARDPOINT_HTTP__ALLOWED_HOSTS", "a.example, b.example"),
    ("HARDPOINT_EVENTS__MAX_COUNT", "5000"),
    ("HARDPOINT_EVENTS__MAX_AGE_DAYS", "3"),
    ("HARDPOINT_HTTP__ALLOWED_ORIGINS", "[\"https://a.example\"]"),
    ("HARDPOINT_HTTP__BODY_MB_MAX", "10"),
    ("HARDPOINT_HTTP__REQUESTS_PER_SECOND", "100"),
    ("HARDPOINT_PLUGINS__FACES__ENABLED", "false"),
    ("HARDPOINT_PLUGINS__FACES__STRICT_CONFIG", "false"),
    ("HARDPOINT_PLUGINS__FACES__RESTART__POLICY", "always"),
    ("HARDPOINT_PLUGINS__TWO__UNDERSCORES__FAIL_ON", "crash"),
    ("HARDPOINT_PLUGINS__TWO__UNDERSCORES__TRACEBACK_POLICY", "repr_only"),
];

#[test]
fn every_key_can_be_set_by_a_variable_and_by_every_format_of_file() {
    let loaded = load(&Sources { variables: variables(EVERY), ..Sources::default() }).unwrap();
    let whole = serde_json::to_value(&loaded.config).unwrap();
    assert_eq!(
        whole,
        json!({
            "listen": "[::1]:9000", "log": "debug", "fail_on": "any", "traceback_policy": "none", "drift_detection": false,
            "restart": {"policy": "on-failure", "delays_seconds": [0.0, 0.5, 2.0], "attempts_max": 7, "healthy_seconds": 1.5},
            "health": {"ping_seconds": 0.25, "unresponsive_seconds": 2, "stuck_seconds": 3, "kill_idle_seconds": 4},
            "load": {"starts_at_once": 9}, "stop": {"drain_seconds": 5, "grace_seconds": 6},
            "jobs": {"running_max": 8, "pending_max": 12, "retries_max": 0, "attempts_max": 3, "on_host_loss": "fail",
                "cancel_grace_seconds": 0.5, "retry_wait_max_seconds": 7, "snapshot_seconds": 0.5, "keep_outputs_days": 7,
                "keep_outputs_mb": 100},
            "scheduler": {"policy": "queue", "wait_seconds": 30, "memory_mb": 4000, "evict": false},
            "events": {"max_count": 5000, "max_age_days": 3},
            "logs": {"file_mb": 3, "files": 4},
            "usage": {"record": false},
            "http": {"allowed_hosts": ["a.example", "b.example"], "allowed_origins": ["https://a.example"],
                "body_mb_max": 10, "requests_per_second": 100},
            "plugins": {"faces": {"enabled": false, "strict_config": false, "restart": {"policy": "always"}},
                "two__underscores": {"fail_on": "crash", "traceback_policy": "repr_only"}},
        })
    );
    let every: Vec<String> = names::variables(&schema());
    for variable in every.iter().filter(|name| !names::OTHER_VARIABLES.contains(&name.as_str())) {
        let tested = EVERY.iter().any(|(name, _)| name == variable) || variable.ends_with("_DIR");
        assert!(tested || variable == "HARDPOINT_PLUGINS", "{variable} is not in this test");
    }
    let json_text = whole.to_string();
    let toml_text = toml::to_string(&whole).unwrap();
    for (text, format) in [(&json_text, Format::Json), (&json_text, Format::Yaml), (&toml_text, Format::Toml)]
    {
        let file = ConfigFile { name: "f", text, format, folder: Path::new("/") };
        let again = load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        assert_eq!(again.config, loaded.config, "{format:?}");
    }
}

#[test]
fn a_plugin_may_change_only_the_policy_and_inherits_the_rest() {
    let text = "restart: {attempts_max: 3}\nplugins:\n  faces:\n    restart: {policy: always}\n";
    let loaded = load(&sources(vec![], &[("HARDPOINT_RESTART__HEALTHY_SECONDS", "5")], text)).unwrap();
    let all = &loaded.config.restart;
    let own = loaded.config.plugins["faces"].restart.over(all);
    assert_eq!(own, Restart { policy: RestartPolicy::Always, ..all.clone() });
    assert_eq!((own.attempts_max, own.healthy_seconds), (3, Seconds::whole(5)));
    assert_eq!(
        entry(&loaded, "plugins.faces.restart.policy"),
        (json!("always"), "file hardpoint.yaml:4".to_owned())
    );
}

#[test]
fn paths_in_a_file_start_at_the_file_and_others_at_the_current_folder() {
    let text = "plugins_dir: my/plugins\ndata_dir: /var/lib/hardpoint\n";
    let loaded = load(&sources(vec![], &[], text)).unwrap();
    assert_eq!(loaded.config.plugins_dir.as_deref(), Some(Path::new("/etc/hp/my/plugins")));
    assert_eq!(loaded.config.data_dir.as_deref(), Some(Path::new("/var/lib/hardpoint")));
    let set = [("HARDPOINT_DATA_DIR", "data"), ("HARDPOINT_PLUGINS_DIR", "./p")];
    let loaded = load(&sources(vec![], &set, text)).unwrap();
    assert_eq!(loaded.config.plugins_dir.as_deref(), Some(Path::new("/work/p")));
    assert_eq!(loaded.config.data_dir.as_deref(), Some(Path::new("/work/data")));
}

#[test]
fn mistakes_in_the_file_have_a_line_and_a_remedy() {
    for (text, expected) in [
        ("listn: 127.0.0.1:1\n", &["hardpoint.yaml:1: listn: unknown field", "did you mean `listen`?"][..]),
        (
            "restart:\n  polcy: never\n",
            &["hardpoint.yaml:2: restart.polcy: unknown field", "did you mean `policy`?"],
        ),
        (
            "restart:\n  policy: sometimes\n",
            &["hardpoint.yaml:2: restart.policy: must be one of `never`, `on-failure`", "got `sometimes`"],
        ),
        ("listen: localhost\n", &["hardpoint.yaml:1: listen: must be an IP", "127.0.0.1:8700"]),
        ("listen: localhost:99\n", &["127.0.0.1:99"]),
        ("listen: ':99'\n", &["0.0.0.0:99"]),
        ("listen: '127.0.0.1'\n", &["add a port: `127.0.0.1:8700`"]),
        ("http:\n  body_mb_max: '7'\n", &["hardpoint.yaml:2", "write 7 without quotes"]),
        ("http:\n  allowed_origins: [a.example/x]\n", &["must be an origin", "https://app.example.com"]),
        ("plugins:\n  Faces: {}\n", &["hardpoint.yaml:2", "for example `faces`"]),
        ("plugins:\n  faces:\n    enable: false\n", &["hardpoint.yaml:3", "did you mean `enabled`?"]),
        ("health: 3\n", &["hardpoint.yaml:1: health: must be an object"]),
        ("health:\n", &["hardpoint.yaml:1: health: must be an object, got null"]),
        ("stop: {drain_seconds: 0}\n", &["stop.drain_seconds: must be more than 0"]),
        ("listen: [\n", &["not valid YAML"]),
        ("- 1\n", &["must be an object"]),
    ] {
        complains(load(&sources(vec![], &[], text)), expected);
    }
    load(&sources(vec![], &[], "# listen: 127.0.0.1:1\n")).unwrap();
}

#[test]
fn mistakes_in_variables_and_options_name_them() {
    for (set, expected) in [
        (
            ("HARDPOINT_LISTN", "x"),
            &["environment variable HARDPOINT_LISTN: sets nothing", "did you mean `HARDPOINT_LISTEN`?"][..],
        ),
        (("HARDPOINT_RESTART_POLICY", "never"), &["did you mean `HARDPOINT_RESTART__POLICY`?"]),
        (("HARDPOINT_WHATEVER", "1"), &["sets nothing", "`hardpoint config show` lists the keys"]),
        (("HARDPOINT_RESTART", "never"), &["names a group", "HARDPOINT_RESTART__"]),
        (("HARDPOINT_PLUGINS", "{}"), &["names a group", "HARDPOINT_PLUGINS__NAME__ENABLED"]),
        (
            ("HARDPOINT_LOAD__STARTS_AT_ONCE", "many"),
            &["must be an integer, got `many`", "hint: write a number"],
        ),
        (("HARDPOINT_LOAD__STARTS_AT_ONCE", "0"), &["STARTS_AT_ONCE: must be at least 1, got 0"]),
        (
            ("HARDPOINT_PLUGINS__X__ENABLED", "yes"),
            &["must be a boolean, got `yes`", "write `true` or `false`"],
        ),
        (("HARDPOINT_RESTART__DELAYS_SECONDS", "1,x"), &["environment variable HARDPOINT_RESTART__DELAYS"]),
        (("HARDPOINT_RESTART__POLICY", "now"), &["POLICY: must be one of `never`"]),
    ] {
        complains(load(&sources(vec![], &[set], "")), expected);
    }
    complains(load(&sources(listen("here"), &[], "")), &["--listen: must be an IP address and a port"]);
    let all = load(&sources(listen("here"), &[("HARDPOINT_X", "1")], "listn: 1\n"));
    complains(all, &["--listen:", "HARDPOINT_X:", "hardpoint.yaml:1: listn"]);
}

#[test]
fn variables_that_are_no_settings_are_let_be() {
    let others = ["HARDPOINT_TOKEN", "HARDPOINT_FD", "HARDPOINT_TEST_SEED", "HARDPOINT_PORT_8700_TCP_ADDR"];
    let kubernetes = ["HARDPOINT_SERVICE_HOST", "HARDPOINT_SERVICE_PORT_HTTP", "HARDPOINT_PORT", "PATH"];
    let set: Vec<_> = others.into_iter().chain(kubernetes).map(|name| (name, "x")).collect();
    let loaded = load(&sources(vec![], &set, "")).unwrap();
    assert_eq!(loaded.config.listen, Config::default().listen);
}

#[test]
fn every_key_is_shown_whether_it_is_set_or_not() {
    let loaded = load(&Sources::default()).unwrap();
    let keys: Vec<String> = loaded.entries().into_iter().map(|entry| entry.key).collect();
    let known = names::variables(&schema()).into_iter();
    let variables = known.filter(|name| !names::OTHER_VARIABLES.contains(&name.as_str()));
    let expected =
        variables.map(|name| name.trim_start_matches(names::PREFIX).to_lowercase().replace("__", "."));
    let mut expected: Vec<String> = expected.filter(|key| key != "plugins").collect();
    expected.sort();
    assert_eq!(keys.into_iter().filter(|key| key != "plugins").collect::<Vec<_>>(), expected);
}

/// A layer that sets some of the keys below to numbers of its own.
fn numbers() -> impl Strategy<Value = [Option<u32>; 4]> {
    prop::array::uniform4(prop::option::of(1_u32..200))
}

const KEYS: [(&str, &str); 4] = [
    ("load.starts_at_once", "HARDPOINT_LOAD__STARTS_AT_ONCE"),
    ("restart.attempts_max", "HARDPOINT_RESTART__ATTEMPTS_MAX"),
    ("http.body_mb_max", "HARDPOINT_HTTP__BODY_MB_MAX"),
    ("plugins.faces.restart.attempts_max", "HARDPOINT_PLUGINS__FACES__RESTART__ATTEMPTS_MAX"),
];

proptest! {
    #[test]
    fn each_key_comes_from_the_topmost_layer_that_has_it_whatever_the_others_say(
        flags in numbers(), set in numbers(), file in numbers(),
    ) {
        let options = ["--a", "--b", "--c", "--d"];
        let given = |layer: [Option<u32>; 4]| KEYS.into_iter().zip(layer).zip(options);
        let mut text = layers::Layer::default();
        for (((key, _), value), _) in given(file) {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            if let Some(value) = value {
                text.set(&path, json!(value), Origin::Default);
            }
        }
        let text = Value::Object(text.value).to_string();
        let set_pairs: Vec<_> = given(set)
            .filter_map(|(((_, name), value), _)| Some((name.to_owned(), value?.to_string()))).collect();
        let flag_list = given(flags)
            .filter_map(|(((key, _), value), option)| Some(Flag { option, key, text: value?.to_string() }));
        let file_source = ConfigFile { name: "f", text: &text, format: Format::Json, folder: Path::new("/") };
        let loaded = load(&Sources {
            flags: flag_list.collect(), variables: set_pairs, file: Some(file_source), ..Sources::default()
        }).unwrap();
        for (index, ((key, name), option)) in KEYS.into_iter().zip(options).enumerate() {
            let expected = match (flags[index], set[index], file[index]) {
                (Some(value), _, _) => Some((value, format!("command line {option}"))),
                (None, Some(value), _) => Some((value, format!("environment {name}"))),
                (None, None, Some(value)) => Some((value, "file f:1".to_owned())),
                (None, None, None) => None,
            };
            let found = loaded.entries().into_iter().find(|entry| entry.key == key);
            match (expected, found) {
                (Some((value, origin)), Some(entry)) => {
                    prop_assert_eq!((json!(value), origin), (entry.value, entry.origin.to_string()));
                }
                (None, Some(entry)) => prop_assert_eq!(entry.origin, Origin::Default),
                (None, None) => prop_assert!(key.starts_with("plugins."), "{} is missing", key),
                (Some(_), None) => prop_assert!(false, "{} is lost", key),
            }
        }
    }

    #[test]
    fn no_text_makes_the_configuration_panic(text in ".{0,80}", name in "[A-Z_]{0,20}", value in ".{0,20}") {
        let set = [(format!("HARDPOINT_{name}"), value)];
        let _ = load(&Sources { variables: set.to_vec(), file: Some(yaml(&text)), ..Sources::default() });
    }
}
