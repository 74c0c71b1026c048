//! One of everything that a store keeps, the same in every run: what frozen databases are made of.

use hardpoint_model::document::Format;
use hardpoint_model::job::{
    CancelPhase, EventKind, Job, JobId, JobStatus, NewEvent, NewJob, ResourceSnapshot, Stage,
};
use hardpoint_model::usage::{UsageRecord, UsageSample};
use hardpoint_model::{Category, JobError, Pipeline, ResourceShortfall};
use hardpoint_store::{
    Attempt, AttemptEnd, Counts, EventFilter, Form, Given, JobFilter, KeptBlob, Op, Output, PluginConfig,
    Store,
};
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
        output_bytes: None,
        started_at: None,
        ended_at: None,
    };
    Job {
        job_id: id(number),
        status,
        priority: i32::try_from(number).unwrap() - 3,
        idempotency_key: None,
        pipeline_id: None,
        pipeline_version: None,
        resumes: None,
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

pub(crate) fn event(job: &Job, kind: EventKind) -> Op {
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

/// A saved pipeline of two versions, and a run of the first with binary data of both kinds.
async fn pipelines(store: &Store) {
    let of = |text: &str| Pipeline::parse(text, "p", Format::Json).unwrap();
    let first =
        of(r#"{"pass": "merge", "stages": [{"plugin": "scan", "tool": "clean", "config": {"dpi": 300}},
        {"plugin": "ocr@fast", "tool": "read", "retries": 2}]}"#);
    let second = of(r#"[{"plugin": "ocr", "tool": "read", "args": {"page": {"$from": "/input/page"}}}]"#);
    for definition in [&first, &second] {
        let (id, definition) = ("read-page".to_owned(), Box::new(definition.clone()));
        store.commit(0, vec![Op::SavePipeline { id, definition, at: at(1) }]).await.unwrap();
    }
    let mut run = NewJob::of_pipeline(first);
    (run.job.job_id, run.job.submitted_at) = (id(50), at(50));
    (run.job.pipeline_id, run.job.pipeline_version) = (Some("read-page".to_owned()), Some(1));
    let blobs =
        vec![KeptBlob::Inline(vec![0, 1, 255]), KeptBlob::File { name: "a-1".to_owned(), length: 100_000 }];
    let value = json!({"page": {"$blob": 0}, "scan": {"$blob": 1}});
    let output = Box::new(Output { value, form: Form::Wire, blobs, bytes: 100_050 });
    let accepted = event(&run.job, EventKind::StateTransition { from: None, to: JobStatus::Pending });
    let blobs =
        vec![KeptBlob::File { name: "a-i".to_owned(), length: 70_000 }, KeptBlob::Inline(vec![255, 0])];
    let value = json!({"page": 7, "photo": {"$blob": 0}, "thumb": {"$blob": 1}});
    let given = Box::new(Given { value, blobs, bytes: 70_050 });
    let ops = vec![
        Op::Submit(Box::new(run.clone())),
        Op::Given(id(50), given),
        accepted,
        Op::Result { job: id(50), stage: 0, output },
    ];
    store.commit(0, ops).await.unwrap();
}

/// Writes one of everything.
pub(crate) async fn fill(store: &Store) {
    for job in jobs() {
        let mut ops = vec![Op::Submit(Box::new(job.clone().into()))];
        ops.extend(kinds().into_iter().map(|kind| event(&job, kind)));
        ops.extend(attempts(&job));
        let stage = Box::new(job.stages[0].clone());
        ops.push(Op::Stage { job: job.job_id, number: 0, stage });
        if job.status == JobStatus::Completed {
            let value = json!({"text": "dæmon", "page": {"$bytes": "AAEC/w=="}, "pi": 3.25, "none": null});
            let output = Output { value, form: Form::Document, blobs: Vec::new(), bytes: 70 };
            ops.push(Op::Result { job: job.job_id, stage: 0, output: Box::new(output) });
        }
        let last = EventKind::StateTransition { from: Some(JobStatus::Running), to: job.status };
        ops.push(event(&job, last));
        ops.push(Op::Job(Box::new(job)));
        store.commit(0, ops).await.unwrap();
    }
    pipelines(store).await;
    for (name, enabled, unloaded) in [
        ("ocr", Some(true), Some(false)),
        ("report", Some(false), None),
        ("voice", Some(true), Some(true)),
        ("words", None, Some(true)),
    ] {
        let name = name.to_owned();
        store.commit(0, vec![Op::Plugin { name, enabled, unloaded }]).await.unwrap();
    }
    let values =
        Map::from_iter([("language".to_owned(), json!("deu")), ("deep".to_owned(), json!({"a": [1]}))]);
    for (name, schema_hash) in [("ocr", Some("sha256:0f".to_owned())), ("words", None)] {
        let config = PluginConfig { values: values.clone(), schema_hash };
        let name = name.to_owned();
        store.commit(0, vec![Op::PluginConfig { name, config, at: at(60) }]).await.unwrap();
    }
    usage(store).await;
}

async fn usage(store: &Store) {
    for (instance, hash, success) in
        [("ocr", "sha256:01", true), ("ocr", "sha256:02", false), ("a@b", "x", true)]
    {
        let mut record =
            UsageRecord::new(instance, &instance[..instance.find('@').unwrap_or(instance.len())], hash);
        for number in [1, 2, 4] {
            record.add(&UsageSample {
                cpu_percent: f64::from(number) / 3.0,
                memory_mb_peak: 0.1 * f64::from(number),
                gpu_memory_mb_peak: f64::from(number),
                duration_seconds: 0.25,
                success: success || number == 2,
                observed_at: at(70 + i64::from(number)),
                api_usage: [("tokens".to_owned(), 0.1)].into(),
            });
        }
        store.commit(0, vec![Op::UsageRecord(Box::new(record))]).await.unwrap();
    }
}

/// Everything that can be read, as a document.
pub(crate) async fn dump(store: &Store) -> Value {
    let page = store.jobs(JobFilter { limit: 1000, ..JobFilter::default() }).await.unwrap();
    let mut results = Map::new();
    for job in &page.jobs {
        let output = store.output(job.job_id, 0).await.unwrap();
        results.extend(output.map(|output| (job.job_id.to_string(), output.value)));
    }
    let mut alive: Vec<JobId> = store.alive().await.unwrap().into_iter().map(|new| new.job.job_id).collect();
    alive.sort_unstable();
    let events = store.events(EventFilter { limit: 1000, ..EventFilter::default() }).await.unwrap().events;
    let plugins = store.plugins().await.unwrap();
    let plugins: Map<String, Value> =
        plugins.into_iter().map(|(name, flags)| (name, json!([flags.enabled, flags.unloaded]))).collect();
    let configs = store.plugin_configs().await.unwrap();
    let configs: Map<String, Value> =
        configs.into_iter().map(|(name, one)| (name, json!([one.values, one.schema_hash]))).collect();
    let run = store.pipeline_of(id(50)).await.unwrap();
    let mut given = Map::new();
    for job in &page.jobs {
        let kept = store.given(job.job_id).await.unwrap().unwrap();
        given.insert(job.job_id.to_string(), format!("{kept:?}").into());
    }
    let output = store.output(id(50), 0).await.unwrap();
    let output = output.map(|output| json!([output.value, format!("{:?}", output.blobs)]));
    let saved = store.saved_pipelines().await.unwrap().into_iter();
    let saved: Vec<Value> = saved.map(|one| json!([one.id, one.version, one.definition])).collect();
    let counted = store.statistics().await.unwrap();
    let of = |counts: Counts| JobStatus::ALL.map(|status| counts.of(status));
    let stages: Map<String, Value> =
        counted.plugins.into_iter().map(|(name, counts)| (name, json!(of(counts)))).collect();
    let used = store.usage_records().await.unwrap();
    let counted = json!({"jobs": of(counted.jobs), "stages": stages, "oldest": counted.oldest_pending});
    json!({"counted": counted, "given": given, "run": run, "run_output": output, "pipelines": saved, "jobs": page.jobs, "alive": alive, "results": results, "events": events, "plugins": plugins, "plugin_configs": configs, "usage": used})
}
