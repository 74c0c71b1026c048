//! What is kept, what is refused, and what is there after a process that was killed half-way.

use super::*;
use rustix::process::{Signal, getpid, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

fn place(plugin: &str) -> Place {
    Place::new(None, plugin).unwrap()
}

fn secret(value: &str) -> Secret {
    Secret::from(value.to_owned())
}

fn set(store: &SecretStore, plugin: &str, name: &str, value: &str) -> Result<(), SecretsError> {
    store.set(&place(plugin), name, secret(value))
}

fn values(store: &SecretStore, plugin: &str) -> BTreeMap<String, String> {
    let secrets = store.of_plugin(&place(plugin)).unwrap();
    secrets.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_set_is_handed_out_to_its_plugin_alone_until_it_is_deleted() {
    let data = tempfile::tempdir().unwrap();
    let store = SecretStore::of(data.path());
    assert_eq!(store.names(&place("ocr")).unwrap(), Vec::<String>::new());
    set(&store, "ocr", "B_KEY", "b").unwrap();
    set(&store, "ocr", "A_KEY", "a").unwrap();
    set(&store, "faces", "A_KEY", "of faces").unwrap();
    let apart = Place::new(Some("tenant-1"), "ocr").unwrap();
    store.set(&apart, "A_KEY", secret("of the tenant")).unwrap();
    assert_eq!(store.names(&place("ocr")).unwrap(), ["A_KEY", "B_KEY"]);
    assert_eq!(values(&store, "ocr")["A_KEY"], "a");
    assert_eq!(values(&store, "faces")["A_KEY"], "of faces");
    assert_eq!(store.of_plugin(&apart).unwrap()["A_KEY"].expose(), "of the tenant");
    for (name, was_there) in [("A_KEY", true), ("A_KEY", false), ("B_KEY", true), ("B_KEY", false)] {
        assert_eq!(store.delete(&place("ocr"), name).unwrap(), was_there, "{name}");
    }
    assert!(!store.delete(&place("nobody"), "A_KEY").unwrap());
    assert_eq!(store.read().unwrap().keys().collect::<Vec<_>>(), [DEFAULT_SCOPE, "tenant-1"]);
    assert!(!store.read().unwrap()[DEFAULT_SCOPE].contains_key("ocr"), "an empty level is no level");
}

#[test]
fn nobody_else_can_read_the_files_and_neither_names_nor_values_are_in_them() {
    let data = tempfile::tempdir().unwrap();
    let store = SecretStore::of(data.path());
    set(&store, "ocr", "PLANTED_NAME", "a planted value").unwrap();
    assert_eq!((mode(&store.dir), mode(&store.file()), mode(&store.key)), (0o700, 0o600, 0o600));
    assert_eq!(store.warnings(), Vec::<String>::new());
    let text = fs::read_to_string(store.file()).unwrap();
    for planted in ["PLANTED_NAME", "a planted value", "ocr", DEFAULT_SCOPE] {
        assert!(!text.contains(planted), "{planted}");
    }
    fs::set_permissions(store.file(), fs::Permissions::from_mode(0o640)).unwrap();
    let warnings = store.warnings();
    assert!(warnings.len() == 1 && warnings[0].ends_with("may be read by others (mode 640)"), "{warnings:?}");
    set(&store, "ocr", "OTHER", "x").unwrap();
    assert_eq!(mode(&store.file()), 0o600, "a change mends it");
}

#[test]
fn a_file_that_cannot_be_read_is_refused_and_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let store = SecretStore::of(data.path());
    set(&store, "ocr", "KEY", "value").unwrap();
    let sound = fs::read(store.file()).unwrap();
    let other = SecretStore { dir: store.dir.clone(), key: data.path().join("other.key") };
    fs::write(&other.key, Key::random().unwrap().to_text().as_bytes()).unwrap();
    let none = SecretStore { dir: store.dir.clone(), key: data.path().join("none.key") };
    let plain = b"{\"__default__\": {\"ocr\": {\"KEY\": \"v\"}}}";
    let garbage = SecretStore { dir: store.dir.clone(), key: data.path().join("garbage.key") };
    fs::write(&garbage.key, "garbage").unwrap();
    let cases: [(&SecretStore, &[u8], &str); 7] = [
        (&store, b"", "it is not what was written"),
        (&store, &sound[..sound.len() / 2], "it is not what was written"),
        (&store, b"{\"format\":2,\"nonce\":\"\",\"sealed\":\"\"}", "a newer version"),
        (&store, plain, "is not sealed"),
        (&other, &sound, "another key"),
        (&none, &sound, "none.key is missing"),
        (&garbage, &sound, "it is no key"),
    ];
    for (store, bytes, expected) in cases {
        fs::write(store.file(), bytes).unwrap();
        let refusals = [
            set(store, "ocr", "KEY", "new").unwrap_err(),
            store.names(&place("ocr")).unwrap_err(),
            store.delete(&place("ocr"), "KEY").unwrap_err(),
        ];
        for refusal in refusals {
            assert!(refusal.to_string().contains(expected), "{refusal} is not {expected}");
            assert!(!refusal.is_of_request() && !refusal.hint().is_empty());
        }
        assert_eq!(fs::read(store.file()).unwrap(), bytes, "{expected}");
    }
    assert!(!none.key.exists(), "no key is made that opens nothing");
    fs::write(store.file(), &sound).unwrap();
    assert_eq!(values(&store, "ocr")["KEY"], "value");
    let hint = garbage.check().unwrap_err().hint();
    for file in [garbage.file(), garbage.key.clone()] {
        assert!(hint.contains(&file.display().to_string()), "{hint}");
        fs::remove_file(file).unwrap();
    }
    set(&garbage, "ocr", "KEY", "anew").expect("the hint leads somewhere");
}

#[test]
fn names_and_values_that_no_process_could_be_given_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let store = SecretStore::of(data.path());
    for name in
        ["", "a-b", "1A", "HARDPOINT_TREE", "PYTHONPATH", "A=B", "PATH", "LD_PRELOAD", "PYTHONSTARTUP"]
    {
        assert!(set(&store, "ocr", name, "value").unwrap_err().is_of_request(), "{name}");
    }
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    for value in ["", "a planted\0value", &long] {
        let refusal = set(&store, "ocr", "KEY", value).unwrap_err();
        assert!(refusal.is_of_request() && !format!("{refusal} {refusal:?}").contains("planted"));
    }
    for plugin in ["", "Ocr", "../ocr"] {
        assert!(Place::new(None, plugin).is_err(), "{plugin}");
    }
    for scope in ["", "a/b", &"s".repeat(65)] {
        assert!(Place::new(Some(scope), "ocr").is_err(), "{scope}");
    }
    for number in 0..PLUGIN_BYTES_MAX / VALUE_BYTES_MAX - 1 {
        set(&store, "ocr", &format!("KEY_{number}"), &long[1..]).unwrap();
    }
    assert!(matches!(set(&store, "ocr", "ONE_MORE", &long[1..]).unwrap_err(), SecretsError::Full { .. }));
}

