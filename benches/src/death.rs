//! Promise 5: a caller hears at once that its worker is dead.

use crate::floor::sleeper;
use crate::report::{Report, Row, show};
use crate::samples::{Effort, Samples};
use crate::stage::{Flavour, Plugin, Stage, Start};
use anyhow::{Context as _, Result, bail};
use hardpoint_supervisor::{CallEvent, CallRequest};
use hardpoint_wire::Payload;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::time::{Duration, Instant};

const NOTICED_WITHIN: Duration = Duration::from_millis(50);
/// After this the call is inside the plugin.
const CALL_BEGINS: Duration = Duration::from_millis(50);

/// From SIGKILL, sent from outside, to the answer of the call that was in flight.
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(30);
    let (mut bare, mut ours) = (Samples::default(), Samples::default());
    for _ in 0..count {
        bare.push(bare_death(stage)?);
        ours.push(Flavour::MultiThread.run(death(stage.start(Plugin::Well)))?);
    }
    let (p50, p99) = (ours.median(), ours.p99());
    report.note(format!("death: p50 {} of {count} kills", show(p50)));
    report.row(Row {
        what: "SIGKILL of the worker to the caller's answer: p99".to_owned(),
        bound: format!("< {}", show(NOTICED_WITHIN)),
        floor: format!("{} (kill and wait of a bare interpreter: p99)", show(bare.p99())),
        measured: show(p99),
        ratio: Some(p99.div_duration_f64(bare.p99())),
        met: Some(p99 < NOTICED_WITHIN),
    });
    Ok(())
}

fn bare_death(stage: &Stage) -> Result<Duration> {
    let mut child = sleeper(stage)?;
    let started = Instant::now();
    child.kill()?;
    child.wait()?;
    Ok(started.elapsed())
}

async fn death(start: Start) -> Result<Duration> {
    let worker = start.worker().await?;
    let args = Payload::object([("seconds".to_owned(), Payload::literal(json!(60)))]);
    let mut call =
        worker.begin(CallRequest::new("sleep", args)).await.map_err(|e| anyhow::anyhow!(e.message))?;
    tokio::time::sleep(CALL_BEGINS).await;
    let pid = Pid::from_raw(i32::try_from(worker.pid())?).context("no process number")?;
    let started = Instant::now();
    kill_process(pid, Signal::KILL)?;
    let end = call.next().await;
    let took = started.elapsed();
    match end {
        CallEvent::End(Err(_)) => Ok(took),
        CallEvent::End(Ok(_)) | CallEvent::Note(_) | CallEvent::Item(_) => {
            bail!("the call did not hear of the death")
        }
    }
}
