//! What a manifest may say, and what its author reads when it says something else.

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"
name = "echo"
version = "1.0.0"
entry = "echo_plugin:Echo"
description = "Says what it hears."
dialect = "native"

[python]
requires = ">=3.9"
requirements = ["numpy>=2", "torch==2.9.*; platform_machine == 'x86_64'"]

[limits]
timeout_seconds = 60
memory_mb = 2048
startup_seconds = 30
concurrency = 2

[limits.tools.detect]
timeout_seconds = 0.5

[env]
OMP_NUM_THREADS = "1"

[needs]
requires_gpu = true
dependencies = ["cv2", "torch>=2.4"]
models = { detector = "models/detector.onnx" }
platforms = ["linux-x64", "darwin"]

[tools.detect]
description = "Finds things."
"#;

/// A small valid manifest with `lines` added; `{}` in `expected` stands for the file name.
#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    let text = format!("name = \"echo\"\nversion = \"1\"\nentry = \"echo:Echo\"\n{lines}");
    let found = match Manifest::parse(&text, "hardpoint.toml") {
        Ok(_) => Vec::new(),
        Err(found) => found.items.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{lines}");
}

#[test]
fn a_full_manifest_is_read_and_survives_json() {
    let manifest = Manifest::parse(FULL, "hardpoint.toml").unwrap();
    assert_eq!(manifest.limits.timeout_of("detect").as_millis(), 500);
    assert_eq!(manifest.limits.timeout_of("other").as_millis(), 60_000);
    assert_eq!(manifest.needs.models[0].path, "models/detector.onnx");
    assert_eq!(manifest.needs.dependencies[1].to_string(), "torch>=2.4");
    let json = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
}

#[test]
fn three_lines_are_enough() {
    let manifest =
        Manifest::parse("name = \"a\"\nversion = \"1\"\nentry = \"a:A\"", "hardpoint.toml").unwrap();
    assert_eq!(manifest.dialect, "native");
    assert_eq!(manifest.limits, Limits::default());
    assert!(manifest.needs.models.is_empty() && manifest.python.requirements.is_empty());
}

/// What stands under the three required lines, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[limits]\nmemory_mb = \"64\"",
        "hardpoint.toml:5: limits.memory_mb: must be an integer, got string\nhint: write 64 without quotes",
    ),
    (
        "[limits]\nmemory = 64",
        "hardpoint.toml:5: limits.memory: unknown field\nhint: did you mean `memory_mb`?",
    ),
    ("[limits]\nconcurrency = 0", "hardpoint.toml:5: limits.concurrency: must be at least 1, got 0"),
    (
        "[limits.tools.detect]\ntimeout_seconds = 0",
        "hardpoint.toml:5: limits.tools.detect.timeout_seconds: must be more than 0, got 0",
    ),
    (
        "[python]\nrequires = \"3.9\"",
        "hardpoint.toml:5: python.requires: `3.9` is not a version specifier\n\
             hint: write for example `>=3.10` or `>=3.10,<3.14`",
    ),
    (
        "[python]\nrequirements = [\n  \"numpy\",\n  \"-r x.txt\"]",
        "hardpoint.toml:7: python.requirements[1]: options of the installer may not stand here\n\
             hint: put them into a file and name it in `lock`",
    ),
    (
        "[python]\nrequirements = [\"numpy\"]\nlock = \"a.lock\"",
        "hardpoint.toml:6: python.lock: cannot stand beside `python.requirements`\n\
             hint: keep one of them: the lock file already lists every package",
    ),
    (
        "[python]\nrequirements = [\"numpy\"]\nenvironment = \"/opt/env\"",
        "hardpoint.toml:6: python.environment: cannot stand beside `python.requirements`\n\
             hint: keep one of them: nothing is installed into an environment that is there already",
    ),
    (
        "[python]\nenvironment = \"~/env\"",
        "hardpoint.toml:5: python.environment: `~/env` is not a path: nothing stands for the home folder here\n\
             hint: write the whole path, from `/` on",
    ),
    (
        "[env]\nPYTHONPATH = \"/x\"",
        "hardpoint.toml:5: env.PYTHONPATH: is not a name that may stand here: the host sets `PYTHONPATH` so that the \
             plugin sees its own environment and nothing else\nhint: list the package under `python.requirements`, or put \
             the module next to the manifest",
    ),
    (
        "[[worker_env]]\nname = \"KEY\"\nsecret = true\ndefault = \"x\"",
        "hardpoint.toml:7: worker_env[0].default: a secret has no default\n\
             hint: leave it out: everybody can read it here; `hardpoint secret set` sets the value",
    ),
    (
        "[[worker_env]]\nname = \"MODE\"\noptions = [\"a\"]\ndefault = \"b\"",
        "hardpoint.toml:7: worker_env[0].default: is not among the `options`\nhint: use one of them",
    ),
    (
        "[[worker_env]]\nname = \"A\"\n[[worker_env]]\nname = \"A\"",
        "hardpoint.toml:7: worker_env[1].name: `A` names a second variable\nhint: name each variable once",
    ),
    ("[env]\nA = 1", "hardpoint.toml:5: env.A: must be a string, got integer\nhint: put the value in quotes"),
    (
        "dialect = \"forgesite\"",
        "hardpoint.toml:4: dialect: `forgesite` is not a known dialect\nhint: did you mean `forgesyte`?",
    ),
    (
        "[needs]\nplatforms = [\"linux-x86_64\"]",
        "hardpoint.toml:5: needs.platforms[0]: `linux-x86_64` is not a platform\nhint: did you mean `linux-x64`?",
    ),
    (
        "[needs.models]\na = \"../a.pt\"",
        "hardpoint.toml:5: needs.models.a: `../a.pt` leads out of the plugin's folder\n\
             hint: put the file, or a link to it, into the plugin's folder",
    ),
    (
        "[[needs.models]]\nname = \"a\"\npath = \"a.pt\"\nsha256 = \"12\"",
        "hardpoint.toml:7: needs.models[0].sha256: must be 64 hexadecimal digits\n\
             hint: write the output of `sha256sum`",
    ),
    ("[needs]\nmodels = \"a.pt\"", "hardpoint.toml:5: needs.models: must be a list or an object, got string"),
    (
        "[needs]\ndependencies = [\"torch=>2\"]",
        "hardpoint.toml:5: needs.dependencies[0]: has a version that cannot be understood: =>2\n\
             hint: write for example `cv2` or `torch>=2.4`",
    ),
];

