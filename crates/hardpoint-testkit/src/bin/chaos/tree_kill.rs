//! Rounds of: start a bare host under load, kill it with SIGKILL at a random moment, look for survivors.
//!
//! Owns the verdict: within the deadline no descendant, no control group and no scratch folder is left.

use crate::host::STAGES;
use crate::load;
use crate::orphans;
use crate::random::Random;
use anyhow::{Context as _, Result, ensure};
use hardpoint_supervisor::Sdk;
use hardpoint_testkit::{control_groups, left_by_host, soon};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Half of the hosts are killed within this after their start: handshakes and calls lie in it.
const KILL_WITHIN: Duration = Duration::from_millis(400);
/// The other half within this, where launches lie.
const KILL_EARLY_WITHIN: Duration = Duration::from_millis(40);
/// After the host's death everything is gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// After this many failures a run ends early.
const FAILURES_MAX: u32 = 5;
/// A line of progress this often.
const ROUNDS_PER_LINE: u32 = 10;

/// What one round found.
struct Found {
    host: u32,
    killed_after: Duration,
    gone_after: Duration,
    /// How far the host came.
    stage: &'static str,
    left: Vec<String>,
}

/// How a whole run went.
#[derive(Default)]
struct Tally {
    rounds: u32,
    failed: u32,
    gone_after_max: Duration,
    stages: [u32; STAGES.len() + 1],
}

pub(crate) fn run(rounds: Range<u32>, seed: u64) -> Result<()> {
    println!("tree-kill: seed {seed}, rounds {} to {}", rounds.start, rounds.end.saturating_sub(1));
    let data = tempfile::Builder::new().prefix("hardpoint-chaos-").tempdir()?;
    Sdk::unpack(data.path())?;
    orphans::adopt()?;
    let start = Instant::now();
    let mut tally = Tally::default();
    for round in rounds.clone() {
        let found = one(data.path(), seed, round)?;
        if !found.left.is_empty() {
            complain(&found, seed, round);
            clear(data.path(), found.host);
        }
        tally.add(&found);
        if (round + 1) % ROUNDS_PER_LINE == 0 || round + 1 == rounds.end {
            println!("round {round}: {tally}, {:.1} s", start.elapsed().as_secs_f64());
        }
        if tally.failed == FAILURES_MAX {
            break;
        }
    }
    ensure!(tally.failed == 0, "{} of {} killed hosts left something behind", tally.failed, tally.rounds);
    Ok(())
}

fn one(data: &Path, seed: u64, round: u32) -> Result<Found> {
    let mut random = Random::of_round(seed, round);
    let within = if random.below(2) == 0 { KILL_EARLY_WITHIN } else { KILL_WITHIN };
    let killed_after = Duration::from_micros(random.below(u64::try_from(within.as_micros())?));
    let story = data.join("story");
    let mut command = Command::new("/proc/self/exe");
    command.arg("--as-host").arg(data).args(["--seed", &random.next().to_string()]);
    command.stdin(Stdio::null()).stdout(File::create(&story)?);
    load::hand_on(&mut command)?;
    let mut host = command.spawn().context("the host cannot be started")?;
    thread::sleep(killed_after);
    host.kill()?;
    host.wait()?;
    let killed = Instant::now();
    let id = host.id();
    soon(GONE_WITHIN, || orphans::all_reaped() && left_by_host(id, data).is_empty());
    let gone_after = killed.elapsed();
    let mut left = orphans::survivors();
    left.extend(left_by_host(id, data));
    Ok(Found { host: id, killed_after, gone_after, stage: last_stage(&story), left })
}

/// The furthest stage that the host told of.
fn last_stage(story: &Path) -> &'static str {
    let text = fs::read_to_string(story).unwrap_or_default();
    let came = |stage: &&&str| text.lines().any(|line| line == **stage);
    STAGES.iter().rev().find(came).copied().unwrap_or("starting")
}

fn complain(found: &Found, seed: u64, round: u32) {
    println!(
        "round {round}: host {} was killed {:?} after its start, while {}; {GONE_WITHIN:?} later there is left:",
        found.host, found.killed_after, found.stage
    );
    for left in &found.left {
        println!("  {left}");
    }
    println!("replay: cargo xtask chaos --tree-kill 1 --seed {seed} --round {round}");
}

/// Clears what a failed round left, so that the next one starts clean.
fn clear(data: &Path, host: u32) {
    orphans::clear();
    let of_host =
        |path: &PathBuf| path.to_string_lossy().split(['/', '-']).any(|part| part == host.to_string());
    for group in control_groups().into_iter().filter(of_host) {
        let _ = fs::remove_dir(group);
    }
    let _ = fs::remove_dir_all(data.join("scratch"));
}

impl Tally {
    fn add(&mut self, found: &Found) {
        self.rounds += 1;
        self.failed += u32::from(!found.left.is_empty());
        if found.left.is_empty() {
            self.gone_after_max = self.gone_after_max.max(found.gone_after);
        }
        let place = STAGES.iter().position(|stage| *stage == found.stage).map_or(0, |place| place + 1);
        if let Some(count) = self.stages.get_mut(place) {
            *count += 1;
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gone_ms = self.gone_after_max.as_millis();
        let clean = self.rounds - self.failed;
        write!(
            f,
            "after {clean} of {} kills nothing was left, at most {gone_ms} ms later; hit while",
            self.rounds
        )?;
        for (stage, count) in ["starting"].iter().chain(&STAGES).zip(self.stages) {
            write!(f, " {stage} {count}")?;
        }
        Ok(())
    }
}
