//! The end of it all: one more server, until nothing waits or runs; then the database is read and judged.
//!
//! Owns what happens between the last kill and the verdict. Must not kill anything.

use super::clients::lock;
use super::follower::{self, Notes};
use super::http::{Answer, Http, Since};
use super::ledger::Ledger;
use super::server::Folder;
use super::verdict::{Evidence, judge};
use super::witness;
use anyhow::{Context as _, Result, bail, ensure};
use hardpoint_store::{Contents, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Nothing waits or runs any more within this.
const REST_WITHIN: Duration = Duration::from_mins(3);
/// Between two looks at what still does.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks again for what was never answered, ends what does not end by itself, and waits for the rest.
pub(super) async fn bring_to_rest(http: &Http, ledger: &Mutex<Ledger>, notes: &Notes) -> Result<()> {
    let unanswered = lock(ledger).all_unanswered();
    for submission in unanswered {
        let answer = http.post("/v1/jobs", Some(&submission.body())).await;
        lock(ledger).answered(submission.tag, &answer);
    }
    let begun = Instant::now();
    loop {
        let alive = alive(http).await?;
        if alive.is_empty() && has_heard_all(http, notes).await? {
            return Ok(());
        }
        if begun.elapsed() > REST_WITHIN {
            bail!(
                "after {REST_WITHIN:?} there are {} jobs that wait or run, among them {:#}",
                alive.len(),
                alive.first().unwrap_or(&Value::Null)
            );
        }
        for job in &alive {
            end_what_hangs(http, ledger, job).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Cancels a job that would go on for ever. Whose answer was lost is known by its arguments alone.
async fn end_what_hangs(http: &Http, ledger: &Mutex<Ledger>, job: &Value) {
    let id = job.get("job_id").and_then(Value::as_str).unwrap_or_default();
    let Answer::Said(200, job) = http.get(&format!("/v1/jobs/{id}")).await else { return };
    let Some(tag) = job.pointer("/stages/0/args/tag").and_then(Value::as_u64) else { return };
    if !lock(ledger).hangs(tag) {
        return;
    }
    lock(ledger).cancel_sent(tag);
    let answer = http.post(&format!("/v1/jobs/{id}/cancel"), None).await;
    lock(ledger).cancel_answered(tag, &answer);
}

/// The jobs that wait or run.
async fn alive(http: &Http) -> Result<Vec<Value>> {
    match http.get("/v1/jobs?status=pending,running&limit=1000").await {
        Answer::Said(200, page) => {
            Ok(page.get("jobs").and_then(Value::as_array).cloned().unwrap_or_default())
        }
        Answer::Said(status, body) => bail!("the list of jobs was answered with {status}: {body}"),
        Answer::Lost => bail!("the list of jobs was not answered"),
    }
}

/// Whether the follower was told of everything that happened until now.
async fn has_heard_all(http: &Http, notes: &Notes) -> Result<bool> {
    let last = follower::read(notes, |told| told.last());
    let more = http.events(Since::Query(last), false).await?.bytes().await?;
    Ok(more.trim_ascii().is_empty())
}

/// Reads what the servers left on disk, and compares. What was found to be in order, in words.
pub(super) fn look(folder: &Folder, ledger: &Mutex<Ledger>, notes: &Notes) -> Result<String> {
    let path = Store::path_in(&folder.data());
    let contents = Store::contents(&path)?;
    let record = witness::read(&folder.witness())?;
    let ledger = lock(ledger);
    let mut faults = follower::read(notes, |told| {
        judge(Evidence { contents: &contents, ledger: &ledger, told, record: &record })
    });
    let report = Store::check(&path)?;
    faults.extend(report.damage.into_iter().chain(report.faults));
    ensure!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
    let check = folder.hardpoint().args(["db", "check"]).output().context("`hardpoint db check`")?;
    ensure!(check.status.success(), "`hardpoint db check`: {}", String::from_utf8_lossy(&check.stdout));
    let visits = follower::read(notes, |told| told.visits);
    Ok(summary(&contents, &ledger, visits))
}

fn summary(contents: &Contents, ledger: &Ledger, visits: u32) -> String {
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for job in &contents.jobs {
        *ends.entry(job.status.as_str()).or_default() += 1;
    }
    let ends: Vec<String> = ends.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let acknowledged = ledger.submissions().iter().filter(|one| one.job.is_some()).count();
    let lost: u32 = ledger.submissions().iter().map(|one| one.lost).sum();
    format!(
        "{} submissions ({acknowledged} acknowledged, {lost} answers lost, {} refused), {} jobs ({}), {} tries, \
         {} events followed in {visits} visits",
        ledger.submissions().len(),
        ledger.refused,
        contents.jobs.len(),
        ends.join(", "),
        contents.attempts.len(),
        contents.events.len(),
    )
}
