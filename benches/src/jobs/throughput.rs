//! How many jobs a second go all the way: handed in, on disk, run, ended, on disk.
//!
//! Owns the many who hand in. Must not know what a disk can do alone.

use super::disk::Disk;
use super::host::{Ground, Host, NOOP, next_end, runtime, submit, tool};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use crate::served::Served;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const PER_SECOND_MIN: f64 = 2000.0;
/// Callers, each with its next job as soon as the last one is acknowledged.
const SUBMITTERS: u32 = 256;
/// The same over HTTP, each on a connection of its own.
const CONNECTIONS: u32 = 64;
/// Between two looks at how many are done.
const LOOK: Duration = Duration::from_millis(10);

/// What was found.
pub(super) struct Rates {
    /// Jobs of one round.
    count: u32,
    /// What one job takes.
    engine: Duration,
    http: Duration,
    acknowledged: Samples,
}

/// Through the engine, and over HTTP.
pub(super) fn measure(effort: Effort, disk: &mut Disk) -> Result<Rates> {
    let count = effort.times(10_000) / SUBMITTERS * SUBMITTERS;
    let (engine, acknowledged) = in_process(count, disk)?;
    let http = over_http(count / CONNECTIONS * CONNECTIONS, disk)?;
    Ok(Rates { count, engine, http, acknowledged })
}

impl Rates {
    /// Gives what one job takes through the engine.
    pub(super) fn tell(&self, fsync: Duration, report: &mut Report) -> Duration {
        let engine = format!("durable no-op jobs, engine, {SUBMITTERS} submitters");
        report.row(row(&engine, self.engine, fsync));
        report.row(row(&format!("durable no-op jobs, HTTP, {CONNECTIONS} connections"), self.http, fsync));
        report.note(format!(
            "jobs: {} in each round; with {SUBMITTERS} submitters a submission is acknowledged after {} (p50), {} (p99)",
            self.count,
            show(self.acknowledged.median()),
            show(self.acknowledged.p99())
        ));
        self.engine
    }
}

fn row(what: &str, per_job: Duration, fsync: Duration) -> Row {
    let rate = 1.0 / per_job.as_secs_f64();
    Row {
        what: format!("{what}: submit to completed"),
        bound: format!("≥ {PER_SECOND_MIN:.0} jobs/s"),
        floor: format!("{:.0}/s (fdatasync)", 1.0 / fsync.as_secs_f64()),
        measured: format!("{rate:.0} jobs/s"),
        ratio: Some(per_job.div_duration_f64(fsync)),
        met: Some(rate >= PER_SECOND_MIN),
    }
}

/// What one job takes in the best round, and how long acknowledgements took in it.
fn in_process(count: u32, disk: &mut Disk) -> Result<(Duration, Samples)> {
    let (runtime, ground) = (runtime()?, Ground::lay()?);
    let host = runtime.block_on(ground.start())?;
    // The first one only warms up.
    runtime.block_on(through_the_engine(&host, count))?;
    let (mut best, mut acknowledged) = (Duration::MAX, Samples::default());
    for _ in 0..ROUNDS {
        disk.round()?;
        let (per_job, samples) = runtime.block_on(through_the_engine(&host, count))?;
        if per_job < best {
            (best, acknowledged) = (per_job, samples);
        }
    }
    runtime.block_on(host.stop())?;
    Ok((best, acknowledged))
}

async fn through_the_engine(host: &Host, count: u32) -> Result<(Duration, Samples)> {
    let mut events = host.jobs.follow(host.jobs.last_event(), Vec::new());
    let begun = Instant::now();
    let mut submitters: JoinSet<Result<Vec<Duration>>> = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let jobs = host.jobs.clone();
        submitters.spawn(async move {
            let mut samples = Vec::new();
            for _ in 0..count / SUBMITTERS {
                let asked = Instant::now();
                submit(&jobs, tool(NOOP, "nothing")?).await?;
                samples.push(asked.elapsed());
            }
            Ok(samples)
        });
    }
    for _ in 0..count {
        next_end(&mut events).await?;
    }
    let per_job = begun.elapsed() / count;
    let mut samples = Vec::new();
    while let Some(ended) = submitters.join_next().await {
        samples.extend(ended??);
    }
    Ok((per_job, samples.into_iter().collect()))
}

fn over_http(count: u32, disk: &mut Disk) -> Result<Duration> {
    let runtime = runtime()?;
    let served = Served::start(&[(NOOP.to_owned(), "benches/plugins/noop")])?;
    runtime.block_on(served.settled())?;
    runtime.block_on(through_the_doors(&served, count))?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        disk.round()?;
        rounds.keep([runtime.block_on(through_the_doors(&served, count))?].into_iter().collect());
    }
    Ok(rounds.best().median())
}

async fn through_the_doors(served: &Served, count: u32) -> Result<Duration> {
    let target = completed(served).await? + u64::from(count);
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut client = served.connect().await?;
        connections.spawn(async move {
            for _ in 0..count / CONNECTIONS {
                let body = "{\"plugin_id\": \"noop\", \"tool_name\": \"nothing\", \"args\": {}}";
                let (status, answer) = client.post("/v1/jobs", body).await?;
                let answer = String::from_utf8_lossy(&answer);
                ensure!(status == 202, "a job was answered with {status}: {answer}");
            }
            Ok(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    while completed(served).await? < target {
        tokio::time::sleep(LOOK).await;
    }
    Ok(begun.elapsed() / count)
}

/// How many jobs are done.
async fn completed(served: &Served) -> Result<u64> {
    let (_, body) = served.connect().await?.get("/v1/jobs?status=completed&limit=1").await?;
    let page: Value = serde_json::from_slice(&body)?;
    page.get("count").and_then(Value::as_u64).context("a page without a count")
}
