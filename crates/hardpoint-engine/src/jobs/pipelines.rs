//! Saved pipelines: kept with their versions, checked before they are, and what is known of their runs.
//!
//! Owns names and versions. Must not know HTTP.

use super::check::{self, Mistake, Plugins};
use super::{Jobs, limits::PIPELINES_MAX};
use hardpoint_model::Pipeline;
use hardpoint_store::{Op, PipelineRuns, SavedPipeline, StoreError};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Why a pipeline was not saved.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SaveError {
    /// It cannot work.
    #[error("the pipeline cannot work")]
    Mistakes(Vec<Mistake>),
    /// There is one of this name already.
    #[error("there is a pipeline `{0}` already")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no pipeline `{0}`")]
    Unknown(String),
    /// There are as many as there may be.
    #[error("there are {PIPELINES_MAX} pipelines already")]
    Full,
    /// The disk refused it.
    #[error("it could not be kept: {0}")]
    Store(#[from] StoreError),
}

/// Whether a pipeline of that name is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// There must be none.
    New,
    /// There must be one: this is its next version.
    Next,
}

impl Jobs {
    /// Everything about a definition that is certain to go wrong. `input`: the names that a run will be given, if they
    /// are known.
    pub async fn check(
        &self,
        pipeline: &Pipeline,
        input: Option<&BTreeSet<String>>,
    ) -> Result<Vec<Mistake>, StoreError> {
        let saved: BTreeSet<String> =
            self.shared.store.saved_pipelines().await?.into_iter().map(|saved| saved.id).collect();
        Ok(check::check(&Plugins::Of(&self.engine), pipeline, &saved, input))
    }

    /// Saves a pipeline under a name. When this returns, it is on disk.
    pub async fn save_pipeline(
        &self,
        id: &str,
        mut definition: Pipeline,
        saving: Saving,
    ) -> Result<SavedPipeline, SaveError> {
        let mistakes = self.check(&definition, None).await?;
        if !mistakes.is_empty() {
            return Err(SaveError::Mistakes(mistakes));
        }
        // One at a time: whether there is one already must still be true when it is written.
        let _turn = self.shared.saving.lock().await;
        let there = self.shared.store.saved_pipeline(id.to_owned(), None).await?.is_some();
        match (saving, there) {
            (Saving::New, true) => return Err(SaveError::Exists(id.to_owned())),
            (Saving::Next, false) => return Err(SaveError::Unknown(id.to_owned())),
            (Saving::New, false) | (Saving::Next, true) => {}
        }
        if !there && self.shared.store.saved_pipelines().await?.len() >= PIPELINES_MAX {
            return Err(SaveError::Full);
        }
        definition.name = Some(id.to_owned());
        let op =
            Op::SavePipeline { id: id.to_owned(), definition: Box::new(definition), at: Timestamp::now() };
        self.shared.store.enqueue_apart(vec![op]).await?;
        let saved = self.shared.store.saved_pipeline(id.to_owned(), None).await?;
        saved.ok_or_else(|| SaveError::Unknown(id.to_owned()))
    }

    /// Forgets a saved pipeline; its runs go on and stay. `false`: there was none.
    pub async fn delete_pipeline(&self, id: &str) -> Result<bool, StoreError> {
        let _turn = self.shared.saving.lock().await;
        let there = self.shared.store.saved_pipeline(id.to_owned(), None).await?.is_some();
        if there {
            self.shared.store.enqueue_apart(vec![Op::DeletePipeline(id.to_owned())]).await?;
        }
        Ok(there)
    }

    /// All saved pipelines, by name.
    pub async fn pipelines(&self) -> Result<Vec<SavedPipeline>, StoreError> {
        self.shared.store.saved_pipelines().await
    }

    /// A version of a saved pipeline; the latest without a number.
    pub async fn pipeline(
        &self,
        id: &str,
        version: Option<u32>,
    ) -> Result<Option<SavedPipeline>, StoreError> {
        self.shared.store.saved_pipeline(id.to_owned(), version).await
    }

    /// What is known of the runs of a pipeline.
    pub async fn pipeline_runs(&self, id: &str) -> Result<PipelineRuns, StoreError> {
        self.shared.store.pipeline_runs(id.to_owned()).await
    }
}