#[test]
fn mistakes_name_line_field_cause_and_remedy() {
    for (lines, expected) in MISTAKES {
        check(lines, &[expected]);
    }
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = "name = \"My Plugin\"\nentry = \"plugin.py\"\ncolour = 1\n[limits]\nmemory_mb = 1\n[pyton]\n";
    let found = Manifest::parse(text, "hardpoint.toml").unwrap_err();
    let fields: Vec<_> = found.items.iter().map(|item| (item.line, item.field.as_str())).collect();
    assert_eq!(
        fields,
        [
            (Some(1), "name"),
            (Some(2), "entry"),
            (Some(3), "colour"),
            (Some(5), "limits.memory_mb"),
            (Some(6), "pyton"),
            (None, "version"),
        ],
        "{found}"
    );
    assert_eq!(found.items[0].hint.as_deref(), Some("for example `my_plugin`"));
}

#[test]
fn a_program_is_an_entry_of_the_dialect_exec_only() {
    let text = "name = \"a\"\nversion = \"1\"\nentry = \"bin/run\"\ndialect = \"exec\"";
    assert!(Manifest::parse(text, "hardpoint.toml").is_ok());
    assert!(Manifest::parse(&text.replace("exec", "native"), "hardpoint.toml").is_err());
}

#[test]
fn several_syntax_errors_come_at_once() {
    let found = Manifest::parse("name = \nversion = = 1\n", "hardpoint.toml").unwrap_err();
    assert!(found.items.len() >= 2, "{found}");
}

#[test]
fn a_huge_manifest_is_refused_unread() {
    let found = Manifest::parse(&"#".repeat(300_000), "hardpoint.toml").unwrap_err();
    assert!(found.to_string().contains("is 300000 bytes long"), "{found}");
}

#[test]
fn every_field_in_the_schema_has_a_description() {
    fn visit(value: &serde_json::Value, path: &str) {
        if let Some(properties) = value.get("properties").and_then(serde_json::Value::as_object) {
            for (name, property) in properties {
                assert!(property.get("description").is_some(), "{path}.{name}");
            }
        }
        for (key, below) in value.as_object().into_iter().flatten() {
            visit(below, &format!("{path}/{key}"));
        }
    }
    visit(&schema(), "");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = Manifest::parse(&text, "hardpoint.toml");
    }

    #[test]
    fn no_change_of_a_manifest_makes_the_parser_panic(at in 0..FULL.len(), cut in 0..40usize, put in "\\PC{0,8}|[\\[\\]={}\"',.\\n]{0,6}") {
        let mut text: Vec<char> = FULL.chars().collect();
        let end = (at + cut).min(text.len());
        text.splice(at.min(end)..end, put.chars());
        let text: String = text.into_iter().collect();
        if let Err(found) = Manifest::parse(&text, "hardpoint.toml") {
            prop_assert!(!found.items.is_empty());
            prop_assert!(!found.to_string().is_empty());
        }
    }
}

#[test]
fn a_name_of_installed_metadata_is_an_entry_of_the_dialect_forgesyte_only() {
    let parse = |dialect: &str, entry: &str| {
        let text = format!("name = \"a\"\nversion = \"1\"\nentry = \"{entry}\"\ndialect = \"{dialect}\"");
        Manifest::parse(&text, "hardpoint.toml").is_ok()
    };
    for (entry, fits) in
        [("ocr", true), ("ocr@fs-ocr", true), ("fs.ocr:Plugin", true), ("a/b", false), ("@b", false)]
    {
        assert_eq!(parse("forgesyte", entry), fits, "{entry}");
    }
    assert!(!parse("native", "ocr") && !parse("cjm", "ocr@fs-ocr"));
}
