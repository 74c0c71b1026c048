//! From a wish to a job that is on disk.
//!
//! Owns what is checked and written before a job is accepted, and its removal when it is not. Must not know how wishes
//! come in.

use super::core::{Input, JobRefusal, Resumed};
use super::fold::Document;
use super::submission::{Submission, SubmitError, Work};
use super::{Jobs, files, given};
use crate::call::Refusal;
use hardpoint_model::job::{Job, JobId, JobStatus, NewJob, Stage};
use hardpoint_model::{Pipeline, PluginRef};
use hardpoint_store::GivenKept;
use hardpoint_wire::Payload;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// A job to be, and what is to be kept of what it is given.
struct Wanted {
    new: NewJob,
    given: Option<Payload>,
    resumed: Option<Resumed>,
}

impl Wanted {
    fn new(new: NewJob, given: Option<Payload>) -> Self {
        Self { new, given, resumed: None }
    }
}

impl Jobs {
    /// Accepts a job. When this returns, it is on disk.
    pub async fn submit(&self, submission: Submission) -> Result<JobId, SubmitError> {
        let jobs = self.clone();
        // To its end, also when nobody waits for it any more: a file must not stay without its job.
        let accepted = tokio::spawn(async move { jobs.accept(submission).await });
        accepted.await.unwrap_or(Err(SubmitError::Queue(JobRefusal::Stopping)))
    }

    async fn accept(&self, submission: Submission) -> Result<JobId, SubmitError> {
        let Submission { work, priority, idempotency_key: key } = submission;
        let Wanted { mut new, given, resumed } = match work {
            Work::Tool { plugin, tool, args } => self.of_tool(plugin, tool, args)?,
            Work::Pipeline { definition, input } => self.of_pipeline(definition, input).await?,
            Work::Saved { id, input } => self.of_saved(id, input).await?,
            Work::Rest(of) => self.rest_of(of).await?,
        };
        let id = new.job.job_id;
        (new.job.priority, new.job.idempotency_key) = (priority, key.clone());
        let outputs = &self.shared.outputs;
        let given = match given {
            Some(given) => Some(Box::new(outputs.keep_given(id, given, self.shared.sync_inputs).await?)),
            None => None,
        };
        let written = given.iter().flat_map(|given| files::names(&given.blobs));
        let linked = resumed.iter().flat_map(|resumed| &resumed.files).map(|(_, new)| new);
        let names: Vec<String> = written.chain(linked).cloned().collect();
        let (reply, answer) = oneshot::channel();
        let input = Input::Submit { new: Box::new(new), given, resumed, reply };
        let accepted = match self.ask(input, answer).await {
            Ok(accepted) => accepted.ok_or(SubmitError::Queue(JobRefusal::Stopping)),
            Err(refusal) => {
                let before = self.accepted_before(&refusal, key).await;
                before.ok_or(SubmitError::Queue(refusal))
            }
        };
        let is_there = match &accepted {
            // It may be an earlier one of the same key.
            Ok(accepted) => *accepted == id,
            // It may be on disk all the same: what belongs to no job is removed at the next start.
            Err(SubmitError::Queue(JobRefusal::Stopping)) => true,
            Err(_) => false,
        };
        if !is_there {
            outputs.forget(id);
            outputs.remove_files(&names);
        }
        accepted
    }

    /// A queue that is full has no place for another job, but for the name of one that it has.
    async fn accepted_before(&self, refusal: &JobRefusal, key: Option<String>) -> Option<JobId> {
        match refusal {
            JobRefusal::QueueFull(_) => self.shared.store.job_of_key(key?).await.ok().flatten(),
            JobRefusal::NotAlive(_)
            | JobRefusal::NotPending(_)
            | JobRefusal::Busy
            | JobRefusal::Store(_)
            | JobRefusal::Stopping => None,
        }
    }

    /// What holds no binary data stands at its stage, and nowhere else.
    fn of_tool(&self, plugin: PluginRef, tool: String, args: Document) -> Result<Wanted, SubmitError> {
        self.check_plugin(&plugin)?;
        let args = Payload::object(args);
        let given = (!args.blobs.is_empty()).then(|| args.clone());
        Ok(Wanted::new(NewJob::of_tool(plugin, tool, given::shown(args)), given))
    }

