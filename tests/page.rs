//! The second real pipeline: a scanned page is cleaned, read by two neural networks, joined to a text and
//! reported on, by four plugins, with pictures as bytes between them.

use crate::support::{Answer, Cli, Server, repository};
use serde_json::{Value, json};
use std::path::Path;

const PIPELINE: &str = "examples/pipelines/page.yaml";

/// What the page says, as far as the networks of every supported version read it alike.
const SENTENCES: [&str; 6] = [
    "Region-based segmentation",
    "Let us first determine markers of the coins and the",
    "background. These markers are pixels that we can label",
    "unambiguously as either object or background.",
    "the markers are found at the two extreme parts of the",
    "histogram of grey values:",
];

/// A picture of one white pixel.
const WHITE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==";

fn hardpoint(args: &[&str]) -> Answer {
    Cli::new(args).dir(repository()).plugins("examples/plugins").run()
}

/// The pipeline's document after a run that went well.
#[track_caller]
fn read_page(args: &[&str]) -> Value {
    let answer = hardpoint(&[&["run", PIPELINE, "--json"], args].concat());
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    let document = answer.json();
    assert_eq!((&document["ok"], &document["stages_executed"]), (&json!(true), &json!(4)), "{document}");
    document["result"].clone()
}

#[track_caller]
fn assert_says(text: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(text.contains(sentence), "{sentence:?} is not in {text:?}");
    }
}

#[track_caller]
fn assert_is_png(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{} bytes", bytes.len());
}

#[test]
fn a_scanned_page_is_read_and_its_report_shows_the_page_and_what_it_says() {
    let out = tempfile::tempdir().unwrap();
    let answer = hardpoint(&["run", PIPELINE, "--out", out.path().to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("words in 7 lines read"), "{}", answer.stdout);
    assert_is_png(&out.path().join("image.png"));
    let html = out.path().join("html.html");
    assert!(answer.stdout.contains(html.to_str().unwrap()), "{}", answer.stdout);
    let html = std::fs::read_to_string(html).unwrap();
    assert_says(&html, &SENTENCES);
    assert!(html.contains("href=\"data:image/png;base64,"), "the report has no picture");
    assert_eq!(html.matches("<polygon").count(), 7, "one outline for each line");
}

#[test]
fn a_page_of_ones_own_is_read_line_by_line_and_joined_to_paragraphs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let cleaned = hardpoint(&["call", "page", "clean", "straighten=false", "size=1100", "--out", out]);
    assert_eq!(cleaned.code, 0, "{}", cleaned.stderr);
    let own = folder.path().join("image.png");
    assert_is_png(&own);

    let result = read_page(&["--input", &format!("image=@{}", own.display())]);
    assert_eq!(result["image_width"], 1100, "the page keeps its size: {result}");
    let paragraphs: Vec<_> =
        result["paragraphs"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!((paragraphs.len(), paragraphs[0]), (3, SENTENCES[0]), "{paragraphs:?}");
    assert_says(paragraphs[1], &SENTENCES[1..]);
    let lines = result["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 7, "{lines:?}");
    let mut above = 0.0;
    for line in lines {
        let number = |name: &str| line[name].as_f64().unwrap();
        assert!(number("score") >= 0.6 && number("score") <= 1.0, "{line}");
        assert!(number("x") >= -5.0 && number("x") + number("width") <= 1105.0, "{line}");
        assert!(number("y") > above && number("height") > 20.0, "{line} after {above}");
        above = number("y");
    }
}

#[test]
fn an_empty_page_says_nothing_and_a_file_that_is_no_picture_is_the_callers_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.json");
    std::fs::write(&input, json!({"image": {"$bytes": WHITE}}).to_string()).unwrap();
    let result = read_page(&["--input-json", input.to_str().unwrap()]);
    assert_eq!((&result["summary"], &result["lines"]), (&json!("no text found"), &json!([])), "{result}");

    let answer = hardpoint(&["run", PIPELINE, "--input", "image=@README.md", "--json"]);
    let document = answer.json();
    let answered = (&document["ok"], &document["stage_failed"], &document["category"]);
    assert_eq!(answered, (&json!(false), &json!(1), &json!("user_input")), "{}", document["error"]);
    assert!(document["error"].as_str().unwrap().contains("`image`"), "{}", document["error"]);
}

#[test]
fn the_example_pipelines_are_saved_on_a_server_run_by_their_names_and_found_to_fit() {
    let server = Server::with(&["faces", "imaging", "page", "ocr", "text", "report"]);
    let ask = |args: &[&str]| {
        let mut cli = Cli::new(args).dir(repository());
        cli.command.env("HARDPOINT_DATA_DIR", server.data());
        let answer = cli.run();
        assert_eq!(answer.code, 0, "{args:?}: {}{}", answer.stdout, answer.stderr);
        answer
    };
    let out = tempfile::tempdir().unwrap();
    let run = |name: &str, input: &[&str]| {
        ask(&[&["pipeline", "run", name, "--out", out.path().to_str().unwrap()], input].concat()).stdout
    };
    for file in ["examples/pipelines/faces.yaml", PIPELINE] {
        ask(&["pipeline", "save", file]);
    }
    let found = run("faces", &["--input", "image=@examples/data/astronaut.png"]);
    assert!(found.contains("1 face found"), "{found}");
    let read = run("page", &[]);
    assert!(read.contains("words in 7 lines read"), "{read}");
    for (file, stages) in [("examples/pipelines/faces.yaml", "3 stages"), (PIPELINE, "4 stages")] {
        // By now every tool has said what it takes and gives.
        let checked = ask(&["pipeline", "check", file]);
        assert!(checked.stdout.contains(stages), "{}{}", checked.stdout, checked.stderr);
    }
    server.stop();
}

#[test]
fn divided_words_are_joined_pieces_of_a_row_are_put_in_order_and_an_empty_box_is_named() {
    let line = |x: i32, y: i32, text: &str| json!({"x": x, "y": y, "width": 80, "height": 20, "slope": 0.0, "text": text, "score": 0.9});
    let lines = [
        line(100, 3, "ﬁrst hyphen-"),
        line(0, 0, "The"),
        line(0, 24, "ated  word."),
        line(0, 90, "Ｎext (1-"),
    ];
    let call =
        |lines: &Value| hardpoint(&["call", "text", "tidy", &format!("lines={lines}"), "--json"]).json();
    let document = call(&json!(lines));
    assert_eq!(
        document["result"]["paragraphs"],
        json!(["The first hyphenated word.", "Next (1-"]),
        "{document}"
    );
    assert_eq!(document["result"]["statistics"]["words_joined"], 1, "{document}");

    let mut broken = json!(lines);
    broken[2]["width"] = json!(0);
    let document = call(&broken);
    assert_eq!(
        (&document["error_type"], &document["category"]),
        (&json!("InputError"), &json!("user_input"))
    );
    assert_eq!(document["fields_invalid"], json!(["lines[2]"]), "{document}");
}
