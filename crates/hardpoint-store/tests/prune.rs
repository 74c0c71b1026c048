//! Events that are not kept for ever: what goes, what stays, and what a reader is told of it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use hardpoint_model::job::{EventKind, Job, JobId, JobStatus, NewEvent, NewJob};
use hardpoint_store::{EventFilter, Gone, Keep, Op, Store};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Map;

fn job() -> Job {
    NewJob::of_tool("ocr".parse().unwrap(), "read".to_owned(), Map::new()).job
}

/// A store and what must be true of it.
struct Kept {
    _folder: tempfile::TempDir,
    store: Store,
    /// Jobs with the numbers of all events they ever had.
    jobs: Vec<(Job, Vec<u64>)>,
    last: u64,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self { _folder: folder, store, jobs: Vec::new(), last: 0 }
    }

    async fn commit(&mut self, at: usize, mut ops: Vec<Op>, kind: EventKind, timestamp: Timestamp) {
        let (job, numbers) = &mut self.jobs[at];
        ops.push(Op::Event(Box::new(NewEvent {
            job_id: job.job_id,
            plugin_instance_id: "ocr".to_owned(),
            stage: 0,
            timestamp,
            kind,
        })));
        let events = self.store.commit(0, ops).await.unwrap().events;
        self.last += 1;
        assert_eq!(events[0].number, self.last, "a number was used again or left out");
        assert_eq!(self.store.last_event(), self.last);
        numbers.push(self.last);
    }

    async fn submit(&mut self, timestamp: Timestamp) -> usize {
        let job = job();
        let ops = vec![Op::Submit(Box::new(job.clone().into()))];
        self.jobs.push((job, Vec::new()));
        let at = self.jobs.len() - 1;
        let accepted = EventKind::StateTransition { from: None, to: JobStatus::Pending };
        self.commit(at, ops, accepted, timestamp).await;
        at
    }

    /// Something that changes nothing.
    async fn note(&mut self, at: usize) {
        let progress = EventKind::ProgressChanged { progress: -1.0, status_message: String::new() };
        self.commit(at, Vec::new(), progress, Timestamp::now()).await;
    }

    async fn end(&mut self, at: usize, timestamp: Timestamp) {
        let job = &mut self.jobs[at].0;
        (job.status, job.completed_at) = (JobStatus::Failed, Some(timestamp));
        let ops = vec![Op::Job(Box::new(job.clone()))];
        let failed = EventKind::StateTransition { from: Some(JobStatus::Pending), to: JobStatus::Failed };
        self.commit(at, ops, failed, timestamp).await;
    }

    /// Looks at everything; how many events went.
    async fn prune(&self, count: u64, since: Timestamp) -> u64 {
        let (mut next, mut went) = (Some(0), 0);
        while let Some(from) = next {
            let pruned = self.store.prune(Keep { count, since }, from).await.unwrap();
            assert!(pruned.next.is_none_or(|next| next > from));
            (next, went) = (pruned.next, went + pruned.count);
        }
        let report = Store::check(self.store.path()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.last_event, self.last);
        went
    }

    /// Reads to the end as a follower does: the numbers that came, and what was told to be gone.
    async fn read(&self, mut since: u64, jobs: &[JobId], limit: u32) -> (Vec<u64>, Vec<Gone>) {
        let (mut numbers, mut gone) = (Vec::new(), Vec::new());
        loop {
            let filter = EventFilter { since, jobs: jobs.to_vec(), limit };
            let page = self.store.events(filter).await.unwrap();
            gone.extend(page.gone);
            numbers.extend(page.events.iter().map(|event| event.number));
            if page.events.is_empty() && page.next == since {
                return (numbers, gone);
            }
            since = page.next;
        }
    }
}

#[tokio::test]
async fn events_beyond_the_bounds_go_except_those_of_jobs_that_are_not_over() {
    let mut kept = Kept::new();
    for _ in 0..6 {
        kept.submit(Timestamp::now()).await;
    }
    for over in [0, 2, 3] {
        kept.end(over, Timestamp::now()).await;
    }
    // 1..=6 are accepted, 7..=9 over.
    assert_eq!(kept.prune(4, Timestamp::MIN).await, 3);
    let all = kept.read(0, &[], 100).await;
    assert_eq!(all, (vec![2, 5, 6, 7, 8, 9], vec![Gone { count: 3, first_kept: 6 }]));
    assert_eq!(kept.read(3, &[], 100).await.1, [Gone { count: 1, first_kept: 6 }]);
    assert_eq!(kept.read(5, &[], 100).await, (vec![6, 7, 8, 9], Vec::new()));
    let of = |at: usize| kept.jobs[at].0.job_id;
    assert_eq!(kept.read(0, &[of(1)], 100).await, (vec![2], Vec::new()), "nothing of it is gone");
    let (numbers, gone) = kept.read(0, &[of(0), of(1)], 100).await;
    assert_eq!((numbers, gone[0].first_kept), (vec![2, 7], 6), "something of one of them is gone");
    // Once a job is over its old events go, too; and the next number follows the last.
    kept.end(1, Timestamp::now()).await;
    assert_eq!(kept.prune(0, Timestamp::MIN).await, 5);
    assert_eq!(kept.read(0, &[], 100).await, (vec![5, 6], vec![Gone { count: 8, first_kept: 11 }]));
    kept.submit(Timestamp::now()).await;
    assert_eq!(kept.read(10, &[], 100).await, (vec![11], Vec::new()));
    assert_eq!(kept.prune(100, Timestamp::MIN).await, 0);
}

