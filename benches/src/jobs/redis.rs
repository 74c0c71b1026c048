//! The same work on RQ, on a Redis of this machine: what people would use otherwise.
//!
//! Owns a Redis server for the time of the measurement, and the environment of RQ below `target/`. Whatever is not
//! there is told with the way to get it; nothing outside `target/` is changed.

use super::disk;
use crate::report::{Report, Row};
use crate::samples::{Effort, ROUNDS};
use crate::stage::{Stage, root};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A Redis answers within this.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// Workers at the same time: as many as the machine has cores, and the client needs some of that, too.
const WORKERS: &str = "2";
/// Clients at the same time: more are slower, as they share an interpreter.
const SUBMITTERS: &str = "8";

/// A name, options of Redis, options of the script.
type Kind = (&'static str, &'static [&'static str], &'static [&'static str]);

/// How careful Redis is, and how RQ's workers run jobs.
const KINDS: [Kind; 3] = [
    (
        "appendfsync always, workers that do not fork",
        &["--appendonly", "yes", "--appendfsync", "always"],
        &[],
    ),
    ("Redis as it comes (not durable), workers that do not fork", &[], &[]),
    (
        "appendfsync always, workers as they come",
        &["--appendonly", "yes", "--appendfsync", "always"],
        &["--fork"],
    ),
];

/// What was found of each kind, or why not.
pub(super) struct Rq {
    versions: Option<String>,
    found: Vec<(&'static str, Result<Value, String>)>,
}

pub(super) fn measure(stage: &Stage, effort: Effort) -> Result<Rq> {
    let (redis, python) = match needs(stage) {
        Ok(found) => found,
        Err(reason) => {
            let skipped = |(kind, ..): Kind| (kind, Err(format!("skipped: {reason:#}")));
            return Ok(Rq { versions: None, found: KINDS.into_iter().map(skipped).collect() });
        }
    };
    let found = KINDS.into_iter().map(|(kind, careful, fork)| {
        (kind, best(&redis, &python, careful, fork, effort).map_err(|error| format!("failed: {error:#}")))
    });
    let found = found.collect();
    Ok(Rq { versions: Some(versions(&redis, &python)?), found })
}

impl Rq {
    /// `ours` is what one of our jobs takes through the engine.
    pub(super) fn tell(&self, ours: Duration, report: &mut Report) {
        if let Some(versions) = &self.versions {
            report.note(format!("compared with {versions}, {WORKERS} workers, {SUBMITTERS} submitters"));
        }
        for (kind, found) in &self.found {
            report.row(row(kind, ours, found));
            if let Ok(found) = found {
                let ms = |name: &str| found.get(name).and_then(Value::as_f64).unwrap_or_default();
                report.note(format!(
                    "RQ, {kind}, one at a time: acknowledged after {:.2} ms, begun after {:.2} ms, completed after {:.2} ms (p50)",
                    ms("acknowledged_ms"),
                    ms("started_ms"),
                    ms("finished_ms")
                ));
            }
        }
    }
}

/// The round with the most jobs a second, each on a Redis of its own.
fn best(redis: &Path, python: &Path, careful: &[&str], fork: &[&str], effort: Effort) -> Result<Value> {
    let mut best = Value::Null;
    let rate = |found: &Value| found.get("jobs_per_second").and_then(Value::as_f64).unwrap_or_default();
    for _ in 0..ROUNDS {
        let found = Redis::start(redis, careful)?.measure(python, fork, effort)?;
        if rate(&found) > rate(&best) {
            best = found;
        }
    }
    Ok(best)
}

/// The time of a job beside ours: above 1, ours is quicker.
fn row(kind: &str, ours: Duration, found: &Result<Value, String>) -> Row {
    let rate = found.as_ref().ok().and_then(|found| found.get("jobs_per_second")?.as_f64());
    Row {
        what: format!("no-op jobs on RQ, {kind}"),
        bound: "none: for comparison".to_owned(),
        floor: format!("{:.0} jobs/s (ours, through the engine)", 1.0 / ours.as_secs_f64()),
        measured: match (rate, found) {
            (Some(rate), _) => format!("{rate:.0} jobs/s"),
            (None, Ok(odd)) => format!("failed: it said {odd}"),
            (None, Err(reason)) => reason.clone(),
        },
        ratio: rate.map(|rate| 1.0 / (rate * ours.as_secs_f64())),
        met: None,
    }
}

/// The Redis on `PATH`, and an interpreter that knows RQ.
fn needs(stage: &Stage) -> Result<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let redis =
        std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file());
    let redis =
        redis.context("there is no `redis-server` on PATH; `apt-get install redis-server` brings it")?;
    let python = root().join("target/bench-rq/bin/python");
    let wanted = root().join("benches/rq-requirements.txt");
    let done = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let there = done(Command::new(&python).args(["-c", "import rq"]).stderr(Stdio::null()));
    let made = there
        || done(stage.bare_python().args(["-m", "venv"]).arg(root().join("target/bench-rq")))
            && done(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted));
    ensure!(
        made,
        "RQ cannot be installed; `{} -m pip install -r {}` says why",
        shown(&python),
        shown(&wanted)
    );
    Ok((redis, python))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn versions(redis: &Path, python: &Path) -> Result<String> {
    let redis = Command::new(redis).arg("--version").output()?.stdout;
    let redis = String::from_utf8_lossy(&redis);
    let redis = redis.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("?").to_owned();
    let rq = Command::new(python).args(["-c", "import rq; print(rq.VERSION)"]).output()?.stdout;
    Ok(format!("RQ {} on Redis {redis}", String::from_utf8_lossy(&rq).trim()))
}

/// A Redis that lives as long as this.
struct Redis {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    fn start(program: &Path, careful: &[&str]) -> Result<Self> {
        let folder = disk::folder()?;
        // A port that is free now; whoever takes it meanwhile makes the start fail, and that is told.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(folder.path());
        command.args(careful).stdin(Stdio::null()).stdout(File::create(folder.path().join("log"))?);
        let mut redis = Self { child: command.spawn()?, port, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = redis.child.try_wait()? {
                bail!("redis-server ended with {status}");
            }
            ensure!(begun.elapsed() < UP_WITHIN, "redis-server did not listen within {UP_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }

    fn measure(&self, python: &Path, fork: &[&str], effort: Effort) -> Result<Value> {
        let jobs = effort.times(if fork.is_empty() { 1000 } else { 200 }).to_string();
        let mut command = Command::new(python);
        command.arg(root().join("benches/rq_jobs.py")).args([
            "--port",
            &self.port.to_string(),
            "--jobs",
            &jobs,
        ]);
        command.args(["--workers", WORKERS, "--submitters", SUBMITTERS]).args(fork);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "benches/rq_jobs.py ended with {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
