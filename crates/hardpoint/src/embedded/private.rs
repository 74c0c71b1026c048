//! A host for the time of one run: engine and queue as a server has them, on a store that goes with it.
//!
//! Owns the folder of that store and what is different where there is no operator: a plugin that is down is brought up
//! by nobody. Must not know the terminal.
//!
//! ```text
//! open ──> ready (every plugin is up) ──> submit ──> follow ──> outcome
//!   └──────────────┴── cancel, on Ctrl-C ──┴───────────┴──> stop: no worker, no folder
//! ```

use super::{Document, Failure, Places, open_starter};
use crate::assembly::{Assembly, Parts};
use crate::configuration::{engine_settings, job_settings};
use hardpoint_engine::jobs::{Followed, Following, JobSettings, Outcome, Submission, SubmitError};
use hardpoint_engine::jobs::{JobRefusal, WhenDown, Work, check_installed};
use hardpoint_engine::limits::SETTLE_LOOK;
use hardpoint_engine::logs::{LogFilter, Start};
use hardpoint_engine::{Catalog, Decisions, PluginView};
use hardpoint_model::job::{CancelPhase, EventKind, Job, JobId, JobStatus};
use hardpoint_model::log::LogLine;
use hardpoint_model::{Config, Pipeline};
use hardpoint_process::HostFolder;
use hardpoint_store::{JobFilter, Store};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A host that nobody else knows of.
#[derive(Debug)]
pub(crate) struct PrivateHost {
    assembly: Assembly,
    /// The plugins of the pipeline.
    plugins: BTreeSet<String>,
    folder: HostFolder,
}

