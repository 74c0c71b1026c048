//! One of everything that a store keeps, the same in every run: what frozen databases are made of.

use hardpoint_model::job::{
    CancelPhase, EventKind, Job, JobId, JobStatus, NewEvent, ResourceSnapshot, Stage,
};
use hardpoint_model::{Category, JobError, ResourceShortfall};
use hardpoint_store::{Attempt, AttemptEnd, EventFilter, JobFilter, Op, Store};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Seconds after the first of January 2026.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

fn id(number: u32) -> JobId {
    format!("019b7600-0000-7000-8000-{number:012}").parse().unwrap()
}

/// A job of one stage that was handed in.
pub(crate) fn job(number: u32, status: JobStatus) -> Job {
    let stage = Stage {
        plugin: "ocr@fast".parse().unwrap(),
        tool: "read".to_owned(),
        args: Map::from_iter([
            ("page".to_owned(), json!(number)),
            ("title".to_owned(), json!("Grüße, 世界, \"quoted\"\n")),
            ("scan".to_owned(), json!({"$bytes": "AAEC/w=="})),
        ]),
        status,
        attempts: 0,
        error: None,
        started_at: None,
        ended_at: None,
    };
    Job {
        job_id: id(number),
        status,
        priority: i32::try_from(number).unwrap() - 3,
        idempotency_key: None,
        stages: vec![stage],
        error: None,
        cancel_phase: None,
        submitted_at: at(number.into()),
        started_at: None,
        completed_at: None,
    }
}

/// An error with every field.
fn error() -> JobError {
    let mut error = JobError::new(Category::Resource, "OutOfMemoryError", "no room for 3 pages");
    error.original_exc_repr = Some("OutOfMemoryError('no room for 3 pages')".to_owned());
    error.traceback = Some("Traceback (most recent call last):\n  …\n".to_owned());
    error.retry_after_seconds = Some(1.5);
    error.fields_invalid = Some(vec!["page".to_owned()]);
    let resource = "gpu_vram_mb".to_owned();
    error.resource_shortfall = Some(ResourceShortfall { resource, needed: 800.0, available: 12.5 });
    error.plugin_name = Some("ocr".to_owned());
    error.plugin_instance_id = Some("ocr@fast".to_owned());
    error.occurred_at = Some(at(40));
    error
}

/// The jobs: one in every status, one of two stages, one that is being cancelled.
pub(crate) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> =
        (0_u32..).zip(JobStatus::ALL).map(|(number, status)| job(number, status)).collect();
    for job in &mut jobs {
        let began = job.status != JobStatus::Pending;
        job.started_at = began.then(|| at(30));
        job.completed_at = job.status.is_terminal().then(|| at(60));
        let failed = job.status == JobStatus::Failed;
        job.error = failed.then(error);
        for stage in &mut job.stages {
            stage.attempts = u32::from(began) + u32::from(failed);
            stage.error.clone_from(&job.error);
            (stage.started_at, stage.ended_at) = (job.started_at, job.completed_at);
        }
    }
    let mut named = job(5, JobStatus::Pending);
    named.idempotency_key = Some("order-17".to_owned());
    let mut second = named.stages[0].clone();
    second.plugin = "report".parse().unwrap();
    named.stages.push(second);
    let mut cancelling = job(6, JobStatus::Running);
    cancelling.cancel_phase = Some(CancelPhase::Force);
    cancelling.stages[0].attempts = 1;
    jobs.extend([named, cancelling]);
    jobs
}

fn event(job: &Job, kind: EventKind) -> Op {
    let plugin_instance_id = job.stages[0].plugin.to_string();
    Op::Event(Box::new(NewEvent {
        job_id: job.job_id,
        plugin_instance_id,
        stage: 0,
        timestamp: at(31),
        kind,
    }))
}

