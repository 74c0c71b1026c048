//! What the run of a pipeline says while it goes on: each message once, with the change that it is about.
//!
//! Owns when there is one. A job of a single tool says nothing of the kind.

use super::Now;
use super::live::Live;
use hardpoint_model::JobError;
use hardpoint_model::job::{EventKind, JobStatus};
use hardpoint_model::pipeline::PipelineMessage;
use hardpoint_store::Op;

impl<R> Live<R> {
    /// A try of its stage began: the first one is told.
    pub(super) fn stage_began(&self, now: Now) -> Option<Op> {
        let stage = self.stage().filter(|stage| stage.attempts == 1)?;
        self.say(now, || PipelineMessage::PipelineStageStart {
            job_id: self.job.job_id,
            stage_index: self.number(),
            plugin: stage.plugin.to_string(),
            tool: stage.tool.clone(),
            timestamp: now.timestamp,
        })
    }

    /// Its stage is over, well, with so many bytes.
    pub(super) fn stage_succeeded(&self, bytes: u64, now: Now) -> Vec<Op> {
        let completed = self.job.stages.iter().filter(|stage| stage.status == JobStatus::Completed).count();
        // Its own stage becomes that in the same commit.
        let completed = u32::try_from(completed + 1).unwrap_or(u32::MAX);
        let total = u32::try_from(self.job.stages.len()).unwrap_or(u32::MAX);
        let progress = || PipelineMessage::progress(self.job.job_id, completed, total, now.timestamp);
        self.stage_ended(true, bytes, now).into_iter().chain(self.say(now, progress)).collect()
    }

    /// Its stage is over, and not well. One that was never begun says nothing.
    pub(super) fn stage_failed(&self, error: &JobError, now: Now) -> Vec<Op> {
        if self.attempts() == 0 {
            return Vec::new();
        }
        let failed = || PipelineMessage::PipelineError {
            job_id: self.job.job_id,
            stage_index: self.number(),
            plugin: self.instance(),
            error: error.message.clone(),
            error_type: error.error_type.clone(),
            timestamp: now.timestamp,
        };
        self.stage_ended(false, 0, now).into_iter().chain(self.say(now, failed)).collect()
    }

    fn stage_ended(&self, ok: bool, result_size_bytes: u64, now: Now) -> Option<Op> {
        let began = self.stage().and_then(|stage| stage.started_at);
        let millis = began.map_or(0, |began| now.timestamp.duration_since(began).as_millis());
        self.say(now, || PipelineMessage::PipelineStageEnd {
            job_id: self.job.job_id,
            stage_index: self.number(),
            plugin: self.instance(),
            duration_ms: u64::try_from(millis).unwrap_or(0),
            ok,
            result_size_bytes,
            timestamp: now.timestamp,
        })
    }

    fn say(&self, now: Now, message: impl FnOnce() -> PipelineMessage) -> Option<Op> {
        self.pipeline.as_ref().map(|_| self.event(EventKind::PipelineMessage(message()), now))
    }
}
