//! Which tests ran and how they ended, read back from what the test runners wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::tree;

/// How a test ended. A test that ran several times (on several interpreters) keeps its worst end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Passed,
    Skipped,
    Failed,
}

/// Test name without its path -> how it ended.
#[derive(Default)]
pub(crate) struct Reports {
    ends: BTreeMap<String, End>,
}

impl Reports {
    pub(crate) fn end_of(&self, test: &str) -> Option<End> {
        self.ends.get(test).copied()
    }

    fn add(&mut self, test: &str, end: End) {
        let kept = self.ends.entry(short_name(test).to_owned()).or_insert(end);
        *kept = end.max(*kept);
    }
}

/// Reads every report that the last run of the test steps left. A run deletes the old ones first.
pub(crate) fn read_reports() -> Result<Reports> {
    let mut reports = Reports::default();
    let mut junit = pytest_reports()?;
    junit.push(nextest_report());
    for path in junit.into_iter().filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        add_junit(&text, &mut reports);
    }
    if let Ok(text) = fs::read_to_string(cargo_test_log()) {
        add_cargo_test(&text, &mut reports);
    }
    Ok(reports)
}

pub(super) fn cargo_test_log() -> PathBuf {
    tree::root().join("target/reports/cargo-test.log")
}

pub(super) fn pytest_report(version: (u32, u32)) -> PathBuf {
    tree::root().join(format!("target/reports/pytest-{}.{}.xml", version.0, version.1))
}

fn nextest_report() -> PathBuf {
    tree::root().join("target/nextest/ci/junit.xml")
}

fn pytest_reports() -> Result<Vec<PathBuf>> {
    let folder = tree::root().join("target/reports");
    fs::create_dir_all(&folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "xml") {
            found.push(path);
        }
    }
    Ok(found)
}

pub(super) fn forget_rust() -> Result<()> {
    forget([nextest_report(), cargo_test_log()])
}

pub(super) fn forget_python() -> Result<()> {
    forget(pytest_reports()?)
}

fn forget(paths: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    for path in paths {
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// `module::tests::a_name` and `test_name[parameter]` without what stands around the name.
fn short_name(test: &str) -> &str {
    let name = test.split('[').next().unwrap_or(test);
    name.rsplit("::").next().unwrap_or(name)
}

/// `JUnit` XML as nextest and pytest write it: one `testcase` element per test, empty when it passed.
fn add_junit(text: &str, reports: &mut Reports) {
    for case in text.split("<testcase ").skip(1) {
        let Some((attributes, rest)) = case.split_once('>') else { continue };
        let Some(name) = attribute(attributes, "name") else { continue };
        let body =
            if attributes.ends_with('/') { "" } else { rest.split("</testcase>").next().unwrap_or("") };
        let end = if body.contains("<failure") || body.contains("<error") {
            End::Failed
        } else if body.contains("<skipped") {
            End::Skipped
        } else {
            End::Passed
        };
        reports.add(name, end);
    }
}

fn attribute<'text>(attributes: &'text str, name: &str) -> Option<&'text str> {
    let start = format!(" {name}=\"");
    let padded_start = attributes.find(&start).map(|at| at + start.len());
    let at =
        padded_start.or_else(|| attributes.starts_with(start.trim_start()).then_some(start.len() - 1))?;
    attributes.get(at..)?.split('"').next()
}

/// Lines like `test module::name ... ok`.
fn add_cargo_test(text: &str, reports: &mut Reports) {
    for line in text.lines() {
        let Some((name, end)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
            continue;
        };
        let name = name.split(" - ").next().unwrap_or(name);
        match end.split([',', ' ']).next() {
            Some("ok") => reports.add(name, End::Passed),
            Some("FAILED") => reports.add(name, End::Failed),
            Some("ignored") => reports.add(name, End::Skipped),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(fill: impl FnOnce(&mut Reports)) -> Vec<(String, End)> {
        let mut reports = Reports::default();
        fill(&mut reports);
        reports.ends.into_iter().collect()
    }

    #[test]
    fn junit_cases_end_by_what_they_hold() {
        let text = r#"<testsuite><testcase classname="a" name="m::passes" time="1"/>
            <testcase name="test_skips[x]"><skipped message="no GPU"/></testcase>
            <testcase name="fails" time="1"><failure>boom</failure></testcase>
            <testcase name="prints" time="1"><system-out>text</system-out></testcase></testsuite>"#;
        let expected = [
            ("fails".to_owned(), End::Failed),
            ("passes".to_owned(), End::Passed),
            ("prints".to_owned(), End::Passed),
            ("test_skips".to_owned(), End::Skipped),
        ];
        assert_eq!(ends(|reports| add_junit(text, reports)), expected);
    }

    #[test]
    fn the_worst_end_of_a_test_counts() {
        let text = r#"<testcase name="test_a[1]"/><testcase name="test_a[2]"><error/></testcase><testcase name="test_a[3]"/>"#;
        assert_eq!(ends(|reports| add_junit(text, reports)), [("test_a".to_owned(), End::Failed)]);
    }

    #[test]
    fn cargo_test_lines_are_read() {
        let text = "running 3 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, slow\nok";
        let expected =
            [("b".to_owned(), End::Passed), ("c".to_owned(), End::Failed), ("d".to_owned(), End::Skipped)];
        assert_eq!(ends(|reports| add_cargo_test(text, reports)), expected);
    }
}
