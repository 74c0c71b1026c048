//! Rounds of: start a worker, call it, end it, in one host that goes on.
//!
//! Owns the verdict: after each round no process is left, and after all of them the host has neither
//! more descriptors nor much more memory than after the first few.

use crate::load::{Load, request};
use crate::orphans;
use anyhow::{Result, ensure};
use hardpoint_process::{Process, tree_of};
use hardpoint_testkit::{Leftovers, Watched, left_by_host};
use serde_json::json;
use std::time::{Duration, Instant};

/// Rounds before the first measurement: caches, pools and the allocator have their size by then.
const WARM_UP: u32 = 10;
/// Growth of resident memory over a whole run. A worker's captured output alone may be 256 KiB, so a
/// leak of one of them in each of 1,000 rounds would be sixteen times this.
const RSS_GROWTH_BYTES_MAX: u64 = 16 << 20;
/// Grace of an orderly stop.
const GRACE: Duration = Duration::from_secs(5);
/// A line of progress this often.
const ROUNDS_PER_LINE: u32 = 100;

/// Rounds end in each of these ways in turn.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Stop,
    Kill,
    Drop,
}

const ENDINGS: [Ending; 3] = [Ending::Stop, Ending::Kill, Ending::Drop];

pub(crate) fn run(rounds: u32) -> Result<()> {
    orphans::adopt()?;
    let data = tempfile::Builder::new().prefix("hardpoint-chaos-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let load = Load::open(data.path())?;
    let own = std::process::id();
    let watched =
        Watched { data_dir: Some(data.path().to_owned()), descriptors_of: Some(own), ..Watched::default() };
    let (mut before, mut rss_before) = (Leftovers::take(watched.clone()), 0);
    let start = Instant::now();
    for (round, ending) in (0..rounds + WARM_UP).zip(ENDINGS.iter().cycle()) {
        if round == WARM_UP {
            before = Leftovers::take(watched.clone());
            rss_before = Process::own().resident_bytes();
        }
        runtime.block_on(one(&load, *ending))?;
        let processes = tree_of(Process::own());
        ensure!(
            processes.is_empty(),
            "round {round} ({ending:?}) left processes: {:#?}",
            orphans::survivors()
        );
        let left = left_by_host(own, data.path());
        ensure!(left.is_empty(), "round {round} ({ending:?}) left {left:#?}");
        if (round + 1) % ROUNDS_PER_LINE == 0 {
            println!("cycles: round {}, {:.1} s", round + 1, start.elapsed().as_secs_f64());
        }
    }
    let left: Vec<String> =
        before.check().into_iter().filter(|line| line.starts_with("descriptor")).collect();
    ensure!(left.is_empty(), "{rounds} rounds left {left:#?}");
    let growth = Process::own().resident_bytes().saturating_sub(rss_before);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "cycles: {rounds} rounds, no process, no descriptor left, {} KiB more memory, {seconds:.1} s",
        growth >> 10
    );
    ensure!(growth <= RSS_GROWTH_BYTES_MAX, "memory grew by {growth} bytes in {rounds} rounds");
    Ok(())
}

async fn one(load: &Load, ending: Ending) -> Result<()> {
    let worker = load.start("well").await?;
    let answer = worker.call(request("echo", json!({"text": "once more"}))).await;
    ensure!(matches!(answer, Ok(Ok(_))), "the call failed: {answer:?}");
    match ending {
        Ending::Stop => drop(worker.stop(GRACE).await),
        Ending::Kill => drop(worker.kill().await),
        Ending::Drop => {
            drop(worker);
            load.launcher.all_gone().await;
        }
    }
    Ok(())
}
