//! Every file says what it is for, and nothing switches a lint off in silence.

use anyhow::{Context as _, Result};
use syn::visit::{self, Visit};

use crate::tree::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in files {
        if file.is_rust() {
            check_rust(file, &mut complaints)?;
        } else if file.is_python() {
            check_python(file, &mut complaints);
        }
    }
    Ok(complaints)
}

fn check_rust(file: &SourceFile, complaints: &mut Vec<String>) -> Result<()> {
    // An inner attribute such as `#![no_main]` may stand before the docs.
    let first = file.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    if !first.is_some_and(|line| line.starts_with("//!")) {
        complaints
            .push(format!("{}: does not open with `//!`: what it owns, what it must not know", file.path));
    }
    let parsed = syn::parse_file(&file.text).with_context(|| format!("cannot parse {}", file.path))?;
    let mut silenced = Silenced { lines: Vec::new() };
    silenced.visit_file(&parsed);
    for line in silenced.lines {
        complaints.push(format!(
            "{}:{line}: lint switched off without a reason; write `#[expect(lint, reason = \"…\")]`",
            file.path
        ));
    }
    Ok(())
}

/// Lines of `allow` and `expect` attributes that give no reason.
struct Silenced {
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Silenced {
    fn visit_attribute(&mut self, node: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &node.meta
            && (list.path.is_ident("allow") || list.path.is_ident("expect"))
            && !list.tokens.to_string().contains("reason")
        {
            self.lines.push(node.pound_token.span.start().line);
        }
        visit::visit_attribute(self, node);
    }
}

fn check_python(file: &SourceFile, complaints: &mut Vec<String>) {
    let first = file.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let opens = ["\"\"\"", "r\"\"\""];
    if !first.is_some_and(|line| opens.iter().any(|open| line.starts_with(open))) {
        complaints.push(format!(
            "{}: does not open with a docstring: what it owns, what it must not know",
            file.path
        ));
    }
    for (number, line) in file.text.lines().enumerate() {
        let silent = [("# type: ignore", "["), ("# noqa", ":")]
            .iter()
            .any(|(mark, names)| line.split(mark).nth(1).is_some_and(|rest| !rest.starts_with(names)));
        if silent {
            complaints.push(format!(
                "{}:{}: switches every check off; name the one it means",
                file.path,
                number + 1
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check(&[SourceFile { path: path.to_owned(), text: text.to_owned() }]).unwrap().len()
    }

    #[test]
    fn rust_files_open_with_module_docs() {
        assert_eq!(complaints("a.rs", "//! What it owns.\nfn f() {}\n"), 0);
        assert_eq!(complaints("a.rs", "#![no_main]\n//! What it owns.\n"), 0);
        assert_eq!(complaints("a.rs", "// A comment.\nfn f() {}\n"), 1);
        assert_eq!(complaints("a.rs", ""), 1);
    }

    #[test]
    fn python_files_open_with_a_docstring() {
        assert_eq!(complaints("a.py", "#!/usr/bin/env python3\n\"\"\"What it owns.\"\"\"\n"), 0);
        assert_eq!(complaints("a.py", "import os\n"), 1);
    }

    #[test]
    fn a_lint_is_switched_off_only_with_a_reason() {
        assert_eq!(complaints("a.rs", "//! D.\n#[expect(dead_code, reason = \"soon\")]\nfn f() {}\n"), 0);
        assert_eq!(complaints("a.rs", "//! D.\n#[expect(dead_code)]\nfn f() {}\n"), 1);
        assert_eq!(complaints("a.py", "\"\"\"D.\"\"\"\nimport a  # noqa: F401\n"), 0);
        assert_eq!(complaints("a.py", concat!("\"\"\"D.\"\"\"\nimport a  # no", "qa\n")), 1);
    }
}
