//! Owns how a mistake in a file is told: where, which field, what, and what to do.
//! Knows nothing of what the file is for.

use std::fmt;

use serde::Serialize;

use crate::limits::DIAGNOSTICS_MAX;

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as the user knows it.
    pub file: String,
    /// Line, counted from 1, where it is known.
    pub line: Option<u32>,
    /// Column, counted from 1 in characters, where it is known.
    pub column: Option<u32>,
    /// The field, dotted: `limits.memory_mb`. Empty for the file as a whole.
    pub field: String,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// The mistake in one line, without its hint.
    pub fn place_and_message(&self) -> String {
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        let field = if self.field.is_empty() { String::new() } else { format!(": {}", self.field) };
        format!("{}{line}{field}: {}", self.file, self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place_and_message())?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All mistakes of one file, in the order of their lines. Never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// The mistakes, at most `DIAGNOSTICS_MAX`.
    pub items: Vec<Diagnostic>,
    /// How many more there were.
    pub left_out: usize,
}

impl Diagnostics {
    /// Sorts by place, drops repetitions, and keeps what fits.
    pub fn new(mut items: Vec<Diagnostic>) -> Self {
        items.sort_by(|a, b| {
            (a.line.is_none(), a.line, a.column, &a.field).cmp(&(
                b.line.is_none(),
                b.line,
                b.column,
                &b.field,
            ))
        });
        items.dedup();
        let left_out = items.len().saturating_sub(DIAGNOSTICS_MAX);
        items.truncate(DIAGNOSTICS_MAX);
        Self { items, left_out }
    }

    /// One mistake about a file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(vec![Diagnostic {
            file: file.to_owned(),
            line: None,
            column: None,
            field: String::new(),
            message: message.into(),
            hint: Some(hint.into()),
        }])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{item}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: Option<u32>, field: &str) -> Diagnostic {
        Diagnostic {
            file: "hardpoint.toml".into(),
            line,
            column: Some(1),
            field: field.into(),
            message: "must be an integer, got string".into(),
            hint: Some("write it without quotes".into()),
        }
    }

    #[test]
    fn a_diagnostic_reads_like_a_compiler_message() {
        assert_eq!(
            at(Some(7), "limits.memory_mb").to_string(),
            "hardpoint.toml:7: limits.memory_mb: must be an integer, got string\nhint: write it without quotes"
        );
    }

    #[test]
    fn they_come_in_the_order_of_the_file_and_are_bounded() {
        let many = Diagnostics::new((0..60).rev().map(|line| at(Some(line), "x")).collect());
        assert_eq!(many.items.first().and_then(|item| item.line), Some(0));
        assert_eq!((many.items.len(), many.left_out), (DIAGNOSTICS_MAX, 10));
        assert!(many.to_string().ends_with("and 10 more"));
    }
}
