//! Findings as a table: what is well, what is not, and what to do about it.
//!
//! Owns the printing. The findings are somebody else's.

use super::terminal;
use crate::embedded::Failure;
use hardpoint_engine::probe::doctor::{Finding, Level};
use owo_colors::OwoColorize as _;

/// One line for each finding, its remedy below it, and the sum.
pub(super) fn lines(findings: &[Finding]) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { name, level, what, remedy, .. } in findings {
        // Padded before it is coloured, because colours count as characters.
        let word = match level {
            Level::Ok => format!("{:<7}", "ok").green().to_string(),
            Level::Warning => format!("{:<7}", "warning").yellow().to_string(),
            Level::Problem => format!("{:<7}", "problem").red().to_string(),
        };
        lines.push(format!("{word}  {name:<width$}  {what}"));
        lines.extend(
            remedy.iter().map(|remedy| format!("{:7}  {:width$}  {} {remedy}", "", "", "hint:".cyan())),
        );
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    lines.push(format!("\n{}, {}", counted(problems, "problem"), counted(warnings, "warning")));
    lines
}

/// The same on stdout.
pub(super) fn tell(findings: &[Finding]) -> Result<(), Failure> {
    lines(findings).into_iter().try_for_each(terminal::print)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
