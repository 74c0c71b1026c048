//! Files stay below 500 lines, Rust functions at 70. What is longer stands in `xtask/ratchet.toml`
//! with its length and may only shrink.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use toml::Table;

use crate::tree::{self, SourceFile};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const RATCHET: &str = "xtask/ratchet.toml";

pub(super) fn check(files: &[SourceFile]) -> Result<Vec<String>> {
    let ratchet = read_ratchet()?;
    let mut complaints = compare("files", &file_lengths(files), FILE_LINES_MAX, &ratchet);
    complaints.extend(compare("functions", &function_lengths(files)?, FUNCTION_LINES_MAX, &ratchet));
    Ok(complaints)
}

fn read_ratchet() -> Result<Table> {
    let path = tree::root().join(RATCHET);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{RATCHET} is not valid TOML"))
}

fn file_lengths(files: &[SourceFile]) -> BTreeMap<String, usize> {
    let code = files.iter().filter(|file| file.is_rust() || file.is_python());
    code.map(|file| (file.path.clone(), file.text.lines().count())).collect()
}

fn function_lengths(files: &[SourceFile]) -> Result<BTreeMap<String, usize>> {
    let mut lengths = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let parsed = syn::parse_file(&file.text).with_context(|| format!("cannot parse {}", file.path))?;
        let mut visitor = Functions { path: &file.path, lengths: &mut lengths };
        visitor.visit_file(&parsed);
    }
    Ok(lengths)
}

/// Collects `path::function` with its number of lines; of functions with one name the longest counts.
struct Functions<'files> {
    path: &'files str,
    lengths: &'files mut BTreeMap<String, usize>,
}

impl Functions<'_> {
    fn add(&mut self, name: &syn::Ident, signature: Span, body: Span) {
        let lines = body.end().line + 1 - signature.start().line;
        let kept = self.lengths.entry(format!("{}::{name}", self.path)).or_insert(lines);
        *kept = lines.max(*kept);
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.add(&node.sig.ident, node.sig.span(), node.block.span());
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.add(&node.sig.ident, node.sig.span(), node.block.span());
        visit::visit_impl_item_fn(self, node);
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        if let Some(body) = &node.default {
            self.add(&node.sig.ident, node.sig.span(), body.span());
        }
        visit::visit_trait_item_fn(self, node);
    }
}

/// Complains about what is too long and not listed, what grew, and what is listed for no reason any more.
fn compare(section: &str, lengths: &BTreeMap<String, usize>, max: usize, ratchet: &Table) -> Vec<String> {
    let empty = Table::new();
    let listed = ratchet.get(section).and_then(|section| section.as_table()).unwrap_or(&empty);
    let mut complaints = Vec::new();
    for (name, &lines) in lengths {
        let entry = listed.get(name).and_then(toml::Value::as_integer);
        let limit = entry.and_then(|limit| usize::try_from(limit).ok());
        match limit {
            None if lines > max => {
                complaints.push(format!("{name}: {lines} lines, more than {max}; split it"));
            }
            Some(limit) if lines > limit => complaints.push(format!(
                "{name}: grew from {limit} to {lines} lines; what is in {RATCHET} may only shrink"
            )),
            Some(_) if lines <= max => {
                complaints.push(format!("{name}: only {lines} lines now; take it out of {RATCHET}"));
            }
            Some(limit) if lines < limit => {
                complaints.push(format!("{name}: only {lines} lines now; write that into {RATCHET}"));
            }
            None | Some(_) => {}
        }
    }
    let gone = listed.keys().filter(|name| !lengths.contains_key(*name));
    complaints.extend(gone.map(|name| format!("{name}: is gone; take it out of {RATCHET}")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lengths(lines: usize, ratchet: &str) -> Vec<String> {
        let lengths = BTreeMap::from([("a.rs".to_owned(), lines)]);
        compare("files", &lengths, 500, &ratchet.parse().unwrap())
    }

    #[test]
    fn a_long_file_is_refused_unless_it_is_listed() {
        assert!(check_lengths(500, "").is_empty());
        assert_eq!(check_lengths(501, "").len(), 1);
        assert!(check_lengths(600, "[files]\n\"a.rs\" = 600").is_empty());
    }

    #[test]
    fn the_ratchet_only_turns_one_way() {
        for (lines, what) in [(601, "grew"), (599, "shrank"), (400, "needs no entry any more")] {
            assert_eq!(check_lengths(lines, "[files]\n\"a.rs\" = 600").len(), 1, "{what}");
        }
        assert_eq!(check_lengths(1, "[files]\n\"gone.rs\" = 600").len(), 1);
    }

    #[test]
    fn a_function_is_measured_from_its_signature_to_its_last_brace() {
        let text = "//! Docs.\nimpl A {\n    /// Docs.\n    fn f(\n        &self,\n    ) {\n        g();\n    }\n}\n";
        let files = [SourceFile { path: "a.rs".to_owned(), text: text.to_owned() }];
        let lengths = function_lengths(&files).unwrap();
        assert_eq!(lengths, BTreeMap::from([("a.rs::f".to_owned(), 5)]));
    }
}
