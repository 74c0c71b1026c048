//! Promise 10: durable jobs are many a second, start at once, and do not care how many others wait.
//!
//! Every acknowledged submission has been through an fsync: so all of it stands next to what the disk does alone, and
//! next to a queue on Redis that is told to be as careful.

mod backlog;
mod disk;
mod host;
mod latency;
mod pipelines;
mod redis;
mod throughput;

use disk::Disk;
pub(crate) use disk::folder;
pub(crate) use pipelines::measure as pipelines;

use crate::report::Report;
use crate::samples::Effort;
use crate::stage::Stage;
use anyhow::Result;

/// All rows about jobs, so that every ratio is of one run. First everything is measured: the floor is the disk's best
/// round of all, between the others.
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let mut disk = Disk::open()?;
    let rates = throughput::measure(effort, &mut disk)?;
    let rq = redis::measure(stage, effort)?;
    let times = latency::measure(effort, &mut disk)?;
    let crowd = backlog::measure(effort)?;
    let fsync = disk.tell(report);
    let ours = rates.tell(fsync, report);
    rq.tell(ours, report);
    times.tell(fsync, report);
    crowd.tell(report);
    Ok(())
}
