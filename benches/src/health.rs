//! Promise 9: health is read in no time, however badly the plugins behave.

use crate::report::{Report, Row, show};
use crate::samples::{Effort, Samples};
use crate::served::Served;
use crate::stage::Stage;
use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const P99_MAX: Duration = Duration::from_millis(10);
const READS_PER_SECOND: u32 = 2000;
const READERS: u32 = 8;
const LOADS_PER_SECOND: u32 = 20;
const WEDGED: usize = 10;

/// 2,000 health reads a second: first of an idle server; then with every worker stopped in its tracks while
/// plugins that fail at import are started again 20 times a second.
pub(crate) fn measure(_stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let mut plugins: Vec<(String, &str)> =
        (0..WEDGED).map(|n| (format!("well-{n}"), "tests/plugins/well")).collect();
    plugins.extend((0..4).map(|n| (format!("broken-{n}"), "tests/plugins/import_error")));
    let served = Arc::new(Served::start(&plugins)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seconds = effort.times(5).max(2);
    runtime.block_on(async {
        let settled = served.settled().await?;
        let idle = reads(&served, seconds).await?;
        let pids: Vec<Pid> = settled.iter().filter_map(pid).collect();
        ensure!(pids.len() == WEDGED, "{} workers instead of {WEDGED}", pids.len());
        pids.iter().try_for_each(|pid| kill_process(*pid, Signal::STOP))?;
        let (going, loads) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let loader = tokio::spawn(load(Arc::clone(&served), Arc::clone(&going), Arc::clone(&loads)));
        let fire = reads(&served, seconds).await;
        going.store(false, Ordering::Relaxed);
        loader.await??;
        pids.iter().try_for_each(|pid| kill_process(*pid, Signal::CONT))?;
        let fire = fire?;
        let rate = loads.load(Ordering::Relaxed) / u64::from(seconds);
        report.row(Row {
            what: format!("health at {READS_PER_SECOND} reads/s under fire: p99"),
            bound: format!("< {}", show(P99_MAX)),
            floor: format!("{} (idle server)", show(idle.p99())),
            measured: show(fire.p99()),
            ratio: Some(fire.p99().div_duration_f64(idle.p99())),
            met: Some(fire.p99() < P99_MAX),
        });
        report.note(format!(
            "health: {} reads idle (p50 {}) and {} under fire (p50 {}), {WEDGED} workers stopped, {rate} loads and \
             failures a second",
            idle.len(),
            show(idle.median()),
            fire.len(),
            show(fire.median()),
        ));
        Ok(())
    })
}

fn pid(plugin: &Value) -> Option<Pid> {
    Pid::from_raw(i32::try_from(plugin["pid"].as_i64()?).ok()?)
}

/// Paced: a slow answer is not followed by fewer questions.
async fn reads(served: &Arc<Served>, seconds: u32) -> Result<Samples> {
    let mut readers = Vec::new();
    for reader in 0..READERS {
        let mut client = served.connect().await?;
        readers.push(tokio::spawn(async move {
            let mut samples = Samples::default();
            let gap = Duration::from_secs(1) * READERS / READS_PER_SECOND;
            let begun = Instant::now() + gap * reader / READERS;
            for number in 0..READS_PER_SECOND / READERS * seconds {
                let due = begun + gap * number;
                // Behind its time it counts from when it was due: a slow answer hides nobody who waits behind it.
                let asked = if Instant::now() > due {
                    due
                } else {
                    tokio::time::sleep_until(due.into()).await;
                    Instant::now()
                };
                let path = format!("/v1/plugins/well-{}/health", number as usize % WEDGED);
                let (status, body) = client.get(&path).await?;
                samples.push(asked.elapsed());
                ensure!(status == 200 && !body.is_empty(), "health answers {status}");
            }
            Ok(samples)
        }));
    }
    let mut all = Vec::new();
    for reader in readers {
        all.extend(reader.await??.into_times());
    }
    Ok(all.into_iter().collect())
}

async fn load(served: Arc<Served>, going: Arc<AtomicBool>, loads: Arc<AtomicU64>) -> Result<()> {
    let mut client = served.connect().await.context("no connection for loads")?;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / LOADS_PER_SECOND);
    let mut number = 0_u32;
    while going.load(Ordering::Relaxed) {
        tick.tick().await;
        let path = format!("/v1/plugins/broken-{}/restart?wait_seconds=1", number % 4);
        let (status, _) = client.post(&path, "").await?;
        ensure!(status < 300, "a restart answers {status}");
        loads.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
    Ok(())
}