fn kinds() -> [EventKind; 8] {
    [
        EventKind::StateTransition { from: None, to: JobStatus::Pending },
        EventKind::StateTransition { from: Some(JobStatus::Pending), to: JobStatus::Running },
        EventKind::ProgressChanged { progress: 0.25, status_message: "page 1 of 4".to_owned() },
        EventKind::ResourceSnapshot {
            snapshot: ResourceSnapshot {
                timestamp: at(5),
                worker_pid: 4711,
                cpu_percent: 97.5,
                memory_rss_mb: 512.25,
                gpu_index: Some(1),
                gpu_memory_mb: Some(2048.5),
                gpu_type: Some("NVIDIA".to_owned()),
                gpu_total_mb: Some(81_559.0),
                gpu_load_percent: Some(42.0),
            },
        },
        EventKind::CancelPhaseChanged { from: None, to: CancelPhase::Cooperative },
        EventKind::RetryStarted {
            attempt: 1,
            exception_repr: "OutOfMemoryError('no room')".to_owned(),
            exception_category: Category::Resource,
        },
        EventKind::BlockReasonChanged { from: None, to: Some("plugin `ocr` is disabled".to_owned()) },
        EventKind::SequenceAdvanced { prior_job_id: id(1), prior_step_index: 0, prior_success: true },
    ]
}

/// Tries of a job: those that are over, and the one that is not if it runs.
fn attempts(job: &Job) -> Vec<Op> {
    let tries = job.stages[0].attempts;
    let each = (1..=tries).flat_map(|number| {
        let (job_id, over) = (job.job_id, number < tries || job.status != JobStatus::Running);
        let began = Attempt { job: job_id, stage: 0, number, incarnation: 3, started_at: at(30) };
        let outcome = if job.status == JobStatus::Running { JobStatus::Failed } else { job.status };
        let error = job.error.clone();
        let ended = AttemptEnd { job: job_id, stage: 0, number, ended_at: at(50), outcome, error };
        let ended = over.then(|| Op::AttemptEnded(Box::new(ended)));
        [Some(Op::AttemptBegan(began)), ended].into_iter().flatten()
    });
    each.collect()
}

/// Writes one of everything.
pub(crate) async fn fill(store: &Store) {
    for job in jobs() {
        let mut ops = vec![Op::Submit(Box::new(job.clone()))];
        ops.extend(kinds().into_iter().map(|kind| event(&job, kind)));
        ops.extend(attempts(&job));
        let stage = Box::new(job.stages[0].clone());
        ops.push(Op::Stage { job: job.job_id, number: 0, stage });
        if job.status == JobStatus::Completed {
            let value = json!({"text": "dæmon", "page": {"$bytes": "AAEC/w=="}, "pi": 3.25, "none": null});
            ops.push(Op::Result { job: job.job_id, stage: 0, value });
        }
        ops.push(Op::Job(Box::new(job)));
        store.commit(0, ops).await.unwrap();
    }
    for (name, enabled, unloaded) in [
        ("ocr", Some(true), Some(false)),
        ("report", Some(false), None),
        ("voice", Some(true), Some(true)),
        ("words", None, Some(true)),
    ] {
        let name = name.to_owned();
        store.commit(0, vec![Op::Plugin { name, enabled, unloaded }]).await.unwrap();
    }
}

/// Everything that can be read, as a document.
pub(crate) async fn dump(store: &Store) -> Value {
    let page = store.jobs(JobFilter { limit: 1000, ..JobFilter::default() }).await.unwrap();
    let mut results = Map::new();
    for job in &page.jobs {
        let result = store.result(job.job_id, 0).await.unwrap();
        results.extend(result.map(|result| (job.job_id.to_string(), result)));
    }
    let alive: Vec<JobId> = store.alive().await.unwrap().into_iter().map(|job| job.job_id).collect();
    let events = store.events(EventFilter { limit: 1000, ..EventFilter::default() }).await.unwrap().events;
    let plugins = store.plugins().await.unwrap();
    let plugins: Map<String, Value> =
        plugins.into_iter().map(|(name, flags)| (name, json!([flags.enabled, flags.unloaded]))).collect();
    json!({"jobs": page.jobs, "alive": alive, "results": results, "events": events, "plugins": plugins})
}
