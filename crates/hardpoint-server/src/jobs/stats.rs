//! `GET /v1/jobs/stats`: how many jobs there are and were.
//!
//! Read from counts that the store keeps: it costs the same whatever their number.

use crate::app::Shared;
use crate::disk;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use hardpoint_store::{Counts, Statistics};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How many jobs there are and were.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatsAnswer {
    /// Of all plugins.
    #[serde(flatten)]
    all: Totals,
    /// How long the job has waited that has waited longest, in seconds; null when none waits.
    oldest_pending_seconds: Option<f64>,
    /// By plugin, sorted by name; at most 1000.
    plugins: Vec<PluginStats>,
}

/// How many there are of each status. Those that are over are counted whether they are still kept or not.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Totals {
    /// Those that wait.
    #[serde(rename = "total_pending")]
    pending: u64,
    /// Those that run.
    #[serde(rename = "total_running")]
    running: u64,
    /// Those that ended well.
    #[serde(rename = "total_completed")]
    completed: u64,
    /// Those that failed for good.
    #[serde(rename = "total_failed")]
    failed: u64,
    /// Those that somebody cancelled.
    #[serde(rename = "total_cancelled")]
    cancelled: u64,
}

/// How many stages of jobs there are and were of one plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PluginStats {
    /// The plugin, or an instance of one.
    plugin_id: String,
    /// Of this plugin.
    #[serde(flatten)]
    totals: Totals,
}

pub(crate) async fn stats(State(app): Shared) -> Result<Json<StatsAnswer>, Problem> {
    let found = app.jobs.statistics().await.map_err(|e| disk::refused(&e))?;
    Ok(Json(answer(found, Timestamp::now())))
}

fn answer(found: Statistics, now: Timestamp) -> StatsAnswer {
    let waited = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
    let plugins = found
        .plugins
        .into_iter()
        .map(|(plugin_id, counts)| PluginStats { plugin_id, totals: totals(counts) });
    StatsAnswer {
        all: totals(found.jobs),
        oldest_pending_seconds: found.oldest_pending.map(waited),
        plugins: plugins.collect(),
    }
}

fn totals(counts: Counts) -> Totals {
    let Counts { pending, running, completed, failed, cancelled } = counts;
    Totals { pending, running, completed, failed, cancelled }
}