#[test]
fn the_plain_file_of_another_host_is_taken_over_as_a_whole_or_not_at_all() {
    let data = tempfile::tempdir().unwrap();
    let store = SecretStore::of(data.path());
    set(&store, "ocr", "OLD", "stays").unwrap();
    let file = data.path().join("plain.json");
    fs::write(&file, r#"{"__default__": {"ocr": {"NEW": "a"}, "q": {"bad-name": "b"}}}"#).unwrap();
    assert!(store.import(&file).unwrap_err().to_string().contains("bad-name"));
    assert_eq!(store.names(&place("ocr")).unwrap(), ["OLD"]);
    fs::write(&file, r#"{"__default__": {"ocr": {"NEW": "a"}, "q": {"KEY": "b"}}, "me": {"q": {"K": "c"}}}"#)
        .unwrap();
    assert_eq!(store.import(&file).unwrap(), 3);
    assert_eq!(store.names(&place("ocr")).unwrap(), ["NEW", "OLD"]);
    for (text, why) in [("[]", "another form"), ("", "another form")] {
        fs::write(&file, text).unwrap();
        assert!(store.import(&file).unwrap_err().to_string().contains(why), "{text}");
    }
    assert!(store.import(&data.path().join("none")).unwrap_err().to_string().contains("not there"));
}

const FOLDER: &str = "HARDPOINT_TEST_SECRETS";
const KILLED_AT: &str = "HARDPOINT_TEST_KILLED_AT";

/// This test, in a process of its own that takes the part of a writer.
fn writer(test: &str, data: &Path, killed_at: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("store::tests::{test}"), "--exact", "--nocapture"]).env(FOLDER, data);
    command.envs(killed_at.map(|step| (KILLED_AT, step)));
    command
}

#[test]
fn a_writer_that_is_killed_at_any_step_leaves_the_old_file_or_the_new_one() {
    const SELF: &str = "a_writer_that_is_killed_at_any_step_leaves_the_old_file_or_the_new_one";
    if let Some(data) = std::env::var_os(FOLDER) {
        let killed_at = std::env::var(KILLED_AT).unwrap();
        let store = SecretStore::of(Path::new(&data));
        let die = &mut |step: Step| {
            if format!("{step:?}") == killed_at {
                kill_process(getpid(), Signal::KILL).unwrap();
            }
        };
        return store.set_step_by_step(&place("ocr"), ("KEY", "new"), die).unwrap();
    }
    for (before, step, after) in [
        (None, Step::Locked, None),
        (None, Step::Written, None),
        (None, Step::Renamed, Some("new")),
        (Some("old"), Step::Locked, Some("old")),
        (Some("old"), Step::Written, Some("old")),
        (Some("old"), Step::Renamed, Some("new")),
        (Some("old"), Step::Done, Some("new")),
    ] {
        let data = tempfile::tempdir().unwrap();
        let store = SecretStore::of(data.path());
        if let Some(value) = before {
            set(&store, "ocr", "KEY", value).unwrap();
        }
        let ended = writer(SELF, data.path(), Some(&format!("{step:?}"))).output().unwrap();
        assert_eq!(ended.status.signal(), Some(9), "{step:?}: {ended:?}");
        assert_eq!(values(&store, "ocr").get("KEY").map(String::as_str), after, "{before:?} {step:?}");
        set(&store, "ocr", "NEXT", "x").unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&store.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "secrets.json"], "{step:?}");
    }
}

#[test]
fn of_two_processes_that_set_fifty_secrets_each_a_hundred_are_kept() {
    const SELF: &str = "of_two_processes_that_set_fifty_secrets_each_a_hundred_are_kept";
    if let Some(data) = std::env::var_os(FOLDER) {
        let store = SecretStore::of(Path::new(&data));
        for number in 0..50 {
            set(&store, "ocr", &format!("KEY_{}_{number}", std::process::id()), "value").unwrap();
        }
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let writers = [(); 2].map(|()| writer(SELF, data.path(), None).spawn().unwrap());
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(SecretStore::of(data.path()).names(&place("ocr")).unwrap().len(), 100);
}
