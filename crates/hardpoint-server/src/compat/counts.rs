//! All plugins with how many of them there are in which condition, as `GET /v1/plugins/` tells it.
//!
//! Owns the shape of the answer.

use crate::app::Shared;
use crate::openapi::reading;
use crate::routes::Counts;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use hardpoint_model::health::PluginHealth;
use schemars::JsonSchema;
use serde::Serialize;

/// All plugins, counted, each with its default instance alone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CountedPlugins {
    /// All of them, sorted by name.
    plugins: Vec<PluginHealth>,
    /// How many there are.
    total: usize,
    /// Those that are LOADED, INITIALIZED or RUNNING.
    available: usize,
    /// Those that ran and broke.
    failed: usize,
    /// Those that lack something.
    unavailable: usize,
}

pub(crate) async fn counted(State(app): Shared) -> Json<CountedPlugins> {
    let snapshot = app.engine.snapshot();
    let Counts { available, failed, unavailable } = Counts::of(snapshot.defaults());
    let plugins: Vec<PluginHealth> = snapshot.defaults().map(|plugin| plugin.health()).collect();
    let total = plugins.len();
    Json(CountedPlugins { plugins, total, available, failed, unavailable })
}

pub(crate) fn counted_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listPluginsCounted", "All plugins with their health, counted")
        .description(
            "The default instances of `GET /v1/plugins` in an object, for clients that ask with a slash at the end.",
        )
        .tag("compat")
        .response::<200, Json<CountedPlugins>>()
}
