//! The examples on the reference page of the manifest are manifests.

use hardpoint_model::Manifest;

fn toml_blocks(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_of_a_manifest_is_one() {
    let blocks = toml_blocks(include_str!("../../../docs/reference/manifest.md"));
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
