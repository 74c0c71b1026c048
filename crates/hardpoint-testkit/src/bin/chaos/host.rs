//! The host that is killed: three workers with calls in flight, for as long as it lives.
//!
//! Owns the kinds of load. It tells on stdout how far it came, so that a run can say what it hit.

use crate::load::{Load, request};
use crate::random::Random;
use anyhow::Result;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// How far a host came, in order; each is a line on its stdout.
pub(crate) const STAGES: [&str; 3] = ["open", "launching", "calling"];

/// A host that nobody killed gives up after this.
const LIFE_MAX: Duration = Duration::from_secs(30);
/// Descendants of one call.
const SPREAD: u64 = 20;
/// Above the size from which bytes travel as a memory file.
const BIG_BYTES: u64 = 300_000;

/// What one worker is kept busy with.
type Call = (&'static str, &'static str, Value);

/// Runs until it is killed.
pub(crate) fn run(data: &Path, seed: u64) -> Result<()> {
    // Whoever kills the killer must not leave a host behind.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let load = Load::open(data)?;
    tell("open");
    let mut random = Random::of_round(seed, 0);
    let calls = [light(&mut random), spread(&mut random), heavy(&mut random)];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let [a, b, c] = calls.map(|call| Box::pin(keep_busy(&load, call)));
        let all = async { tokio::join!(a, b, c) };
        let _ = tokio::time::timeout(LIFE_MAX, all).await;
    });
    Ok(())
}

/// Starts the worker again whenever it has ended: some calls crash it.
async fn keep_busy(load: &Load, (plugin, tool, args): Call) {
    loop {
        tell("launching");
        match load.start(plugin).await {
            Ok(worker) => {
                while worker.exit().is_none() {
                    tell("calling");
                    let _ = worker.call(request(tool, args.clone())).await;
                }
            }
            Err(error) => eprintln!("{error:#}"),
        }
    }
}

fn light(random: &mut Random) -> Call {
    match random.below(3) {
        0 => ("well", "sleep", json!({"seconds": 0.05})),
        1 => ("well", "echo", json!({"text": "x", "times": 1000})),
        _ => ("well", "big", json!({"n_bytes": BIG_BYTES})),
    }
}

fn spread(random: &mut Random) -> Call {
    let ending = match random.below(3) {
        0 => "return",
        1 => "hang",
        _ => "crash",
    };
    ("fork_bomb", "spread", json!({"count": SPREAD, "ending": ending}))
}

fn heavy(random: &mut Random) -> Call {
    match random.below(3) {
        0 => ("c_loop", "spin", json!({})),
        1 => ("ignores_sigterm", "hang", json!({})),
        _ => ("well", "count", json!({"n": 1_000_000})),
    }
}

/// Straight to the descriptor: a buffer would die with the host.
fn tell(stage: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{stage}").and_then(|()| out.flush());
}
