//! Watching one worker: its end, and its signs of life.
//!
//! Owns the rhythm. Writes what it sees into the instance's figures; only a worker that is beyond hope is
//! reported to the loop.

use crate::activity::Activity;
use crate::core::{Input, LifeId};
use crate::settings::Settings;
use hardpoint_supervisor::Worker;
use hardpoint_wire::Pong;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    ping_every: Duration,
    unresponsive_after: Duration,
    stuck_after: Duration,
    kill_idle_after: Duration,
    pub(crate) stop_grace: Duration,
}

impl Pace {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            ping_every: settings.ping_every,
            unresponsive_after: settings.unresponsive_after,
            stuck_after: settings.stuck_after,
            kill_idle_after: settings.kill_idle_after,
            stop_grace: settings.stop_grace,
        }
    }
}

/// Reports the end of a worker.
pub(crate) async fn end(life: LifeId, worker: Worker, inputs: mpsc::Sender<Input<Worker>>) {
    let exit = worker.exited().await;
    // The handle goes first: a report in a queue must not keep a worker.
    drop(worker);
    let _ = inputs.send(Input::Ended { life, exit, noted: None }).await;
}

/// Asks for signs of life until the worker ends.
pub(crate) async fn pulse(
    life: LifeId,
    worker: Worker,
    activity: Arc<Activity>,
    pace: Pace,
    inputs: mpsc::Sender<Input<Worker>>,
) {
    let mut silent_since: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = worker.exited() => return,
            () = tokio::time::sleep(pace.ping_every) => {}
        }
        let asked = Instant::now();
        let pong = tokio::select! {
            _ = worker.exited() => return,
            pong = worker.ping(pace.unresponsive_after) => pong,
        };
        if let Some(pong) = pong {
            silent_since = None;
            activity.unresponsive_since.set(None);
            activity.stuck_since.set(stuck_since(&pong, pace.stuck_after));
            continue;
        }
        let since = *silent_since.get_or_insert(asked);
        activity.unresponsive_since.set(ago(since.elapsed()));
        // While it has calls their deadlines decide; a native call may hold the interpreter for long and be well.
        if activity.in_flight() == 0 && since.elapsed() >= pace.kill_idle_after {
            let _ = inputs.send(Input::Hung { life, silent_for: since.elapsed() }).await;
            return;
        }
    }
}

fn stuck_since(pong: &Pong, stuck_after: Duration) -> Option<Timestamp> {
    let busy = Duration::try_from_secs_f64(pong.main_thread_busy_ms? / 1000.0).ok()?;
    if busy >= stuck_after { ago(busy) } else { None }
}

fn ago(time: Duration) -> Option<Timestamp> {
    Timestamp::now().checked_sub(SignedDuration::try_from(time).ok()?).ok()
}
