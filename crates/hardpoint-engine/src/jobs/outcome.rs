//! What a job came to, as far as it is.
//!
//! Owns the way from its stages to one result. Must not know how that is written.

use super::Jobs;
use super::fold::{Document, Known};
use hardpoint_model::job::{Job, JobId};
use hardpoint_model::pipeline::Pass;
use hardpoint_model::{JobError, Pipeline};
use hardpoint_store::StoreError;
use hardpoint_wire::Payload;

/// What a job came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it runs, if it is a run of a pipeline.
    pub pipeline: Option<Pipeline>,
    /// The last output, or the merged document; of the stages that ended well, when not all of them did. `None`: nothing
    /// of it is there, or it is not kept any more.
    pub result: Option<Payload>,
    /// How many stages ended well.
    pub stages_executed: usize,
    /// The first stage that failed, counted from 1, and why.
    pub failure: Option<(usize, JobError)>,
}

impl Jobs {
    /// What a job runs, if it is a run of a pipeline.
    pub async fn definition(&self, id: JobId) -> Result<Option<Pipeline>, StoreError> {
        self.shared.store.pipeline_of(id).await
    }

    /// What a job came to, or has come to so far.
    pub async fn outcome(&self, job: &Job) -> Result<Outcome, StoreError> {
        let stages_executed = job.stages_executed();
        let pipeline = self.shared.store.pipeline_of(job.job_id).await?;
        let result = match &pipeline {
            None => self.output(job.job_id, 0).await?,
            Some(pipeline) => {
                let stages = u32::try_from(job.stages.len()).unwrap_or(u32::MAX);
                let outputs = self.shared.outputs.outputs(job.job_id, stages).await?;
                let input = match pipeline.pass {
                    Pass::Merge => self.shared.outputs.input(job.job_id).await?,
                    Pass::Output => Some(Document::new()),
                };
                let known = input.map(|input| Known { input, outputs });
                let known = known.filter(|known| whole(known, stages_executed));
                known.map(|known| known.result(pipeline.pass))
            }
        };
        Ok(Outcome { pipeline, result, stages_executed, failure: job.failure() })
    }
}

/// Whether everything that stages brought is still kept.
fn whole(known: &Known, stages_executed: usize) -> bool {
    known.outputs.iter().flatten().count() == stages_executed
}
