//! The reference pages of the manifest and of the configuration say what is so.

use hardpoint_model::Manifest;
use hardpoint_model::config::{ConfigFile, Sources, load};
use hardpoint_model::document::Format;
use std::path::Path;

fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(opening.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_of_a_manifest_is_one() {
    let blocks = blocks(include_str!("../../../docs/reference/manifest.md"), "toml");
    assert!(blocks.len() >= 8);
    for block in blocks {
        if let Err(found) = Manifest::parse(block, "manifest.md") {
            panic!("{block}\n{found}");
        }
    }
}

#[test]
fn the_messages_on_the_page_are_the_real_ones() {
    let page = include_str!("../../../docs/reference/manifest.md");
    let text =
        "name = \"a\"\nversion = \"1\"\nentry = \"a:A\"\n\n\n[limits]\nmemory_mb = \"1024\"\ntimeout = 60\n";
    let found = Manifest::parse(text, "hardpoint.toml").unwrap_err().to_string();
    assert!(page.contains(&found), "{found}");
}

const CONFIG: &str = include_str!("../../../docs/reference/config.md");

fn file(text: &str) -> ConfigFile<'_> {
    ConfigFile { name: "hardpoint.yaml", text, format: Format::Yaml, folder: Path::new("/") }
}

#[test]
fn the_example_of_a_configuration_is_one() {
    for block in blocks(CONFIG, "yaml") {
        if let Err(found) = load(&Sources { file: Some(file(block)), ..Sources::default() }) {
            panic!("{block}\n{found}");
        }
    }
}

#[test]
fn every_key_stands_on_the_page_with_its_default() {
    let Ok(loaded) = load(&Sources::default()) else { panic!("the defaults are no configuration") };
    for entry in loaded.entries() {
        let row = CONFIG.lines().find(|line| line.starts_with(&format!("| `{}` |", entry.key)));
        let Some(row) = row else { panic!("`{}` is not on the page", entry.key) };
        let value = match entry.value.as_str() {
            Some(text) => text.to_owned(),
            None => entry.value.to_string().replace(".0", "").replace(',', ", "),
        };
        let is_shown = row.contains(&format!("| `{value}` |"));
        assert!(is_shown || entry.value.is_null(), "{row} does not say {value}");
    }
}

#[test]
fn the_mistakes_on_the_page_are_told_so() {
    let text = "listen: 127.0.0.1:1\nrestart:\n  polcy: never\n";
    let variables = vec![("HARDPOINT_LISTN".to_owned(), "x".to_owned())];
    let Err(found) = load(&Sources { file: Some(file(text)), variables, ..Sources::default() }) else {
        panic!("mistakes were not found")
    };
    assert!(CONFIG.contains(&found.to_string()), "{found}");
}
