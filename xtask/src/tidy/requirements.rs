//! The table in `docs/reference/requirements.md`: what is promised, and the tests that prove it.
//!
//! A row is `| id | requirement | tests | state |`; tests are names in backticks. `planned` has no tests
//! yet, `partial` and `done` have at least one, and every name must be a test that exists.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use syn::visit::{self, Visit};

use crate::ci::{End, Reports};
use crate::tree::SourceFile;

const TABLE: &str = "docs/reference/requirements.md";

/// Area letter and the number of its last row.
const ROWS: [(char, u32); 6] = [('A', 15), ('B', 10), ('C', 12), ('D', 27), ('F', 28), ('J', 32)];

/// What the run came to.
pub(super) struct Outcome {
    pub(super) complaints: Vec<String>,
    pub(super) note: String,
}

struct Row {
    id: String,
    tests: Vec<String>,
    state: String,
}

/// The table is complete, and every test it names exists.
pub(super) fn check(files: &[SourceFile]) -> Result<Vec<String>> {
    let rows = read_rows(files)?;
    let mut complaints = check_ids(&rows);
    let known = known_tests(files)?;
    for row in &rows {
        complaints.extend(check_state(row));
        let unknown = row.tests.iter().filter(|test| !known.contains(*test));
        complaints.extend(unknown.map(|test| format!("{TABLE}: row {}: there is no test `{test}`", row.id)));
    }
    Ok(complaints)
}

/// Every test that the table names ran and passed in the runs that wrote the reports.
pub(super) fn check_ran(files: &[SourceFile], reports: &Reports) -> Result<Outcome> {
    let rows = read_rows(files)?;
    let mut complaints = Vec::new();
    let mut skipped = 0;
    for row in &rows {
        for test in &row.tests {
            match reports.end_of(test) {
                Some(End::Passed) => {}
                Some(End::Failed) => complaints.push(format!("row {}: `{test}` failed", row.id)),
                Some(End::Skipped) if row.state == "done" => {
                    complaints.push(format!("row {}: `{test}` was skipped, so the row is not done", row.id));
                }
                Some(End::Skipped) => skipped += 1,
                None => complaints.push(format!("row {}: `{test}` did not run", row.id)),
            }
        }
    }
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let (done, partial, planned) = (count("done"), count("partial"), count("planned"));
    let note =
        format!("{done} rows done, {partial} partial, {planned} planned; {skipped} of their tests skipped");
    Ok(Outcome { complaints, note })
}

fn read_rows(files: &[SourceFile]) -> Result<Vec<Row>> {
    let table =
        files.iter().find(|file| file.path == TABLE).with_context(|| format!("there is no {TABLE}"))?;
    Ok(table.text.lines().filter_map(read_row).collect())
}

/// A line of the table whose first cell is an id; headings and other lines are none.
fn read_row(line: &str) -> Option<Row> {
    let line = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, _, tests, state] = cells.as_slice() else { return None };
    let (area, number) = (id.chars().next()?, id.get(1..)?);
    if !area.is_ascii_uppercase() || number.parse::<u32>().is_err() {
        return None;
    }
    let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some(Row { id: (*id).to_owned(), tests, state: (*state).to_owned() })
}

fn check_ids(rows: &[Row]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(&row.id).or_default() += 1;
    }
    let expected =
        ROWS.iter().flat_map(|&(area, last)| (1..=last).map(move |number| format!("{area}{number}")));
    let expected: BTreeSet<String> = expected.collect();
    let missing = expected.iter().filter(|id| !counts.contains_key(id.as_str()));
    let mut complaints: Vec<String> = missing.map(|id| format!("{TABLE}: row {id} is missing")).collect();
    for (id, count) in counts {
        if count > 1 {
            complaints.push(format!("{TABLE}: row {id} stands there {count} times"));
        }
        if !expected.contains(id) {
            complaints.push(format!("{TABLE}: row {id} is no requirement"));
        }
    }
    complaints
}

