//! A hundred thousand jobs that wait cost those that do not have to wait next to nothing.
//!
//! Owns the crowd: jobs of a plugin whose only place is taken, put into the database before the host starts.

use super::host::{Ground, PARKED, runtime};
use super::latency::{Best, Times, one_at_a_time};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS};
use anyhow::{Context as _, Result};
use hardpoint_model::job::{EventKind, NewEvent, NewJob};
use hardpoint_store::{Op, Store};
use serde_json::Map;
use std::path::Path;
use std::time::{Duration, Instant};

const CROWD: usize = 100_000;
/// Jobs of one commit.
const AT_ONCE: usize = 500;
const RATIO_MAX: f64 = 2.0;

/// What was found.
#[derive(Default)]
pub(super) struct Crowd {
    none: Best,
    many: Best,
    /// How long a host takes to begin beside many.
    start: Duration,
}

pub(super) fn measure(effort: Effort) -> Result<Crowd> {
    let count = effort.times(100);
    let runtime = runtime()?;
    let (empty, full) = (runtime.block_on(ground(0))?, runtime.block_on(ground(CROWD))?);
    let mut crowd = Crowd { start: Duration::MAX, ..Crowd::default() };
    // One host after the other: what one of them does while it waits must not cost the other anything.
    for _ in 0..ROUNDS {
        crowd.none.keep(runtime.block_on(round(&empty, count))?.0);
        let (times, took) = runtime.block_on(round(&full, count))?;
        crowd.many.keep(times);
        crowd.start = crowd.start.min(took);
    }
    Ok(crowd)
}

impl Crowd {
    pub(super) fn tell(&self, report: &mut Report) {
        let Self { none, many, start } = self;
        for (what, none, many) in [
            ("acknowledged", &none.acknowledged, &many.acknowledged),
            ("begun", &none.begun, &many.begun),
            ("completed", &none.over, &many.over),
        ] {
            let (none, many) = (none.best().median(), many.best().median());
            let ratio = many.div_duration_f64(none);
            report.row(Row {
                what: format!("job beside {CROWD} that wait: submit to {what}: p50"),
                bound: format!("≤ {RATIO_MAX} × an empty queue"),
                floor: format!("{} (empty queue)", show(none)),
                measured: show(many),
                ratio: Some(ratio),
                met: Some(ratio <= RATIO_MAX),
            });
        }
        report.note(format!("jobs: a host begins with {CROWD} that wait within {}", show(*start)));
    }
}

/// A host to be, with its environments made and a crowd that waits for a place which one more job has.
async fn ground(crowd: usize) -> Result<Ground> {
    let ground = Ground::lay()?;
    ground.start().await?.stop().await?;
    fill(&ground.data(), crowd + 1).await?;
    Ok(ground)
}

/// Times beside a crowd, and how long the host took to begin.
async fn round(ground: &Ground, count: u32) -> Result<(Times, Duration)> {
    let begun = Instant::now();
    let host = ground.start().await?;
    let took = begun.elapsed();
    one_at_a_time(&host, count / 10 + 1).await?;
    let times = one_at_a_time(&host, count).await?;
    host.stop().await?;
    Ok((times, took))
}

async fn fill(data: &Path, crowd: usize) -> Result<()> {
    let store = Store::open(data)?;
    let mut left = crowd;
    while left > 0 {
        let some = left.min(AT_ONCE);
        let ops = (0..some).map(|_| waiting()).collect::<Result<Vec<_>>>()?;
        store.commit(0, ops.into_iter().flatten().collect()).await.context("the crowd")?;
        left -= some;
    }
    Ok(())
}

/// A job that waits, as a host would have written it.
fn waiting() -> Result<[Op; 2]> {
    let new = NewJob::of_tool(PARKED.parse()?, "park".to_owned(), Map::new());
    let event = NewEvent {
        job_id: new.job.job_id,
        plugin_instance_id: PARKED.to_owned(),
        stage: 0,
        timestamp: new.job.submitted_at,
        kind: EventKind::StateTransition { from: None, to: new.job.status },
    };
    Ok([Op::Submit(Box::new(new)), Op::Event(Box::new(event))])
}
