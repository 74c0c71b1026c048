//! Promise 3: large `bytes` cost a few copies each way, whatever way the plugin takes them.

use crate::floor::{PingPong, copies};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use crate::stage::{Flavour, Plugin, Stage, Start, call};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use hardpoint_supervisor::{CallRequest, Worker};
use hardpoint_wire::{Blob, Payload};
use std::time::{Duration, Instant};

const MB: usize = 1_000_000;
const COPIES_PER_WAY_MAX: u32 = 3;

/// What is measured for one size.
#[derive(Default)]
struct Sizes {
    copy: Rounds,
    there: Rounds,
    and_back: Rounds,
}

/// There (`memoryview` parameter), and there and back again (`bytes` parameter and result).
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let mut ping = Rounds::default();
    let mut sizes = [(10, effort.times(40)), (100, 3)].map(|(mb, count)| (mb, count, Sizes::default()));
    for _ in 0..ROUNDS {
        let mut bare = PingPong::start(stage)?;
        bare.round_trips(16, 200)?;
        ping.keep(bare.round_trips(16, 500)?);
        for (mb, count, sizes) in &mut sizes {
            let bytes = Bytes::from(vec![7; *mb * MB]);
            sizes.copy.keep(copies(&bytes, *count));
            let (there, and_back) =
                Flavour::MultiThread.run(blobs(stage.start(Plugin::Well), bytes, *count))?;
            sizes.there.keep(there);
            sizes.and_back.keep(and_back);
        }
    }
    let ping = ping.best().median();
    report.note(format!("bytes: the bound adds one bare ping-pong of {} to the copies", show(ping)));
    for (mb, _, sizes) in &sizes {
        let copy = sizes.copy.best().median();
        let ways =
            [("to a `memoryview`, one way", 1, &sizes.there), ("`bytes` there and back", 2, &sizes.and_back)];
        for (what, ways, rounds) in ways {
            let measured = rounds.best().median();
            let copies = COPIES_PER_WAY_MAX * ways;
            let bound: Duration = copy * copies + ping;
            report.row(Row {
                what: format!("{mb} MB {what}"),
                bound: format!("≤ {copies} × memcpy + ping-pong = {}", show(bound)),
                floor: format!("{} (memcpy)", show(copy)),
                measured: show(measured),
                ratio: Some(measured.div_duration_f64(copy)),
                // The promise is about 10 MB; more has to work.
                met: (*mb == 10).then_some(measured <= bound),
            });
        }
    }
    Ok(())
}

async fn blobs(start: Start, bytes: Bytes, count: u32) -> Result<(Samples, Samples)> {
    let worker = start.worker().await?;
    let (mut there, mut and_back) = (Samples::default(), Samples::default());
    send(&worker, "view_bytes", &bytes).await?;
    send(&worker, "echo_bytes", &bytes).await?;
    for _ in 0..count {
        there.push(send(&worker, "view_bytes", &bytes).await?);
        and_back.push(send(&worker, "echo_bytes", &bytes).await?);
    }
    worker.kill().await;
    Ok((there, and_back))
}

/// From bytes in the caller's memory to the result in the caller's memory.
async fn send(worker: &Worker, tool: &str, bytes: &Bytes) -> Result<Duration> {
    let started = Instant::now();
    let data = Payload::blob(Blob::new(bytes.clone())?);
    let args = Payload::object([("data".to_owned(), data)]);
    let output = call(worker, CallRequest::new(tool, args)).await?;
    let back = match output.result.as_blob() {
        Some(blob) => blob.to_bytes()?.len(),
        None => usize::try_from(output.result.value.as_u64().context("no length")?)?,
    };
    let elapsed = started.elapsed();
    anyhow::ensure!(back == bytes.len(), "{back} bytes came back of {}", bytes.len());
    Ok(elapsed)
}