fn check_state(row: &Row) -> Option<String> {
    let Row { id, tests, state } = row;
    match (state.as_str(), tests.is_empty()) {
        ("planned", true) | ("partial" | "done", false) => None,
        ("planned", false) => Some(format!("{TABLE}: row {id} has tests, so it is more than planned")),
        ("partial" | "done", true) => Some(format!("{TABLE}: row {id} is {state}, but names no test")),
        _ => Some(format!("{TABLE}: row {id}: state `{state}` is none of planned, partial, done")),
    }
}

/// Names of all Rust and Python tests.
fn known_tests(files: &[SourceFile]) -> Result<BTreeSet<String>> {
    let mut tests = Tests { names: BTreeSet::new() };
    for file in files {
        if file.is_rust() {
            let parsed =
                syn::parse_file(&file.text).with_context(|| format!("cannot parse {}", file.path))?;
            tests.visit_file(&parsed);
        } else if file.is_python() && file.path.starts_with("python/tests/") {
            tests.names.extend(python_tests(&file.text));
        }
    }
    Ok(tests.names)
}

/// Functions with a `test` attribute of any runner, also those inside a `proptest!` block.
struct Tests {
    names: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        let is_test = |attribute: &syn::Attribute| {
            attribute
                .path()
                .segments
                .last()
                .is_some_and(|last| last.ident == "test" || last.ident == "rstest")
        };
        if node.attrs.iter().any(is_test) {
            self.names.insert(node.sig.ident.to_string());
        }
        visit::visit_item_fn(self, node);
    }

    fn visit_macro(&mut self, node: &'ast syn::Macro) {
        if node.path.segments.last().is_some_and(|last| last.ident == "proptest") {
            let text = node.tokens.to_string();
            self.names.extend(words_after(&text, "fn ").map(str::to_owned));
        }
        visit::visit_macro(self, node);
    }
}

fn python_tests(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_start).map(|line| line.strip_prefix("async ").unwrap_or(line));
    lines
        .filter(|line| line.starts_with("def test_"))
        .flat_map(|line| words_after(line, "def "))
        .map(str::to_owned)
        .collect()
}

fn words_after<'text>(text: &'text str, mark: &'static str) -> impl Iterator<Item = &'text str> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.split(mark).skip(1).filter_map(move |rest| rest.split(|character| !is_part(character)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_other_lines_are_not() {
        let row = read_row("| A1 | Import failure | `one_test`, `test_two` | done |").unwrap();
        assert_eq!((row.id.as_str(), row.state.as_str()), ("A1", "done"));
        assert_eq!(row.tests, ["one_test", "test_two"]);
        for line in
            ["| id | requirement | tests | state |", "| --- | --- | --- | --- |", "A1", "| A1 | three |"]
        {
            assert!(read_row(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_state_must_fit_its_tests() {
        for (line, fits) in [
            ("| A1 | x | | planned |", true),
            ("| A1 | x | `t` | done |", true),
            ("| A1 | x | `t` | planned |", false),
            ("| A1 | x | | done |", false),
            ("| A1 | x | | soon |", false),
        ] {
            assert_eq!(check_state(&read_row(line).unwrap()).is_none(), fits, "{line}");
        }
    }

    #[test]
    fn tests_are_found_by_what_makes_them_tests() {
        let rust = "//! D.\n#[tokio::test]\nasync fn one() {}\nfn helper() {}\nproptest! { #[test] fn two(x in 0..9) { } }\n";
        let python = "async def test_three():\n    pass\ndef helper():\n    pass\n";
        let files = [("a.rs", rust), ("python/tests/test_a.py", python)]
            .map(|(path, text)| SourceFile { path: path.to_owned(), text: text.to_owned() });
        let expected: BTreeSet<String> = ["one", "two", "test_three"].map(str::to_owned).into();
        assert_eq!(known_tests(&files).unwrap(), expected);
    }
}
