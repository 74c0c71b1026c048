//! The main job: three plugins with real libraries, each in its own environment and process, find the
//! face on a photograph.

use crate::support::{Cli, repository};
use serde_json::json;

const PIPELINE: &str = "examples/pipelines/faces.yaml";
const PHOTOGRAPH: &str = "image=@examples/data/astronaut.png";

#[test]
fn the_readme_s_first_command_finds_the_face_and_says_where_the_picture_lies() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let command = ["run", PIPELINE, "--input", PHOTOGRAPH, "--out", folder];
    let answer = Cli::new(&command).dir(repository()).plugins("examples/plugins").run();
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("1 face found"), "{}", answer.stdout);
    let picture = out.path().join("annotated.png");
    assert!(answer.stdout.contains(picture.to_str().unwrap()), "{}", answer.stdout);
    let bytes = std::fs::read(picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 100_000, "{} bytes", bytes.len());

    let json_command = [command.as_slice(), &["--json"]].concat();
    let answer = Cli::new(&json_command).dir(repository()).plugins("examples/plugins").run();
    let document = answer.json();
    assert_eq!((&document["ok"], &document["stages_executed"]), (&json!(true), &json!(3)));
    let face = &document["result"]["faces"][0];
    let near = |name: &str, expected: f64, tolerance: f64| {
        let value = face[name].as_f64().unwrap();
        assert!((value - expected).abs() <= tolerance, "{name} is {value}, expected about {expected}");
    };
    assert_eq!(document["result"]["count"], 1);
    near("x", 175.0, 10.0);
    near("y", 70.0, 10.0);
    near("width", 93.0, 10.0);
}

#[test]
fn a_picture_that_is_none_is_the_callers_mistake_and_no_crash() {
    let command = ["call", "faces", "detect", "image=@README.md", "--json"];
    let answer = Cli::new(&command).dir(repository()).plugins("examples/plugins").run();
    let document = answer.json();
    assert_eq!((&document["ok"], &document["category"]), (&json!(false), &json!("user_input")), "{document}");
    assert_eq!(document.get("exit_reason"), None, "{document}");
}
