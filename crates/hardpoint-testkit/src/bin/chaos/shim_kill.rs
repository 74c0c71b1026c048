//! Rounds of: kill the shim of a worker whose descendants are detached from it.
//!
//! Owns the verdict: worker and descendants are gone, and the exit reason says what happened. This
//! process is no subreaper here: without their shim the descendants belong to nobody, as in real life.

use crate::load::{Load, request};
use anyhow::{Context as _, Result, bail, ensure};
use hardpoint_model::ExitReason;
use hardpoint_process::Process;
use hardpoint_testkit::{left_by_host, parent_of, soon};
use rustix::process::{Pid, Signal};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Descendants of the one call in flight.
const SPREAD: usize = 30;
/// Time for the descendants to be there.
const SPREAD_WITHIN: Duration = Duration::from_secs(10);
/// Time from the shim's death to the worker's known end.
const GONE_WITHIN: Duration = Duration::from_secs(5);

pub(crate) fn run(rounds: u32) -> Result<()> {
    let data = tempfile::Builder::new().prefix("hardpoint-chaos-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let took = runtime.block_on(one(data.path())).with_context(|| format!("shim-kill round {round}"))?;
        slowest = slowest.max(took);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "shim-kill: {rounds} kills, nothing left after at most {} ms, {seconds:.1} s",
        slowest.as_millis()
    );
    Ok(())
}

async fn one(data: &Path) -> Result<Duration> {
    let load = Load::open(data)?;
    let worker = load.start("fork_bomb").await?;
    let pid_file = data.join("pids");
    let _ = fs::remove_file(&pid_file);
    let args = json!({"count": SPREAD, "ending": "hang", "pid_file": pid_file.to_string_lossy()});
    let call = worker.begin(request("spread", args)).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let spread = tokio::task::spawn_blocking({
        let pid_file = pid_file.clone();
        move || soon(SPREAD_WITHIN, || pids(&pid_file).len() == SPREAD)
    });
    ensure!(spread.await?, "the descendants were not there within {SPREAD_WITHIN:?}");
    let shim = parent_of(worker.pid()).context("the worker is gone already")?;
    ensure!(parent_of(shim) == Some(std::process::id()), "the worker's parent is not a shim of ours");
    let pid = i32::try_from(shim).ok().and_then(Pid::from_raw).context("the shim has no number")?;
    rustix::process::kill_process(pid, Signal::KILL)?;
    let killed = Instant::now();
    let exit = tokio::time::timeout(GONE_WITHIN, worker.exited()).await;
    let exit = exit.with_context(|| format!("the worker's end was not known after {GONE_WITHIN:?}"))?;
    let took = killed.elapsed();
    drop(call);
    // Without any waiting: an end that is known is an end of everything.
    let mut left: Vec<String> = pids(&pid_file)
        .into_iter()
        .filter(|pid| Process(*pid).is_alive())
        .map(|pid| format!("process {pid}"))
        .collect();
    left.extend(left_by_host(std::process::id(), data));
    if exit.reason != ExitReason::ShimLost || !left.is_empty() {
        bail!("the exit reason is {:?}; left are {left:#?}", exit.reason);
    }
    Ok(took)
}

fn pids(file: &Path) -> Vec<u32> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
