//! Promise 8: a tool over HTTP costs a few in-process calls.

use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS_OF_CALLS, Rounds, Samples};
use crate::served::{Client, Served};
use crate::stage::{Flavour, Plugin, Stage, call, echo};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Instant;

const TEXT_BYTES: usize = 1024;
const RATIO_MAX: f64 = 4.0;

/// `POST …/run` of a 1 KB echo on a kept connection, against the same call in the process.
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(2000);
    let served = Served::start(&[("well".to_owned(), "tests/plugins/well")])?;
    let (mut in_process, mut over_http) = (Rounds::default(), Rounds::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(served.settled())?;
    let mut client = runtime.block_on(served.connect())?;
    for _ in 0..ROUNDS_OF_CALLS {
        let start = stage.start(Plugin::Well);
        in_process.keep(Flavour::MultiThread.run(async move {
            let worker = start.worker().await?;
            let request = echo(TEXT_BYTES);
            let mut samples = Samples::default();
            for number in 0..count + count / 10 {
                let request = request.clone();
                let started = Instant::now();
                call(&worker, request).await?;
                if number >= count / 10 {
                    samples.push(started.elapsed());
                }
            }
            worker.kill().await;
            Ok(samples)
        })?);
        over_http.keep(runtime.block_on(requests(&mut client, count))?);
    }
    let (floor, p50) = (in_process.best().median(), over_http.best().median());
    let ratio = p50.div_duration_f64(floor);
    report.row(Row {
        what: "tool over HTTP, 1 KB echo: p50".to_owned(),
        bound: format!("≤ {RATIO_MAX} × the in-process call"),
        floor: show(floor),
        measured: show(p50),
        ratio: Some(ratio),
        met: Some(ratio <= RATIO_MAX),
    });
    report.note(format!("tool over HTTP: p99 {}", show(over_http.best().p99())));
    Ok(())
}

async fn requests(client: &mut Client, count: u32) -> Result<Samples> {
    let body = json!({"args": {"text": "x".repeat(TEXT_BYTES)}}).to_string();
    let mut samples = Samples::default();
    for number in 0..count + count / 10 {
        let started = Instant::now();
        let (status, _) = client.post("/v1/plugins/well/tools/echo/run", &body).await?;
        ensure!(status == 200, "the server answers {status}");
        if number >= count / 10 {
            samples.push(started.elapsed());
        }
    }
    Ok(samples)
}