/// How far the start of a plugin is.
pub(crate) enum Step<'a> {
    Starting(&'a str),
    Ready(&'a PluginView),
}

impl PrivateHost {
    /// Begins to start the plugins that the pipeline names, unless it is certain already that it cannot work. `input`:
    /// the names of what it will be given.
    pub(crate) async fn open(
        places: &Places,
        config: &Config,
        pipeline: &Pipeline,
        input: &BTreeSet<String>,
        cancel_grace: Duration,
    ) -> Result<Self, Failure> {
        let names = pipeline.stages.iter().map(|stage| stage.plugin.instance.to_string());
        let plugins: BTreeSet<String> = names.collect();
        let catalog = Catalog::read(&places.plugins)?;
        let mistakes = check_installed(&catalog, pipeline, input);
        if !mistakes.is_empty() {
            return Err(Failure::Mistakes(mistakes));
        }
        for name in &plugins {
            catalog.find(name)?;
        }
        let starter = open_starter(places)?;
        let folder = starter.launcher().folder();
        let folder = folder.map_err(|e| Failure::host("there is no room for the run's own data", &e))?;
        // The plugins need longer than the store.
        let path = folder.path().to_owned();
        let store = async {
            let opened = tokio::task::spawn_blocking(move || Store::open(&path)).await;
            opened
                .map_err(|e| Failure::host("the run's own store could not be opened", &e))?
                .map_err(Failure::from)
        };
        let catalog = catalog.only(|name| plugins.contains(name));
        let jobs = job_settings(config);
        let cancel_grace = jobs.cancel_grace.min(cancel_grace);
        // Its store goes with the run: nothing of it need survive a loss of power.
        let jobs = JobSettings { when_down: WhenDown::Fail, sync_inputs: false, cancel_grace, ..jobs };
        let engine = engine_settings(config);
        let decisions = Decisions::of_others(Store::plugin_configs_in(&places.data)?);
        let parts = Parts { starter, catalog, engine, decisions, jobs };
        Ok(Self { assembly: Assembly::start(parts, store).await?, plugins, folder })
    }

    /// Waits until every plugin is up: what cannot work is known before the first stage runs. One that is disabled is
    /// left to the check of the pipeline.
    pub(crate) async fn ready(&self, on_step: &(dyn Fn(&str, Step<'_>) + Sync)) -> Result<(), Failure> {
        let mut waiting: Vec<&String> = self.plugins.iter().collect();
        while !waiting.is_empty() {
            let snapshot = self.assembly.engine.snapshot();
            let mut failed = None;
            waiting.retain(|name| match snapshot.plugins.get(*name) {
                Some(plugin) if plugin.starting().is_some() => {
                    on_step(name, Step::Starting(plugin.starting().unwrap_or_default()));
                    true
                }
                Some(plugin) if plugin.worker().is_some() => {
                    on_step(name, Step::Ready(plugin));
                    false
                }
                Some(plugin) => {
                    failed = failed.take().or_else(|| not_started(plugin));
                    false
                }
                None => false,
            });
            if let Some(failure) = failed {
                return Err(failure);
            }
            tokio::time::sleep(SETTLE_LOOK).await;
        }
        Ok(())
    }

    /// What the tool of each stage takes, where it is known.
    pub(crate) fn schemas(&self, pipeline: &Pipeline) -> Vec<Option<Value>> {
        let schema = |plugin: &str, tool: &str| {
            let plugin = self.assembly.engine.plugin(plugin).ok()?;
            Some(plugin.tool(tool)?.info.input_schema.clone())
        };
        let stages = pipeline.stages.iter();
        stages.map(|stage| schema(&stage.plugin.to_string(), &stage.tool)).collect()
    }

    /// Everything that is certain to go wrong, now that it is known what the tools take and return.
    pub(crate) async fn check(&self, pipeline: &Pipeline, input: &BTreeSet<String>) -> Result<(), Failure> {
        let mistakes = self.assembly.jobs.check(pipeline, Some(input)).await?;
        if mistakes.is_empty() { Ok(()) } else { Err(Failure::Mistakes(mistakes)) }
    }

    /// Hands the run in.
    pub(crate) async fn submit(&self, definition: Pipeline, input: Document) -> Result<Job, Failure> {
        let work = Work::Pipeline { definition, input };
        let submission = Submission { work, priority: 0, idempotency_key: None };
        let id = self.assembly.jobs.submit(submission).await.map_err(of_refusal)?;
        self.job(id).await
    }

    /// The job as it is now.
    pub(crate) async fn job(&self, id: JobId) -> Result<Job, Failure> {
        let job = self.assembly.jobs.job(id).await?;
        job.ok_or_else(|| Failure::Host { message: format!("job {id} is not in its own store") })
    }

    /// Everything that happens to a job, from its first event on.
    pub(crate) fn follow(&self, id: JobId) -> Following {
        self.assembly.jobs.follow(0, vec![id])
    }

    /// What a job came to.
    pub(crate) async fn outcome(&self, job: &Job) -> Result<Outcome, Failure> {
        Ok(self.assembly.jobs.outcome(job).await?)
    }

    /// What the plugins printed and logged.
    pub(crate) async fn lines(&self) -> Vec<Arc<LogLine>> {
        let instances: Vec<String> = self.plugins.iter().cloned().collect();
        let logs = self.assembly.engine.logs();
        logs.caught_up(&instances).await;
        let mut reading = logs.read(&instances, LogFilter::default(), Start::After(0));
        let mut lines = Vec::new();
        loop {
            let page = reading.next_kept().await;
            if page.is_empty() {
                return lines;
            }
            lines.extend(page);
        }
    }

    /// Ends what was handed in by the rungs of every cancellation, and waits until nothing of it runs.
    pub(crate) async fn cancel(&self) {
        let jobs = &self.assembly.jobs;
        let statuses = vec![JobStatus::Pending, JobStatus::Running];
        let filter = JobFilter { statuses, limit: 1, ..JobFilter::default() };
        let Ok(page) = jobs.jobs(filter).await else { return };
        for job in page.jobs {
            let mut events = self.follow(job.job_id);
            if jobs.cancel(job.job_id).await.is_err() {
                continue;
            }
            while let Ok(Some(told)) = events.next().await {
                if is_over(&told) {
                    break;
                }
            }
        }
    }

    /// Ends every worker in order, and removes the store.
    pub(crate) async fn stop(self) {
        let Self { assembly, plugins: _, folder } = self;
        // It is not put in order any more: it is gone.
        drop(assembly.stop(Duration::ZERO, async {}).await);
        drop(folder);
    }
}

/// Whether nothing of a cancelled job runs any more. Its plugin need not come up again for that.
fn is_over(told: &Followed) -> bool {
    let Followed::Event(event) = told else { return false };
    match &event.kind {
        EventKind::StateTransition { to, .. } => to.is_terminal(),
        EventKind::CancelPhaseChanged { to, .. } => {
            matches!(to, CancelPhase::Reloading | CancelPhase::Completed)
        }
        EventKind::ProgressChanged { .. }
        | EventKind::ResourceSnapshot { .. }
        | EventKind::RetryStarted { .. }
        | EventKind::BlockReasonChanged { .. }
        | EventKind::SequenceAdvanced { .. }
        | EventKind::PipelineMessage(_) => false,
    }
}

/// Why a plugin that should be up is not.
fn not_started(plugin: &PluginView) -> Option<Failure> {
    if let Some(error) = plugin.start_error() {
        return Some(Failure::NotStarted { plugin: plugin.name.clone(), error: Arc::clone(error) });
    }
    let health = plugin.health();
    let reason = health.reason?;
    Some(Failure::request(reason, health.hint.unwrap_or_default()))
}

fn of_refusal(error: SubmitError) -> Failure {
    match error {
        SubmitError::Pipeline(mistakes) => Failure::Mistakes(mistakes),
        SubmitError::Queue(JobRefusal::Store(error)) => Failure::Store(error),
        SubmitError::TooLarge => Failure::request(
            error.to_string(),
            "pass the path of a large file as a text, and let the tool read it",
        ),
        other => Failure::host("the run was not accepted", &other),
    }
}
