//! What the calls of a plugin used. Read from memory; nothing waits.

use super::plugins::find;
use crate::app::Shared;
use crate::extract::{Path, PluginPath};
use crate::openapi::{Docs, reading};
use crate::problem::Problem;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use hardpoint_model::usage::UsageRecord;
use schemars::JsonSchema;
use serde::Serialize;

/// What the calls of a plugin used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UsageAnswer {
    /// Under each of its last configurations, the one that was used last first.
    records: Vec<UsageRecord>,
}

pub(super) async fn usage(State(app): Shared, path: Path<PluginPath>) -> Result<Json<UsageAnswer>, Problem> {
    find(&app.engine, &path.0.name)?;
    Ok(Json(UsageAnswer { records: app.engine.usage(&path.0.name) }))
}

pub(super) fn usage_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginUsage", "What the calls of a plugin used")
        .description(
            "Processor, memory, memory of a GPU, duration and what the plugin accounted for itself, over all calls, streams and \
             tries of jobs that ended, for each configuration that they were made with. A call is among them a moment after \
             it ended. Empty where `usage.record` is off.",
        )
        .response::<200, Json<UsageAnswer>>()
        .one_plugin()
}