    fn check_plugin(&self, plugin: &PluginRef) -> Result<(), SubmitError> {
        let view = self.engine.referred(plugin).map_err(SubmitError::Plugin)?;
        if view.is_enabled() {
            Ok(())
        } else {
            Err(SubmitError::Plugin(Refusal::Disabled(view.name.clone())))
        }
    }

    async fn of_pipeline(&self, definition: Pipeline, input: Document) -> Result<Wanted, SubmitError> {
        self.check_pipeline(&definition, &input.keys().cloned().collect()).await?;
        Ok(Wanted::new(NewJob::of_pipeline(definition), Some(Payload::object(input))))
    }

    async fn check_pipeline(
        &self,
        definition: &Pipeline,
        input: &BTreeSet<String>,
    ) -> Result<(), SubmitError> {
        let mistakes = self.check(definition, Some(input)).await?;
        if mistakes.is_empty() { Ok(()) } else { Err(SubmitError::Pipeline(mistakes)) }
    }

    async fn of_saved(&self, id: String, input: Document) -> Result<Wanted, SubmitError> {
        let saved = self.pipeline(&id, None).await?.ok_or(SubmitError::UnknownPipeline(id))?;
        let mut wanted = self.of_pipeline(saved.definition, input).await?;
        let job = &mut wanted.new.job;
        (job.pipeline_id, job.pipeline_version) = (Some(saved.id), Some(saved.version));
        Ok(wanted)
    }

    /// The same job once more, with what its finished stages brought.
    async fn rest_of(&self, of: JobId) -> Result<Wanted, SubmitError> {
        let failed = self.job(of).await?.ok_or(SubmitError::UnknownJob(of))?;
        if failed.status != JobStatus::Failed {
            return Err(SubmitError::NotFailed(of, failed.status));
        }
        let mut new = self.again(&failed).await?;
        let finished = failed.stages.iter().take_while(|stage| stage.status == JobStatus::Completed);
        let finished: Vec<Stage> = finished.cloned().collect();
        let stages = u32::try_from(finished.len()).unwrap_or(u32::MAX);
        for number in 0..stages {
            if self.shared.store.output(of, number).await?.is_none() {
                return Err(SubmitError::Forgotten(of));
            }
        }
        let files = self.shared.store.files_of(of, stages).await?;
        let files =
            self.shared.outputs.link(files, new.job.job_id).map_err(|_| SubmitError::Forgotten(of))?;
        for (stage, done) in new.job.stages.iter_mut().zip(finished) {
            // Its tries are those of the other job.
            *stage = Stage { attempts: 0, ..done };
        }
        new.job.pipeline_id = failed.pipeline_id;
        new.job.pipeline_version = failed.pipeline_version;
        new.job.resumes = Some(of);
        Ok(Wanted { new, given: None, resumed: Some(Resumed { from: of, stages, files }) })
    }

    /// A job of the same work, if it can still be given the same.
    async fn again(&self, failed: &Job) -> Result<NewJob, SubmitError> {
        let of = failed.job_id;
        let given = match self.shared.store.given(of).await? {
            None => return Err(SubmitError::UnknownJob(of)),
            Some(GivenKept::Forgotten) => return Err(SubmitError::Forgotten(of)),
            Some(GivenKept::Whole(given)) => given.value,
            Some(GivenKept::Arguments(args)) => Value::Object(args),
        };
        if let Some(definition) = self.shared.store.pipeline_of(of).await? {
            // The names are all that counts here.
            let fields = Payload { value: given, blobs: Vec::new() }.into_fields();
            let names = fields.unwrap_or_default().into_iter().map(|(name, _)| name);
            self.check_pipeline(&definition, &names.collect()).await?;
            return Ok(NewJob::of_pipeline(definition));
        }
        let stage = failed.stages.first().cloned().ok_or(SubmitError::UnknownJob(of))?;
        self.check_plugin(&stage.plugin)?;
        Ok(NewJob::of_tool(stage.plugin, stage.tool, stage.args))
    }
}
