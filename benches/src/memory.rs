//! Promise 6: an idle worker is little more than its interpreter, and a host of ten stays small.

use crate::floor::sleeper;
use crate::report::{Report, Row};
use crate::samples::Effort;
use crate::stage::{Flavour, Plugin, Stage, call, echo};
use anyhow::{Context as _, Result};
use hardpoint_process::{Process, tree_of};
use hardpoint_supervisor::Worker;
use std::fs;
use std::process::Command;
use std::time::Duration;

const WORKER_KB_MAX: u64 = 6 * 1024;
const HOST_KB_MAX: u64 = 25 * 1024;
const WORKERS: u32 = 10;
const SETTLE: Duration = Duration::from_millis(300);

/// What the kernel says of one process, in kB.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    rss: u64,
    pss: u64,
}

pub(crate) fn measure(stage: &Stage, _effort: Effort, report: &mut Report) -> Result<()> {
    let (bare, worker, shim) = worker_and_bare(stage)?;
    let above = worker.pss.saturating_sub(bare.pss);
    report.row(Row {
        what: "idle worker above a bare interpreter (PSS)".to_owned(),
        bound: format!("≤ {}", show_kb(WORKER_KB_MAX)),
        floor: format!("{} (bare)", show_kb(bare.pss)),
        measured: format!("{} − {} = {}", show_kb(worker.pss), show_kb(bare.pss), show_kb(above)),
        ratio: ratio(worker.pss, bare.pss),
        met: Some(above <= WORKER_KB_MAX),
    });
    report.note(format!(
        "memory: worker RSS {}, its shim RSS {} and PSS {}; worker and bare interpreter ran side by side, so \
         both share the interpreter's file pages",
        show_kb(worker.rss),
        show_kb(shim.rss),
        show_kb(shim.pss),
    ));
    let [alone, host] = [0, WORKERS].map(host_of);
    let (alone, host) = (alone?, host?);
    report.row(Row {
        what: format!("host with {WORKERS} workers (RSS)"),
        bound: format!("< {}", show_kb(HOST_KB_MAX)),
        floor: format!("{} (without workers)", show_kb(alone.rss)),
        measured: show_kb(host.rss),
        ratio: ratio(host.rss, alone.rss),
        met: Some(host.rss < HOST_KB_MAX),
    });
    report.note(format!(
        "memory: the host is this benchmark's own binary, which holds the supervisor but not the command \
         line; with {WORKERS} workers its PSS is {}",
        show_kb(host.pss)
    ));
    Ok(())
}

fn worker_and_bare(stage: &Stage) -> Result<(Size, Size, Size)> {
    let mut bare = sleeper(stage)?;
    let (start, bare_pid) = (stage.start(Plugin::Trivial), bare.id());
    let sizes = Flavour::MultiThread.run(async move {
        let worker = start.worker().await?;
        call(&worker, echo(1024)).await?;
        tokio::time::sleep(SETTLE).await;
        let sizes = (size(bare_pid)?, size(worker.pid())?, size(parent(worker.pid())?)?);
        worker.kill().await;
        Ok(sizes)
    });
    bare.kill()?;
    bare.wait()?;
    sizes
}

/// A process of its own, so that what other benchmarks used does not count.
fn host_of(workers: u32) -> Result<Size> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["--be-a-host-of", &workers.to_string()]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse);
    let (Some(Ok(rss)), Some(Ok(pss))) = (numbers.next(), numbers.next()) else {
        anyhow::bail!("the host of {workers} workers says: {}", String::from_utf8_lossy(&output.stderr));
    };
    Ok(Size { rss, pss })
}

/// Starts them, calls each once, and prints the own size in kB: RSS and PSS.
pub(crate) fn be_a_host_of(count: u32) -> Result<()> {
    let stage = Stage::set_up()?;
    let start = stage.start(Plugin::Well);
    let size = Flavour::MultiThread.run(async move {
        let mut workers: Vec<Worker> = Vec::new();
        for _ in 0..count {
            let worker = start.worker().await?;
            call(&worker, echo(1024)).await?;
            workers.push(worker);
        }
        tokio::time::sleep(SETTLE).await;
        let size = size(std::process::id())?;
        for worker in workers {
            worker.kill().await;
        }
        Ok(size)
    })?;
    println!("{} {}", size.rss, size.pss);
    Ok(())
}

fn size(pid: u32) -> Result<Size> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .with_context(|| format!("process {pid} cannot be measured; shims let only root look in"))?;
    let field = |name: &str| -> Result<u64> {
        let row =
            text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        Ok(row.trim_end_matches("kB").trim().parse()?)
    };
    Ok(Size { rss: field("Rss:")?, pss: field("Pss:")? })
}

fn parent(pid: u32) -> Result<u32> {
    let own = Process(std::process::id());
    let of_ours = tree_of(own);
    let found = of_ours.iter().find(|(process, _)| process.0 == pid).map(|(_, parent)| parent.0);
    found.context("the worker is no descendant of ours")
}

fn ratio(measured: u64, floor: u64) -> Option<f64> {
    let of = |kb: u64| u32::try_from(kb).ok().map(f64::from);
    Some(of(measured)? / of(floor)?)
}

fn show_kb(kb: u64) -> String {
    format!("{}.{} MB", kb / 1024, kb % 1024 * 10 / 1024)
}
