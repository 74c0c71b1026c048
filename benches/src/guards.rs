//! Promise 7: deadline and memory watch cost a call next to nothing.
//!
//! The API has no way to switch them off, so their parts are measured by themselves: one measurement of a
//! tree's memory, and one timer made, waited on and dropped. A call that comes after a pause pays for
//! exactly one measurement; in a busy worker there is one every 50 ms, whatever the number of calls.

use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use crate::stage::{Flavour, Stage};
use anyhow::Result;
use hardpoint_process::{LaunchSpec, Launcher, MemoryMode};
use std::time::{Duration, Instant};

const GUARDS_MAX: Duration = Duration::from_micros(100);
const TIMERS: u32 = 1000;

pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(500);
    let sampler = stage.launcher_without_groups()?;
    let (mut memory, mut by_sampler, mut timer) = (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let sleeping = || stage.bare_tree("import time; time.sleep(60)");
        memory.keep(Flavour::MultiThread.run(measurements(stage.launcher.clone(), sleeping(), count))?);
        by_sampler.keep(Flavour::MultiThread.run(measurements(sampler.clone(), sleeping(), count))?);
        timer.keep(Flavour::MultiThread.run(timers(count / 10))?);
    }
    let [memory, by_sampler, timer] = [&memory, &by_sampler, &timer].map(|rounds| rounds.best().median());
    let mode = match stage.launcher.memory_mode() {
        MemoryMode::CgroupV2(_) => "control group, version 2",
        MemoryMode::CgroupV1(_) => "control group, version 1",
        MemoryMode::Sampler => "sampler",
    };
    report.note(format!(
        "guards: one timer {}, one measurement {} ({mode}) or {} (sampler); derived from these parts, because \
         the API cannot switch the guards off. The worst case is a call after a pause: one of each, and a \
         second timer when the answer comes. A busy worker is measured once per 50 ms whatever the number of calls",
        show(timer),
        show(memory),
        show(by_sampler),
    ));
    for (what, measured) in [(mode, memory), ("sampler", by_sampler)] {
        let cost = measured + timer * 2;
        report.row(Row {
            what: format!("deadline and memory watch per call, at worst ({what})"),
            bound: format!("< {}", show(GUARDS_MAX)),
            floor: "none".to_owned(),
            measured: show(cost),
            ratio: None,
            met: Some(cost < GUARDS_MAX),
        });
    }
    Ok(())
}

async fn measurements(launcher: Launcher, spec: LaunchSpec, count: u32) -> Result<Samples> {
    let mut tree = launcher.launch(spec).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut samples = Samples::default();
    for _ in 0..count {
        let started = Instant::now();
        std::hint::black_box(tree.memory().sample());
        samples.push(started.elapsed());
    }
    tree.end().await;
    Ok(samples)
}

/// A timer that is made and polled once, as in each turn of a worker's loop.
async fn timers(count: u32) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..count {
        let started = Instant::now();
        for _ in 0..TIMERS {
            tokio::select! { biased;
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
                () = std::future::ready(()) => {}
            }
        }
        samples.push(started.elapsed() / TIMERS);
    }
    Ok(samples)
}
