//! Looking at saved pipelines: all of them, one of them, and what is known of their runs.

use super::failure::unknown;
use crate::app::{App, Shared};
use crate::disk;
use crate::extract::{Path, PipelinePath, Query};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use hardpoint_model::Pipeline;
use hardpoint_store::SavedPipeline;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A saved pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PipelineView {
    /// Its name.
    id: String,
    /// Counted from 1; a run keeps the version that it began with.
    version: u32,
    /// When its first version was saved.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When this version was saved.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
    /// When it was last run.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used: Option<Timestamp>,
    /// How many runs there are, whatever their version and however they ended.
    runs: u64,
    /// How many of those that completed or failed completed, from 0 to 1; null without any.
    success_rate: Option<f64>,
    /// For each stage, how long its finished tries took in the last runs.
    stage_times: Vec<StageTimes>,
    /// What it is.
    #[serde(flatten)]
    definition: Pipeline,
}

/// How long the finished tries of a stage took.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StageTimes {
    /// How many were looked at.
    samples: usize,
    /// Half of them took no longer, in milliseconds.
    p50_ms: Option<f64>,
    /// 95 of 100 took no longer, in milliseconds.
    p95_ms: Option<f64>,
}

/// Which version.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionQuery {
    /// The latest when absent.
    #[schemars(range(min = 1, max = 4_294_967_295_u32), skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

/// `GET /v1/pipelines`
pub(crate) async fn list(State(app): Shared) -> Result<Json<Vec<PipelineView>>, Problem> {
    let saved = app.jobs.pipelines().await.map_err(|e| disk::refused(&e))?;
    let mut views = Vec::with_capacity(saved.len());
    for one in saved {
        views.push(view(&app, one).await?);
    }
    Ok(Json(views))
}

/// `GET /v1/pipelines/{id}`
pub(crate) async fn show(
    State(app): Shared,
    path: Path<PipelinePath>,
    query: Query<VersionQuery>,
) -> Result<Json<PipelineView>, Problem> {
    let found = app.jobs.pipeline(&path.0.id, query.0.version).await.map_err(|e| disk::refused(&e))?;
    let saved = found.ok_or_else(|| unknown(&path.0.id))?;
    view(&app, saved).await.map(Json)
}

/// A saved pipeline with what is known of its runs.
pub(super) async fn view(app: &App, saved: SavedPipeline) -> Result<PipelineView, Problem> {
    let runs = app.jobs.pipeline_runs(&saved.id).await.map_err(|e| disk::refused(&e))?;
    let mut stage_times: Vec<StageTimes> = runs.stage_ms.iter().map(|times| StageTimes::of(times)).collect();
    stage_times.resize_with(saved.definition.stages.len(), || StageTimes::of(&[]));
    Ok(PipelineView {
        id: saved.id,
        version: saved.version,
        created_at: saved.created_at,
        updated_at: saved.updated_at,
        last_used: runs.last_used,
        runs: runs.runs,
        success_rate: rate(runs.completed, runs.failed),
        stage_times,
        definition: saved.definition,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^52")]
fn rate(completed: u64, failed: u64) -> Option<f64> {
    let ended = completed + failed;
    (ended > 0).then(|| completed as f64 / ended as f64)
}

impl StageTimes {
    /// Of times in ascending order.
    fn of(sorted: &[f64]) -> Self {
        let at = |share: usize| sorted.get((sorted.len() * share).div_ceil(100).max(1) - 1).copied();
        Self { samples: sorted.len(), p50_ms: at(50), p95_ms: at(95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<f64> = (1..=100).map(f64::from).collect();
        let of = |times: &[f64]| {
            let times = StageTimes::of(times);
            (times.samples, times.p50_ms, times.p95_ms)
        };
        assert_eq!(of(&times), (100, Some(50.0), Some(95.0)));
        assert_eq!(of(&[7.0]), (1, Some(7.0), Some(7.0)));
        assert_eq!(of(&[]), (0, None, None));
    }

    #[test]
    fn what_was_cancelled_or_runs_says_nothing_of_success() {
        assert_eq!((rate(0, 0), rate(3, 1), rate(0, 2)), (None, Some(0.75), Some(0.0)));
    }
}
