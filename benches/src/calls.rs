//! Promises 1 and 2: a warm call is quick, and many calls at once are many a second.

use crate::floor::PingPong;
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS_OF_CALLS, Rounds, Samples};
use crate::stage::{Flavour, Plugin, Stage, Start, call, echo};
use anyhow::Result;
use hardpoint_supervisor::{CallRequest, Worker};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TEXT_BYTES: usize = 1024;
const SMALL_TEXT_BYTES: usize = 16;
const IN_FLIGHT: u32 = 64;
const P50_MAX: Duration = Duration::from_micros(150);
const PER_CALL_MAX: Duration = Duration::from_micros(40);

/// Host API, worker, host API, one call after the other.
pub(crate) fn one_at_a_time(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(2000);
    let mut floor = Rounds::default();
    let mut ours = Flavour::ALL.map(|flavour| (flavour, Rounds::default()));
    for _ in 0..ROUNDS_OF_CALLS {
        let mut bare = PingPong::start(stage)?;
        bare.round_trips(TEXT_BYTES, count / 10)?;
        floor.keep(bare.round_trips(TEXT_BYTES, count)?);
        for (flavour, rounds) in &mut ours {
            rounds.keep(flavour.run(warm_calls(stage.start(Plugin::Well), echo(TEXT_BYTES), count))?);
        }
    }
    let floor_p50 = floor.best().median();
    report.note(format!("bare ping-pong: p50 {}, p99 {}", show(floor_p50), show(floor.best().p99())));
    for (flavour, rounds) in &ours {
        let (p50, p99) = (rounds.best().median(), rounds.best().p99());
        report.row(Row {
            what: format!("warm call, 1 KB, {}: p50", flavour.name()),
            bound: format!("≤ 1.5 × JSON ping-pong, < {}", show(P50_MAX)),
            floor: show(floor_p50),
            measured: show(p50),
            ratio: Some(p50.div_duration_f64(floor_p50)),
            met: Some(p50 <= floor_p50.mul_f64(1.5) && p50 < P50_MAX),
        });
        report.row(Row {
            what: format!("warm call, 1 KB, {}: p99", flavour.name()),
            bound: "≤ 5 × its p50".to_owned(),
            floor: show(p50),
            measured: show(p99),
            ratio: Some(p99.div_duration_f64(p50)),
            met: Some(p99 <= p50 * 5),
        });
    }
    Ok(())
}

/// The times of one call after the other, once the worker is warm.
pub(crate) async fn warm_calls(start: Start, request: CallRequest, count: u32) -> Result<Samples> {
    let worker = start.worker().await?;
    for _ in 0..count / 10 {
        call(&worker, request.clone()).await?;
    }
    let mut samples = Samples::default();
    for _ in 0..count {
        let request = request.clone();
        let started = Instant::now();
        call(&worker, request).await?;
        samples.push(started.elapsed());
    }
    worker.kill().await;
    Ok(samples)
}

/// 64 callers of one worker, each with its next call as soon as the last is answered.
pub(crate) fn many_in_flight(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(400) * IN_FLIGHT;
    let mut floor = Rounds::default();
    let mut ours = Flavour::ALL.map(|flavour| (flavour, Rounds::default()));
    for _ in 0..ROUNDS_OF_CALLS {
        let mut bare = PingPong::start(stage)?;
        bare.pipelined(SMALL_TEXT_BYTES, count / 10, IN_FLIGHT)?;
        floor.keep([bare.pipelined(SMALL_TEXT_BYTES, count, IN_FLIGHT)? / count].into_iter().collect());
        for (flavour, rounds) in &mut ours {
            let took = flavour.run(flight(stage.start(Plugin::Well), count))?;
            rounds.keep([took / count].into_iter().collect());
        }
    }
    let floor = floor.best().median();
    for (flavour, rounds) in &ours {
        let per_call = rounds.best().median();
        report.row(Row {
            what: format!("64 calls in flight, {}", flavour.name()),
            bound: format!("≥ {} calls/s", rate(PER_CALL_MAX)),
            floor: format!("{} calls/s (JSON pipelined)", rate(floor)),
            measured: format!("{} calls/s", rate(per_call)),
            ratio: Some(per_call.div_duration_f64(floor)),
            met: Some(per_call <= PER_CALL_MAX),
        });
    }
    Ok(())
}

async fn flight(start: Start, count: u32) -> Result<Duration> {
    let worker = start.worker().await?;
    callers(&worker, count / 10).await?;
    let started = Instant::now();
    callers(&worker, count).await?;
    let took = started.elapsed();
    worker.kill().await;
    Ok(took)
}

async fn callers(worker: &Worker, count: u32) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let worker = worker.clone();
        let request = echo(SMALL_TEXT_BYTES);
        tasks.spawn(async move {
            for _ in 0..count / IN_FLIGHT {
                call(&worker, request.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn rate(per_call: Duration) -> String {
    format!("{:.0}", 1.0 / per_call.as_secs_f64())
}
