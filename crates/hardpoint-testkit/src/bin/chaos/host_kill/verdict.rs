//! The database, held against what clients were answered, what the follower was told and what the plugins saw.
//!
//! Owns what must be true once nothing waits or runs. Pure: it is given all four and finds what does not fit.

use super::follower::Told;
use super::ledger::{Ledger, Submission, Wish};
use super::tries;
use super::witness::Record;
use super::work::End;
use hardpoint_model::job::{Event, Job, JobStatus};
use hardpoint_store::{Contents, Tried};
use hardpoint_testkit::faults_of_messages;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Everything that there is to be known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) contents: &'a Contents,
    pub(super) ledger: &'a Ledger,
    pub(super) told: &'a Told,
    pub(super) record: &'a Record,
}

/// What does not fit; empty when all is well.
pub(super) fn judge(evidence: Evidence<'_>) -> Vec<String> {
    let Evidence { contents, ledger, told, record } = evidence;
    let mut faults = ledger.faults().to_vec();
    faults.extend(told.faults.iter().cloned());
    let mut by_tag: BTreeMap<u64, Vec<&Job>> = BTreeMap::new();
    for job in &contents.jobs {
        by_tag.entry(tag_of(job)).or_default().push(job);
    }
    for submission in ledger.submissions() {
        let jobs = by_tag.remove(&submission.tag).unwrap_or_default();
        faults.extend(of_submission(submission, &jobs, contents));
    }
    faults.extend(by_tag.into_values().flatten().map(|job| format!("nobody handed in job {}", job.job_id)));
    let cancelled = ledger.submissions().iter().filter_map(|one| match one.cancel {
        Wish::Accepted(at) => Some((one.job.clone()?, at)),
        Wish::None | Wish::Sent => None,
    });
    let cancelled: BTreeMap<String, Timestamp> = cancelled.collect();
    let mut by_job: BTreeMap<String, Vec<&Tried>> = BTreeMap::new();
    for tried in &contents.attempts {
        by_job.entry(tried.began.job.to_string()).or_default().push(tried);
    }
    for (job, of_job) in &by_job {
        let seen = record.get(job).cloned().unwrap_or_default();
        let found = tries::judge(of_job, &seen, cancelled.get(job));
        faults.extend(found.into_iter().map(|fault| format!("job {job}: {fault}")));
    }
    let unknown = record.keys().filter(|job| !by_job.contains_key(*job));
    faults.extend(unknown.map(|job| format!("job {job} was run, and the database knows of no try")));
    faults.extend(of_events(&contents.events, &told.events));
    if contents.events.first().is_some_and(|event| event.number == 1) {
        let runs = contents.jobs.iter().filter(|job| job.stages.len() > 1 && job.status.is_terminal());
        faults.extend(faults_of_messages(runs.map(|job| (job, true)), &contents.events));
    }
    faults
}

fn tag_of(job: &Job) -> u64 {
    job.stages.first().and_then(|stage| stage.args.get("tag")).and_then(Value::as_u64).unwrap_or(u64::MAX)
}

/// What clients were answered.
fn of_submission(submission: &Submission, jobs: &[&Job], contents: &Contents) -> Vec<String> {
    let Submission { tag, key, lost, job: known, cancel, .. } = submission;
    let mut faults = Vec::new();
    match (known, jobs) {
        (Some(id), [job]) if *id == job.job_id.to_string() => {}
        (Some(id), []) => faults.push(format!("submission {tag} was accepted as {id}, which is not there")),
        (Some(_) | None, [_, _, ..]) => {
            faults.push(format!("submission {tag} is there {} times", jobs.len()));
        }
        (Some(id), [job]) => {
            faults.push(format!("submission {tag} was accepted as {id} and is {}", job.job_id));
        }
        (None, [job]) if *lost == 0 => {
            faults.push(format!("submission {tag} was refused, and is there as {}", job.job_id));
        }
        (None, [] | [_]) => {}
    }
    for job in jobs {
        let (id, status) = (job.job_id, job.status);
        if !status.is_terminal() {
            faults.push(format!("job {id} has not ended: {status}"));
        }
        if job.idempotency_key != *key {
            faults.push(format!("job {id} has the key {:?} instead of {key:?}", job.idempotency_key));
        }
        if status == JobStatus::Cancelled && *cancel == Wish::None {
            faults.push(format!("job {id} was cancelled, and nobody had asked for it"));
        }
        if status == JobStatus::Failed && matches!(cancel, Wish::Accepted(_)) {
            faults.push(format!("job {id} failed although its cancellation was accepted"));
        }
        faults.extend(of_stages(submission, job, contents));
    }
    faults
}