#[tokio::test]
async fn events_that_are_too_old_go_and_younger_ones_stay() {
    let mut kept = Kept::new();
    let now = Timestamp::now();
    for days in [40, 31, 29, 1] {
        let then = now - SignedDuration::from_hours(24 * days);
        let at = kept.submit(then).await;
        kept.end(at, then).await;
    }
    assert_eq!(kept.prune(1000, now - SignedDuration::from_hours(24 * 30)).await, 4);
    assert_eq!(kept.read(0, &[], 100).await, (vec![5, 6, 7, 8], vec![Gone { count: 4, first_kept: 5 }]));
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Submit,
    Event(prop::sample::Index),
    End(prop::sample::Index),
    Prune(u64),
    Read { since: prop::sample::Index, job: Option<prop::sample::Index>, limit: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<prop::sample::Index>;
    let step = prop_oneof![
        3 => Just(Step::Submit),
        4 => any().prop_map(Step::Event),
        3 => any().prop_map(Step::End),
        2 => (0_u64..12).prop_map(Step::Prune),
        4 => (any(), prop::option::of(any()), 1_u32..6)
            .prop_map(|(since, job, limit)| Step::Read { since, job, limit }),
    ];
    prop::collection::vec(step, 1..60)
}

async fn live(steps: Vec<Step>) {
    let mut kept = Kept::new();
    for step in steps {
        let alive: Vec<usize> =
            (0..kept.jobs.len()).filter(|at| kept.jobs[*at].0.status == JobStatus::Pending).collect();
        match step {
            Step::Submit => drop(kept.submit(Timestamp::now()).await),
            Step::Event(which) if !alive.is_empty() => {
                kept.note(*which.get(&alive)).await;
            }
            Step::End(which) if !alive.is_empty() => kept.end(*which.get(&alive), Timestamp::now()).await,
            Step::Event(_) | Step::End(_) => {}
            Step::Prune(count) => {
                kept.prune(count, Timestamp::MIN).await;
                let (numbers, _) = kept.read(0, &[], 1000).await;
                let over = kept.jobs.iter().filter(|(job, _)| job.status.is_terminal());
                for number in over.flat_map(|(_, numbers)| numbers) {
                    assert!(
                        !numbers.contains(number) || number + count > kept.last,
                        "{number} is still there"
                    );
                }
            }
            Step::Read { since, job, limit } => {
                let since = since.index(usize::try_from(kept.last).unwrap() + 1) as u64;
                let job = job.filter(|_| !kept.jobs.is_empty()).map(|job| job.index(kept.jobs.len()));
                check_read(&kept, since, job, limit).await;
            }
        }
    }
}

/// A reader is told of everything that it does not see.
async fn check_read(kept: &Kept, since: u64, job: Option<usize>, limit: u32) {
    let ids: Vec<JobId> = job.iter().map(|at| kept.jobs[*at].0.job_id).collect();
    let (numbers, gone) = kept.read(since, &ids, limit).await;
    assert!(numbers.is_sorted());
    let wanted = kept.jobs.iter().enumerate().filter(|(at, _)| job.is_none_or(|job| job == *at));
    let mut missing = 0;
    for (_, (wanted, events)) in wanted {
        let unseen = events.iter().filter(|number| **number > since && !numbers.contains(number));
        let unseen: Vec<&u64> = unseen.collect();
        assert!(unseen.is_empty() || wanted.status.is_terminal(), "{unseen:?} of a job that is not over");
        let kept_from = gone.last().map_or(since + 1, |gone| gone.first_kept);
        assert!(unseen.iter().all(|number| **number < kept_from), "{unseen:?} are gone and nobody said so");
        missing += unseen.len() as u64;
    }
    let told: u64 = gone.iter().map(|gone| gone.count).sum();
    if job.is_none() {
        assert_eq!(told, missing);
    } else {
        assert!(told >= missing && (told > 0) == (missing > 0), "{told} told, {missing} missing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_let_go_a_reader_is_told_of_all_that_it_does_not_see(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(live(steps));
    }
}
