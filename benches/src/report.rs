//! The report: one row per figure, and the file that keeps it.
//!
//! Owns benches/RESULTS.md. What a person wrote under its last heading stays when the rest is written anew.

use crate::samples::{Effort, ROUNDS, ROUNDS_OF_CALLS};
use crate::stage::{Stage, root};
use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

const HISTORY: &str = "## Before and after";
const HISTORY_INTRO: &str = "\nWritten by hand, one entry per optimisation, never changed afterwards.\n";

/// One figure.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) floor: String,
    pub(crate) measured: String,
    /// Measured to floor.
    pub(crate) ratio: Option<f64>,
    /// `None` when nothing is promised.
    pub(crate) met: Option<bool>,
}

/// All figures of one run.
pub(crate) struct Report {
    head: String,
    load_before: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn begin(stage: &Stage, effort: Effort) -> Result<Self> {
        let head = head(stage, effort)?;
        Ok(Self { head, load_before: load(), rows: Vec::new(), notes: Vec::new() })
    }

    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The rows as a Markdown table, and the notes.
    pub(crate) fn table(&self) -> String {
        let mut text = "| what | bound | floor | measured | measured / floor | met |\n".to_owned();
        text.push_str("|---|---|---|---|---|---|\n");
        for Row { what, bound, floor, measured, ratio, met } in &self.rows {
            let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let met = match met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "–",
            };
            let _ = writeln!(text, "| {what} | {bound} | {floor} | {measured} | {ratio} | {met} |");
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}.");
        }
        text
    }

    /// Writes the file anew, all but its history.
    pub(crate) fn write(&self) -> Result<()> {
        let path = root().join("benches/RESULTS.md");
        let before = fs::read_to_string(&path).unwrap_or_default();
        let history = before.find(HISTORY).and_then(|at| before.get(at..)).map(str::to_owned);
        let history = history.unwrap_or_else(|| format!("{HISTORY}\n{HISTORY_INTRO}"));
        let load = format!("- load average: {} before, {} after", self.load_before, load());
        let text = format!("{}\n{load}\n\n{}\n{}", self.head.trim_end(), self.table(), history);
        fs::write(&path, text)?;
        eprintln!("written: benches/RESULTS.md");
        Ok(())
    }
}

/// A time with three digits.
pub(crate) fn show(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    let (number, unit) = if us < 1000.0 { (us, "µs") } else { (us / 1000.0, "ms") };
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.digits$} {unit}")
}

fn head(stage: &Stage, effort: Effort) -> Result<String> {
    let command = match effort {
        Effort::Quick => "cargo xtask bench --quick",
        Effort::Full => "cargo xtask bench",
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let python = stage.bare_python().arg("--version").output()?.stdout;
    let python = String::from_utf8_lossy(&python).trim().to_owned();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    Ok(format!(
        "# Benchmark results\n\n\
         Written by `{command}`. Every figure stands next to a floor of the same run: the least that the\n\
         same work costs on this machine without Hardpoint. Floor and figure are measured turn by turn in\n\
         {ROUNDS} rounds (single calls: {ROUNDS_OF_CALLS}), and the round with the lowest median counts for each; deaths and\n\
         memory are measured once.\n\n\
         - date: {now}\n\
         - commit: {}\n\
         - machine: {cpu}, {cores} cores, {python}\n",
        commit()
    ))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let code = ["status", "--porcelain", "--", "crates", "python", "benches/src"];
    let changed = git(&code).is_some_and(|changes| !changes.is_empty());
    format!("{hash}{}", if changed { ", with changes that are not committed" } else { "" })
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_three_digits() {
        let check = |nanos, expected: &str| assert_eq!(show(Duration::from_nanos(nanos)), expected);
        check(42, "0.04 µs");
        check(5_432, "5.43 µs");
        check(54_321, "54.3 µs");
        check(654_321, "654 µs");
        check(7_654_321, "7.65 ms");
    }
}
