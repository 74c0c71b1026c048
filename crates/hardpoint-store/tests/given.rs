//! What jobs are given, with the binary data in it: kept, passed on to another job, let go of.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hardpoint_model::job::{Job, JobId, JobStatus, NewJob};
use hardpoint_store::{Given, GivenKept, KeptBlob, Op, Store};
use jiff::Timestamp;
use serde_json::{Map, json};

/// A job that is accepted.
async fn submitted(store: &Store) -> Job {
    let args = Map::from_iter([("page".to_owned(), json!(7))]);
    let new = NewJob::of_tool("ocr".parse().unwrap(), "read".to_owned(), args);
    store.commit(0, vec![Op::Submit(Box::new(new.clone()))]).await.unwrap();
    new.job
}

/// A value with binary data of both kinds.
fn given(file: &str) -> Given {
    let blobs = vec![KeptBlob::Inline(vec![1, 2]), KeptBlob::File { name: file.to_owned(), length: 100_000 }];
    Given { value: json!({"thumb": {"$blob": 0}, "photo": {"$blob": 1}}), blobs, bytes: 100_050 }
}

#[tokio::test]
async fn what_a_job_was_given_is_read_back_and_let_go_of_with_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (mut plain, mut full) = (submitted(&store).await, submitted(&store).await);
    let whole = given("a-i-1");
    store.commit(0, vec![Op::Given(full.job_id, Box::new(whole.clone()))]).await.unwrap();
    let kept = async |id| store.given(id).await.unwrap();
    let arguments = GivenKept::Arguments(plain.stages[0].args.clone());
    assert_eq!(kept(plain.job_id).await, Some(arguments.clone()));
    assert_eq!(kept(full.job_id).await, Some(GivenKept::Whole(whole)));
    assert_eq!(kept(JobId::now()).await, None);
    assert_eq!(store.files().await.unwrap(), ["a-i-1".to_owned()].into());
    let future = Timestamp::now() + std::time::Duration::from_mins(1);
    let beyond = async |bytes, before| store.outputs_beyond(bytes, before, 10).await.unwrap();
    assert_eq!(beyond(0, future).await, [], "they are not over");
    for job in [&mut plain, &mut full] {
        (job.status, job.completed_at) = (JobStatus::Failed, Some(Timestamp::now()));
        let record = Job { stages: Vec::new(), ..job.clone() };
        store.commit(0, vec![Op::Job(Box::new(record))]).await.unwrap();
    }
    let long_ago = Timestamp::UNIX_EPOCH;
    assert_eq!(beyond(100_050, long_ago).await, []);
    assert_eq!(beyond(100_049, long_ago).await, [full.job_id]);
    assert_eq!(beyond(u64::MAX, future).await, [full.job_id]);
    for id in [plain.job_id, full.job_id] {
        store.commit(0, vec![Op::ForgetOutputs(id)]).await.unwrap();
    }
    assert_eq!(kept(plain.job_id).await, Some(arguments));
    assert_eq!(kept(full.job_id).await, Some(GivenKept::Forgotten));
    assert_eq!(store.files().await.unwrap(), [].into());
    assert_eq!(beyond(0, future).await, []);
}

#[tokio::test]
async fn a_job_can_be_given_what_another_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (failed, next) = (submitted(&store).await, submitted(&store).await);
    store.commit(0, vec![Op::Given(failed.job_id, Box::new(given("a-i-1")))]).await.unwrap();
    let files = vec![("a-i-1".to_owned(), "b-r-0".to_owned())];
    let resume = Op::Resume { job: next.job_id, from: failed.job_id, stages: 0, files };
    store.commit(0, vec![resume]).await.unwrap();
    let kept = async |id| store.given(id).await.unwrap();
    assert_eq!(kept(next.job_id).await, Some(GivenKept::Whole(given("b-r-0"))));
    assert_eq!(kept(failed.job_id).await, Some(GivenKept::Whole(given("a-i-1"))));
    assert_eq!(store.files_of(next.job_id, 0).await.unwrap(), ["b-r-0"]);
}
