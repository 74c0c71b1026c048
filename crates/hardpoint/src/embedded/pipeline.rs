//! Running a pipeline on embedded workers: a fold over its stages.
//!
//! Owns the order, what passes from stage to stage, and the result. Binary values pass as blobs: a large
//! one goes from worker to worker as the same memory file, without a copy. Must not know the terminal.

use super::{Event, Failure, Host};
use hardpoint_model::pipeline::{Pipeline, Stage, pass_on, takes};
use hardpoint_model::{Category, ExitReason, JobError};
use hardpoint_supervisor::{CallEvent, CallOutput, CallRequest, Note, Timeout, Worker, WorkerLost};
use hardpoint_wire::Payload;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The running document: a field's name and its value with the blobs it refers to.
pub(crate) type Document = BTreeMap<String, Payload>;

/// What happens during a run.
#[derive(Debug)]
pub(crate) enum RunEvent {
    StageStart { index: usize },
    Note { index: usize, note: Note },
    StageEnd { index: usize, ok: bool, took: Duration },
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunEnd {
    /// The last output, or the merged document; of the finished stages when one failed.
    pub(crate) result: Payload,
    /// How many stages ran.
    pub(crate) stages_executed: usize,
    /// The first failure: the stage, counted from 1, and why.
    pub(crate) failure: Option<(usize, JobError, Option<ExitReason>)>,
}

/// Starts a worker for every plugin of the pipeline, all at once, so that what cannot work is known
/// before the first stage runs.
pub(crate) async fn start_stages(
    host: &Host,
    pipeline: &Pipeline,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Vec<Worker>, Failure> {
    let mut names: Vec<&str> = pipeline.stages.iter().map(|stage| stage.plugin.plugin.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in &names {
        host.catalog().find(name)?;
    }
    let started =
        futures_util::future::try_join_all(names.iter().map(|name| host.start(name, on_event))).await?;
    let by_name: BTreeMap<&str, Worker> = names.into_iter().zip(started).collect();
    let stages = pipeline.stages.iter().enumerate().map(|(index, stage)| {
        let worker = by_name.get(stage.plugin.plugin.as_str()).cloned();
        let worker = worker.ok_or_else(|| Failure::Host { message: "a worker is missing".to_owned() })?;
        worker.tools().find(&stage.tool).map_err(|error| {
            let message = format!("stage {}: {}", index + 1, error.message);
            Failure::request(message, "correct `tool` in the pipeline")
        })?;
        Ok(worker)
    });
    stages.collect()
}

/// Runs the stages in order. `workers` has one entry per stage.
pub(crate) async fn run_pipeline(
    pipeline: &Pipeline,
    workers: &[Worker],
    input: Document,
    on_event: &(dyn Fn(RunEvent) + Sync),
) -> RunEnd {
    let total = pipeline.total_timeout_seconds.map(|seconds| Instant::now() + seconds.as_duration());
    let mut run = Run { document: input, last: Payload::default(), executed: 0, failure: None };
    for (index, (stage, worker)) in pipeline.stages.iter().zip(workers).enumerate() {
        on_event(RunEvent::StageStart { index });
        let began = Instant::now();
        let left = total.map_or(Duration::MAX, |end| end.saturating_duration_since(began));
        let timeout = match stage.timeout_seconds {
            Some(written) => Timeout::Exactly(written.as_duration().min(left)),
            None => Timeout::Within(pipeline.timeout_seconds.as_duration().min(left)),
        };
        let args = arguments(&run.document, stage, worker);
        let request = CallRequest { timeout, ..CallRequest::new(&stage.tool, args) };
        let ended = call(worker, request, &|note| on_event(RunEvent::Note { index, note })).await;
        let ended = run.take(pipeline, index, stage, ended);
        on_event(RunEvent::StageEnd { index, ok: ended, took: began.elapsed() });
        if !ended && pipeline.fail_fast {
            break;
        }
    }
    let result = match pipeline.pass {
        hardpoint_model::pipeline::Pass::Merge => Payload::object(run.document),
        hardpoint_model::pipeline::Pass::Output => run.last,
    };
    RunEnd { result, stages_executed: run.executed, failure: run.failure }
}

struct Run {
    document: Document,
    last: Payload,
    executed: usize,
    failure: Option<(usize, JobError, Option<ExitReason>)>,
}

impl Run {
    /// Takes a stage's end over into the document; `false` when it failed.
    fn take(&mut self, pipeline: &Pipeline, index: usize, stage: &Stage, ended: Ended) -> bool {
        let is_last = index + 1 == pipeline.stages.len();
        let failed = match ended {
            Ok(output) => {
                self.executed += 1;
                match output.result.clone().into_fields() {
                    Some(fields) => {
                        pass_on(pipeline.pass, &mut self.document, fields.into_iter().collect());
                        self.last = output.result;
                        return true;
                    }
                    None if is_last && pipeline.pass == hardpoint_model::pipeline::Pass::Output => {
                        self.last = output.result;
                        return true;
                    }
                    None => (not_an_object(stage), None),
                }
            }
            Err(failed) => *failed,
        };
        self.failure.get_or_insert((index + 1, failed.0, failed.1));
        false
    }
}

fn not_an_object(stage: &Stage) -> JobError {
    let message = format!(
        "`{}.{}` did not return an object, so its output has no names to pass on",
        stage.plugin.plugin, stage.tool
    );
    JobError::new(Category::UserInput, "InvalidOutput", message).of_plugin(stage.plugin.plugin.as_str())
}

/// The fields of the document that the tool takes, with the stage's config over them.
fn arguments(document: &Document, stage: &Stage, worker: &Worker) -> Payload {
    let schema = worker.tools().get(&stage.tool).map(|tool| &tool.info.input_schema);
    let config = stage.config.iter().map(|(name, value)| (name.clone(), Payload::literal(value.clone())));
    let taken = document.iter().filter(|(name, _)| schema.is_none_or(|schema| takes(schema, name)));
    let mut fields: Document = taken.map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.extend(config);
    Payload::object(fields)
}

pub(crate) type Ended = Result<CallOutput, Box<(JobError, Option<ExitReason>)>>;

/// One call, with its notes; a lost worker becomes the error of the call.
pub(crate) async fn call(worker: &Worker, request: CallRequest, on_note: &(dyn Fn(Note) + Sync)) -> Ended {
    let plugin = worker.instance().to_owned();
    let streaming = worker.tools().get(&request.tool).is_some_and(|tool| tool.info.streaming);
    let mut call = worker.begin(request).await.map_err(|error| Box::new((error, None)))?;
    let mut items = Vec::new();
    loop {
        match call.next().await {
            CallEvent::Note(note) => on_note(note),
            CallEvent::Item(item) => items.push(item),
            CallEvent::End(end) => {
                let mut ended = ended(end, &plugin);
                if let Some(output) = ended.as_mut().ok().filter(|_| streaming) {
                    output.result = Payload::object([("items".to_owned(), Payload::list(items))]);
                }
                return ended;
            }
        }
    }
}

/// The outer and the inner error as one.
fn ended(end: Result<Result<CallOutput, JobError>, WorkerLost>, plugin: &str) -> Ended {
    match end {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(Box::new((error, None))),
        Err(lost) => Err(Box::new((lost.to_job_error(plugin), Some(lost.exit.reason.clone())))),
    }
}
