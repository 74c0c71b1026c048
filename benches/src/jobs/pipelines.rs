//! Promise 11: a stage more costs a job little, and so does what it passes on.
//!
//! Owns the pipelines that are measured. Each stage is durable: its beginning and its end are on disk before the next
//! one is called. So a stage stands next to what the disk does alone.

use super::disk::Disk;
use super::host::{Ground, Host, NOOP, next_end, runtime};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use crate::stage::Stage;
use anyhow::Result;
use hardpoint_engine::jobs::{Document, Work};
use hardpoint_model::pipeline::{self, Pipeline};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STAGES: u32 = 3;
const OVERHEAD_MAX: Duration = Duration::from_millis(2);
const MB: usize = 1_000_000;
const PASSED_MB: usize = 10;
const PASSED_MAX: Duration = Duration::from_millis(20);
const WARM_UP: u32 = 20;

pub(crate) fn measure(_stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let (runtime, ground, mut disk) = (runtime()?, Ground::lay()?, Disk::open()?);
    let host = runtime.block_on(ground.start())?;
    let empty = |count: u32| vec![step("empty", &json!({})); count as usize];
    let passing = |bytes: usize| vec![step("hold", &json!({"bytes": bytes})), step("weigh", &json!({}))];
    let rounds = |first, second, count| runtime.block_on(in_turns(&host, [first, second], count));
    let [mut one, mut three, mut small, mut large] = [(); 4].map(|()| Rounds::default());
    rounds(empty(1), empty(STAGES), WARM_UP)?;
    rounds(passing(10), passing(PASSED_MB * MB), WARM_UP / 10)?;
    for _ in 0..ROUNDS {
        disk.round()?;
        let [shorter, longer] = rounds(empty(1), empty(STAGES), effort.times(200))?;
        one.keep(shorter);
        three.keep(longer);
        let [lighter, heavier] = rounds(passing(10), passing(PASSED_MB * MB), effort.times(20))?;
        small.keep(lighter);
        large.keep(heavier);
    }
    runtime.block_on(host.stop())?;
    let fsync = disk.tell(report);
    let (one, three) = (one.best(), three.best());
    let each = three.median().saturating_sub(one.median()) / (STAGES - 1);
    report.row(Row {
        what: format!("pipeline of {STAGES} no-op stages: each stage beyond the first: p50"),
        bound: format!("< {}", show(OVERHEAD_MAX)),
        floor: format!("{} (fdatasync)", show(fsync)),
        measured: show(each),
        ratio: Some(each.div_duration_f64(fsync)),
        met: Some(each < OVERHEAD_MAX),
    });
    let (small, large) = (small.best().median(), large.best().median());
    let more = large.saturating_sub(small);
    report.row(Row {
        what: format!("{PASSED_MB} MB from one stage to the next: added to that of 10 bytes: p50"),
        bound: format!("< {}", show(PASSED_MAX)),
        floor: format!("{} (10 bytes)", show(small)),
        measured: show(more),
        ratio: None,
        met: Some(more < PASSED_MAX),
    });
    report.note(format!(
        "pipelines: submit to completed with one no-op stage {} (p50), {} (p99), with {STAGES} {}, {}",
        show(one.median()),
        show(one.p99()),
        show(three.median()),
        show(three.p99()),
    ));
    Ok(())
}

fn step(tool: &str, config: &Value) -> Value {
    json!({"plugin": NOOP, "tool": tool, "config": config})
}

/// Two pipelines, one after the other, turn by turn, so that a busy machine weighs on both.
async fn in_turns(host: &Host, pipelines: [Vec<Value>; 2], count: u32) -> Result<[Samples; 2]> {
    let mut events = host.jobs.follow(host.jobs.last_event(), Vec::new());
    let mut times = [Samples::default(), Samples::default()];
    for _ in 0..count {
        for (stages, times) in pipelines.iter().zip(&mut times) {
            let stages: Vec<pipeline::Stage> = serde_json::from_value(Value::Array(stages.clone()))?;
            let work = Work::Pipeline { definition: Pipeline::of_stages(stages), input: Document::new() };
            let begun = Instant::now();
            let job = host.submit(work).await?;
            while next_end(&mut events).await? != job {}
            times.push(begun.elapsed());
        }
    }
    Ok(times)
}
