//! `hardpoint run PIPELINE`: the same run as on a server, in a host that is there for it alone.

use super::exit_code::Code;
use super::interrupt::{STOP_GRACE, interrupted, stop};
use super::job::View;
use super::live::Scene;
use super::log_lines::aside;
use super::pipeline::{self, Given, Input, Order, RunEnd, Shown};
use super::progress::Progress;
use super::told::Door;
use super::{files, terminal};
use crate::embedded::{Document, Failure, PrivateHost, Step};
use clap::Args;
use hardpoint_engine::jobs::Followed;
use hardpoint_model::Pipeline;
use hardpoint_model::job::{EventKind, Job};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

/// One run.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --server the plugins of the pipeline are started for this one run, and end with it; several runs can go on at once. \
With it the running server is asked, as `hardpoint pipeline run` does. Ctrl-C cancels a run without a server.

Examples:
  hardpoint run examples/pipelines/faces.yaml --input image=@photo.png
  hardpoint run examples/pipelines/faces.yaml --input image=@photo.png --json
  hardpoint run examples/pipelines/faces.yaml --input image=@photo.png --server")]
pub(super) struct Run {
    /// File that defines the pipeline: .yaml or .json
    pipeline: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Folder for binary results [default: out/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Run, scene: Scene<'_>) -> Result<Code, Failure> {
    files::check_out(args.out.as_deref())?;
    let input = args.input.read()?;
    let pipeline = pipeline::read(&args.pipeline)?;
    let name = pipeline::name_of(&pipeline, &args.pipeline);
    if scene.shared.server.is_some() {
        let out = args.out.as_deref();
        let order = Order {
            pipeline: &pipeline,
            saved: None,
            name: &name,
            input: &input,
            priority: 0,
            key: None,
            no_wait: false,
            out,
        };
        return pipeline::on_server(order, scene).await;
    }
    let began = Instant::now();
    let (end, input) = here(&input, &pipeline, scene).await?;
    let shown = Shown {
        name: &name,
        out: args.out.as_deref(),
        json: scene.shared.json,
        door: Door::Embedded,
        input: &input,
        took: Some(began.elapsed()),
        again: None,
    };
    pipeline::show(end, &shown)
}

/// In a host of our own, of which nothing is left when this returns.
async fn here(
    input: &Given<'_>,
    pipeline: &Pipeline,
    scene: Scene<'_>,
) -> Result<(RunEnd, Document), Failure> {
    let mut wish_to_end = pin!(interrupted());
    let host = PrivateHost::open(scene.places, scene.config, pipeline, &input.names(), STOP_GRACE).await?;
    let progress = Progress::new(scene.shared.json, scene.shared.verbose > 0).for_pipeline(pipeline);
    let worked = tokio::select! {
        worked = work(&host, input, pipeline, &progress, scene) => Some(worked),
        () = wish_to_end.as_mut() => None,
    };
    progress.clear();
    stop(async {
        if worked.is_none() {
            host.cancel().await;
        }
        host.stop().await;
    })
    .await;
    worked.unwrap_or(Err(Failure::Interrupted))
}

async fn work(
    host: &PrivateHost,
    input: &Given<'_>,
    pipeline: &Pipeline,
    progress: &Progress,
    scene: Scene<'_>,
) -> Result<(RunEnd, Document), Failure> {
    let started = |plugin: &str, step: Step<'_>| match step {
        Step::Starting(step) => progress.starting(plugin, step),
        Step::Ready(view) => view.worker().into_iter().for_each(|worker| progress.started(plugin, worker)),
    };
    host.ready(&started).await?;
    host.check(pipeline, &input.names()).await?;
    let input = input.document(pipeline, &host.schemas(pipeline))?;
    let job = host.submit(pipeline.clone(), input.clone()).await?;
    let job = until_over(host, &job, scene.shared.json).await?;
    let lines = host.lines().await;
    lines.iter().filter_map(|line| aside(line, scene.shared.verbose > 0)).for_each(terminal::say);
    let outcome = host.outcome(&job).await?;
    let (stages_executed, failure) = (outcome.stages_executed, outcome.failure);
    Ok((RunEnd { result: outcome.result.unwrap_or_default(), stages_executed, failure }, input))
}

/// Follows a job; as it is when it is over.
async fn until_over(host: &PrivateHost, job: &Job, quiet: bool) -> Result<Job, Failure> {
    let mut view = View::new(job, quiet);
    let mut events = host.follow(job.job_id);
    while let Some(told) = events.next().await? {
        // Of a job that is not over all events are kept.
        let Followed::Event(event) = told else { continue };
        view.take(&event);
        if matches!(event.kind, EventKind::StateTransition { to, .. } if to.is_terminal()) {
            break;
        }
    }
    host.job(job.job_id).await
}
