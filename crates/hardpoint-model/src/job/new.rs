//! A job to be: its record, and what it needs besides.

use super::{Job, JobId, JobStatus, Stage};
use crate::ids::PluginRef;
use crate::pipeline::Pipeline;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A job that nobody has accepted yet, or that a host takes up.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its record.
    pub job: Job,
    /// What it runs, if it is more than one tool.
    pub pipeline: Option<Pipeline>,
}

impl NewJob {
    /// A job of one tool, as of now.
    pub fn of_tool(plugin: PluginRef, tool: String, args: Map<String, Value>) -> Self {
        pending(vec![waiting(plugin, tool, args)]).into()
    }

    /// A run of a pipeline, as of now.
    pub fn of_pipeline(pipeline: Pipeline) -> Self {
        let stages = pipeline.stages.iter().map(|stage| {
            let args = stage.args.as_ref().unwrap_or(&stage.config).clone();
            waiting(stage.plugin.clone(), stage.tool.clone(), args)
        });
        let job = pending(stages.collect());
        Self { job, pipeline: Some(pipeline) }
    }
}

impl From<Job> for NewJob {
    /// A job as it is, of single tools.
    fn from(job: Job) -> Self {
        Self { job, pipeline: None }
    }
}

fn waiting(plugin: PluginRef, tool: String, args: Map<String, Value>) -> Stage {
    Stage {
        // As it is known everywhere else, so that whoever looks for its jobs finds them all.
        plugin: plugin.by_id(),
        tool,
        args,
        status: JobStatus::Pending,
        attempts: 0,
        error: None,
        output_bytes: None,
        started_at: None,
        ended_at: None,
    }
}

fn pending(stages: Vec<Stage>) -> Job {
    Job {
        job_id: JobId::now(),
        status: JobStatus::Pending,
        priority: 0,
        idempotency_key: None,
        pipeline_id: None,
        pipeline_version: None,
        resumes: None,
        stages,
        error: None,
        cancel_phase: None,
        submitted_at: Timestamp::now(),
        started_at: None,
        completed_at: None,
    }
}