/// What stages brought: that of their last try, and of no kind that cannot bring anything.
fn of_stages(submission: &Submission, job: &Job, contents: &Contents) -> Vec<String> {
    let (id, tag, mut faults) = (job.job_id, submission.tag, Vec::new());
    if job.stages.len() != submission.work.stages.len() {
        faults.push(format!("job {id} has {} stages", job.stages.len()));
    }
    for ((number, stage), step) in (0_u32..).zip(&job.stages).zip(&submission.work.stages) {
        if stage.status != JobStatus::Completed {
            continue;
        }
        if step.kind.end() == End::Bad {
            faults.push(format!("stage {number} of job {id} completed, which {:?} cannot", step.kind));
        }
        let (result, attempt) = (contents.results.get(&(id, number)).unwrap_or(&Value::Null), stage.attempts);
        if (&result["tag"], &result["attempt"]) != (&json!(tag), &json!(attempt)) {
            let what = format!("stage {number} of job {id}, submission {tag}");
            faults.push(format!("{what}, completed in try {attempt} with {result}"));
        }
    }
    faults
}

/// What the follower was told: the events that are on disk, all of them, each once, each as it is there.
fn of_events(kept: &[Event], told: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let skipped =
        kept.first().map_or(0, |event| usize::try_from(event.number).unwrap_or(1).saturating_sub(1));
    let told = told.get(skipped..).unwrap_or_default();
    if told.len() != kept.len() {
        faults.push(format!("the follower was told of {} events and {} are kept", told.len(), kept.len()));
    }
    let different =
        kept.iter().zip(told).find(|(kept, told)| serde_json::to_value(kept).ok().as_ref() != Some(*told));
    if let Some((kept, told)) = different {
        faults.push(format!("event {} is {kept:?} and was told as {told}", kept.number));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_kill::http::Answer;
    use crate::host_kill::witness::Seen;
    use crate::host_kill::work::{Kind, Step, Work};
    use hardpoint_model::job::{EventKind, JobId, NewJob};
    use hardpoint_store::{Attempt, AttemptEnd};
    use std::collections::BTreeSet;

    /// One job that was accepted, failed once and completed; everybody agrees about it.
    struct World {
        contents: Contents,
        ledger: Ledger,
        told: Told,
        record: Record,
    }

    impl World {
        fn sound() -> Self {
            let mut ledger = Ledger::default();
            let submission = ledger.open(work(Kind::Flaky), true);
            let id = JobId::now();
            ledger.answered(0, &Answer::Said(202, json!({"job_id": id.to_string()})));
            let (job, attempts, event) = (job(id, &submission), vec![tried(id, 1), tried(id, 2)], event(id));
            let told = Told { events: vec![serde_json::to_value(&event).unwrap()], ..Told::default() };
            let results = BTreeMap::from([((id, 0), json!({"tag": 0, "attempt": 2}))]);
            let seen =
                Seen { begun: vec![(0, 1), (0, 2)], well: BTreeSet::from([(0, 2)]), overlaps: Vec::new() };
            let contents = Contents { jobs: vec![job], results, attempts, events: vec![event] };
            Self { contents, ledger, told, record: Record::from([(id.to_string(), seen)]) }
        }

        fn faults(&self) -> Vec<String> {
            let Self { contents, ledger, told, record } = self;
            judge(Evidence { contents, ledger, told, record })
        }
    }

    fn work(kind: Kind) -> Work {
        Work { stages: vec![Step { plugin: "calm", kind, args: json!({}) }], priority: 0 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn job(id: JobId, submission: &Submission) -> Job {
        let args = submission.body()["args"].as_object().unwrap().clone();
        let mut job = NewJob::of_tool("calm".parse().unwrap(), "flaky".to_owned(), args).job;
        (job.job_id, job.status, job.completed_at) = (id, JobStatus::Completed, Some(at(30)));
        job.idempotency_key.clone_from(&submission.key);
        (job.stages[0].status, job.stages[0].attempts) = (JobStatus::Completed, 2);
        job
    }

    fn tried(job: JobId, number: u32) -> Tried {
        let outcome = if number == 2 { JobStatus::Completed } else { JobStatus::Failed };
        let (began, ended) = (at(10 * i64::from(number)), at(10 * i64::from(number) + 10));
        Tried {
            began: Attempt { job, stage: 0, number, incarnation: 0, started_at: began },
            ended: Some(AttemptEnd { job, stage: 0, number, ended_at: ended, outcome, error: None }),
        }
    }

    fn event(job_id: JobId) -> Event {
        let kind = EventKind::StateTransition { from: None, to: JobStatus::Pending };
        Event { number: 1, kind, job_id, plugin_instance_id: "calm".to_owned(), stage: 0, timestamp: at(0) }
    }

    #[track_caller]
    fn check(expected: &[&str], damage: impl FnOnce(&mut World)) {
        let mut world = World::sound();
        assert_eq!(world.faults(), Vec::<String>::new());
        damage(&mut world);
        let faults = world.faults();
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn what_was_acknowledged_and_is_lost_doubled_or_not_over_is_found() {
        check(&["which is not there", "no try"], |world| {
            world.contents.jobs.clear();
            world.contents.attempts.clear();
        });
        check(&["is there 2 times"], |world| world.contents.jobs.push(world.contents.jobs[0].clone()));
        check(&["accepted as", "has not ended: running"], |world| {
            world.contents.jobs[0].job_id = JobId::now();
            world.contents.jobs[0].status = JobStatus::Running;
            world.contents.jobs[0].stages[0].status = JobStatus::Running;
        });
        check(&["nobody had asked"], |world| world.contents.jobs[0].status = JobStatus::Cancelled);
        check(&["although its cancellation was accepted"], |world| {
            world.contents.jobs[0].status = JobStatus::Failed;
            world.ledger.cancel_answered(0, &Answer::Said(202, Value::Null));
        });
        check(&["try 2 of stage 0 began after the cancellation was accepted"], |world| {
            world.ledger.cancel_answered(0, &Answer::Said(202, Value::Null));
            let far = at(100_000_000_000);
            world.contents.attempts[1].began.started_at = far;
            world.contents.attempts[1].ended.as_mut().unwrap().ended_at = far;
        });
        check(&["completed in try 2"], |world| world.contents.results.clear());
        check(&["has 2 stages", "stage 0 of job", "stage 1 of job"], |world| {
            let stage = world.contents.jobs[0].stages[0].clone();
            world.contents.jobs[0].stages.push(stage);
        });
        check(&["was accepted as", "has the key"], |world| {
            world.contents.jobs[0].idempotency_key = None;
            world.ledger.answered(0, &Answer::Said(202, json!({"job_id": "another"})));
        });
        check(&["nobody handed in"], |world| {
            let mut other = world.contents.jobs[0].clone();
            other.stages[0].args.clear();
            world.contents.jobs.push(other);
        });
    }

    #[test]
    fn what_was_refused_and_is_there_is_found() {
        check(&["was refused, and is there"], |world| {
            let refused = world.ledger.open(work(Kind::Quick), false);
            world.ledger.answered(refused.tag, &Answer::Said(503, Value::Null));
            assert_eq!(world.faults(), Vec::<String>::new());
            let id = JobId::now();
            world.contents.results.insert((id, 0), json!({"tag": 1, "attempt": 2}));
            world.contents.jobs.push(job(id, &refused));
        });
    }

    #[test]
    fn a_try_that_ran_twice_beside_another_or_unknown_to_the_database_is_found() {
        let seen = |world: &mut World, change: fn(&mut Seen)| world.record.values_mut().for_each(change);
        check(&["try 2 of stage 0 was run 2 times"], |world| seen(world, |seen| seen.begun.push((0, 2))));
        check(&["try 1 of stage 1 was run, and the database"], |world| {
            seen(world, |seen| seen.begun.push((1, 1)));
        });
        check(&["began while"], |world| {
            seen(world, |seen| seen.overlaps.push("try 2 began while".to_owned()));
        });
        check(&["knows nothing of it"], |world| seen(world, |seen| seen.well.clear()));
        check(&["try 1 of stage 0 has not ended"], |world| world.contents.attempts[0].ended = None);
        check(&["try 2 of stage 0 began before try 1 of stage 0 had ended"], |world| {
            world.contents.attempts[1].began.started_at = at(15);
        });
    }

    #[test]
    fn a_follower_who_missed_something_or_heard_something_else_is_found() {
        check(&["told of 0 events and 1 are kept"], |world| world.told.events.clear());
        check(&["was told as"], |world| world.told.events[0]["stage"] = json!(7));
        check(&["after event"], |world| world.told.faults.push("after event 1 came 3".to_owned()));
    }
}
