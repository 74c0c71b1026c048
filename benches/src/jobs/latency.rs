//! How long a job takes that meets an idle queue: until it is acknowledged, until its tool begins, until it is over.
//!
//! Owns the moments: the beginning is what the tool itself saw on the clock that all processes share.

use super::disk::Disk;
use super::host::{Ground, Host, NOOP, next_end, now_ns, runtime, submit, tool};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use anyhow::Result;
use hardpoint_model::job::JobId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

const BEGUN_MAX: Duration = Duration::from_millis(5);
/// A load that leaves an idle moment after each job.
const PER_SECOND: u32 = 100;
const LIGHT: &str = "100 a second";
const WARM_UP: u32 = 20;

/// From handing in to: acknowledged, begun, over.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) acknowledged: Samples,
    pub(super) begun: Samples,
    pub(super) over: Samples,
}

/// The rounds of these.
#[derive(Debug, Default)]
pub(super) struct Best {
    pub(super) acknowledged: Rounds,
    pub(super) begun: Rounds,
    pub(super) over: Rounds,
}

impl Best {
    pub(super) fn keep(&mut self, round: Times) {
        self.acknowledged.keep(round.acknowledged);
        self.begun.keep(round.begun);
        self.over.keep(round.over);
    }
}

/// What was found.
pub(super) struct Latencies {
    alone: Best,
    light: Best,
}

pub(super) fn measure(effort: Effort, disk: &mut Disk) -> Result<Latencies> {
    let (runtime, ground) = (runtime()?, Ground::lay()?);
    let host = runtime.block_on(ground.start())?;
    runtime.block_on(one_at_a_time(&host, WARM_UP))?;
    let (mut alone, mut light) = (Best::default(), Best::default());
    for _ in 0..ROUNDS {
        disk.round()?;
        alone.keep(runtime.block_on(one_at_a_time(&host, effort.times(300)))?);
        light.keep(runtime.block_on(paced(&host, effort.times(300)))?);
    }
    runtime.block_on(host.stop())?;
    Ok(Latencies { alone, light })
}

impl Latencies {
    pub(super) fn tell(&self, fsync: Duration, report: &mut Report) {
        for (how, best) in [("one at a time", &self.alone), (LIGHT, &self.light)] {
            for (what, rounds, max) in [
                ("acknowledged", &best.acknowledged, None),
                ("begun", &best.begun, Some(BEGUN_MAX)),
                ("completed", &best.over, None),
            ] {
                let (p50, p99) = (rounds.best().median(), rounds.best().p99());
                report.row(Row {
                    what: format!("job, {how}: submit to {what}: p50"),
                    bound: max.map_or_else(|| "none".to_owned(), |max| format!("< {}", show(max))),
                    floor: format!("{} (fdatasync)", show(fsync)),
                    measured: format!("{}, p99 {}", show(p50), show(p99)),
                    ratio: Some(p50.div_duration_f64(fsync)),
                    met: max.map(|max| p50 < max),
                });
            }
        }
    }
}

/// Each is handed in when the one before is over.
pub(super) async fn one_at_a_time(host: &Host, count: u32) -> Result<Times> {
    let mut events = host.jobs.follow(host.jobs.last_event(), Vec::new());
    let (mut asked, mut times) = (Vec::new(), Times::default());
    for _ in 0..count {
        let begun = now_ns();
        let job = host.submit(tool(NOOP, "now")?).await?;
        times.acknowledged.push(Duration::from_nanos(now_ns() - begun));
        while next_end(&mut events).await? != job {}
        times.over.push(Duration::from_nanos(now_ns() - begun));
        asked.push((job, begun));
    }
    for (job, at) in asked {
        times.begun.push(Duration::from_nanos(host.begun_ns(job).await?.saturating_sub(at)));
    }
    Ok(times)
}

/// So many a second, whatever becomes of those before.
async fn paced(host: &Host, count: u32) -> Result<Times> {
    let mut events = host.jobs.follow(host.jobs.last_event(), Vec::new());
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut submissions: JoinSet<Result<(JobId, u64, u64)>> = JoinSet::new();
    let ended = tokio::spawn(async move {
        let mut ended = HashMap::new();
        for _ in 0..count {
            let job = next_end(&mut events).await?;
            ended.insert(job, now_ns());
        }
        anyhow::Ok(ended)
    });
    for _ in 0..count {
        tick.tick().await;
        let jobs = host.jobs.clone();
        submissions.spawn(async move {
            let begun = now_ns();
            let job = submit(&jobs, tool(NOOP, "now")?).await?;
            Ok((job, begun, now_ns()))
        });
    }
    let (ended, mut times) = (ended.await??, Times::default());
    while let Some(submission) = submissions.join_next().await {
        let (job, asked, acknowledged) = submission??;
        let over = ended.get(&job).copied().unwrap_or_default();
        times.acknowledged.push(Duration::from_nanos(acknowledged - asked));
        times.begun.push(Duration::from_nanos(host.begun_ns(job).await?.saturating_sub(asked)));
        times.over.push(Duration::from_nanos(over.saturating_sub(asked)));
    }
    Ok(times)
}
