//! Which plugins of other hosts an environment holds, asked of its own Python.
//!
//! Owns the question; the answer is for those who know the dialects. To list them runs no code of theirs, to describe one
//! does.

use super::ask::{MARK, Question, Silence, ask, environment};
use super::limits::{DESCRIBED_LIMIT, INSTALLED_LIMIT};
use hardpoint_process::Launcher;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The plugins there are: `{"plugins": [...]}`.
pub(crate) async fn installed(python: &Path, script: &Path, launcher: &Launcher) -> Result<Value, Silence> {
    run(python, script, None, INSTALLED_LIMIT, launcher).await
}

/// One of them, which has no entry point: `{"manifest": {...}, "warnings": [...]}`, or `{"error": ...}`.
pub(crate) async fn described(
    python: &Path,
    script: &Path,
    distribution: &str,
    launcher: &Launcher,
) -> Result<Value, Silence> {
    run(python, script, Some(distribution), DESCRIBED_LIMIT, launcher).await
}

async fn run(
    python: &Path,
    script: &Path,
    distribution: Option<&str>,
    limit: Duration,
    launcher: &Launcher,
) -> Result<Value, Silence> {
    let mut args = vec!["-I".to_owned(), script.to_string_lossy().into_owned(), format!("--mark={MARK}")];
    args.extend(distribution.map(str::to_owned));
    let question = Question {
        title: "plugins of an environment (probe)".to_owned(),
        program: python.to_owned(),
        args,
        env: environment(python, &BTreeMap::new()),
        cwd: std::env::temp_dir(),
        limit,
    };
    ask(question, launcher).await?.answer()
}
