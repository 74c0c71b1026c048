//! Looking at plugins. Everything is read from the snapshot; nothing waits.

use crate::app::Shared;
use crate::compat;
use crate::extract::{Path, PluginPath};
use crate::openapi::{Docs, reading};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use hardpoint_engine::{Engine, PluginView, Refusal};
use hardpoint_model::health::{PluginDetail, PluginHealth};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The plugin of a path, or 404.
pub(super) fn find(engine: &Engine, name: &str) -> Result<Arc<PluginView>, Problem> {
    engine.plugin(name).map_err(|refusal| unknown(name, &refusal))
}

pub(super) fn unknown(name: &str, refusal: &Refusal) -> Problem {
    let hint = match refusal {
        Refusal::UnknownPlugin { known, .. } if !known.is_empty() => {
            format!("there are {}", known.join(", "))
        }
        _ => "`GET /v1/plugins` lists every plugin".to_owned(),
    };
    Problem::new(Code::UnknownPlugin, format!("Plugin '{name}' not found")).hint(hint)
}

pub(super) async fn list(State(app): Shared) -> Json<Vec<PluginHealth>> {
    Json(app.engine.snapshot().plugins.values().map(|plugin| plugin.health()).collect())
}

pub(super) fn list_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listPlugins", "All plugins with their health")
        .description("Sorted by name. Every plugin of the plugins folder is there, whatever became of it.")
        .tag("plugins")
        .response::<200, Json<Vec<PluginHealth>>>()
}

pub(super) async fn show(State(app): Shared, path: Path<PluginPath>) -> Result<Json<PluginDetail>, Problem> {
    Ok(Json(find(&app.engine, &path.0.name)?.detail()))
}

pub(super) fn show_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPlugin", "Everything about one plugin").response::<200, Json<PluginDetail>>().one_plugin()
}

pub(super) async fn health(
    State(app): Shared,
    path: Path<PluginPath>,
) -> Result<Json<PluginHealth>, Problem> {
    Ok(Json(find(&app.engine, &path.0.name)?.health()))
}

pub(super) fn health_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginHealth", "The health of one plugin")
        .description("Answered from a snapshot: it never waits for the plugin, whatever that is doing.")
        .response::<200, Json<PluginHealth>>()
        .one_plugin()
}

/// What a plugin declares.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ManifestAnswer {
    /// The plugin's manifest with its defaults filled in; null when the file cannot be used.
    manifest: Option<Map<String, Value>>,
    /// What is wrong with the file; null when it can be used.
    manifest_error: Option<String>,
    /// The same in the form of other hosts: that of the plugin's own `manifest.json`, or one made from its tools.
    #[serde(flatten)]
    compat: Map<String, Value>,
}

pub(super) async fn manifest(
    State(app): Shared,
    path: Path<PluginPath>,
) -> Result<Json<ManifestAnswer>, Problem> {
    let plugin = find(&app.engine, &path.0.name)?;
    let (manifest, manifest_error) = match &plugin.installed.manifest {
        Ok(manifest) => {
            let value = serde_json::to_value(manifest).ok();
            let manifest = value.and_then(|value| match value {
                Value::Object(map) => Some(map),
                _ => None,
            });
            (manifest, compat::manifest_error(&plugin))
        }
        Err(diagnostics) => (None, Some(diagnostics.to_string())),
    };
    Ok(Json(ManifestAnswer { manifest, manifest_error, compat: compat::manifest(&plugin) }))
}

pub(super) fn manifest_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginManifest", "What a plugin declares")
        .description(
            "200 for every plugin; `manifest_error` says what is wrong with a file that cannot be used. The fields beside \
             `manifest` are the same in the form of other hosts.",
        )
        .response::<200, Json<ManifestAnswer>>()
        .one_plugin()
}

/// One tool of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ToolAnswer {
    /// Its name.
    name: String,
    /// What it does, or empty.
    description: String,
    /// JSON Schema of its arguments.
    input_schema: Value,
    /// JSON Schema of its result; for a streaming tool, of what it yields.
    output_schema: Value,
    /// Whether it yields items before its result.
    streaming: bool,
    /// How long a call may take, in seconds.
    timeout_seconds: f64,
}

pub(super) async fn tools(
    State(app): Shared,
    path: Path<PluginPath>,
) -> Result<Json<Vec<ToolAnswer>>, Problem> {
    let plugin = find(&app.engine, &path.0.name)?;
    let limits = plugin.manifest().map(|manifest| &manifest.limits);
    let timeout = |tool: &str, own: Option<f64>| {
        let limits = limits?;
        let of_tool = limits.tools.get(tool).and_then(|tool| tool.timeout_seconds);
        Some(
            of_tool
                .map(|seconds| seconds.as_duration().as_secs_f64())
                .or(own)
                .unwrap_or_else(|| limits.timeout_seconds.as_duration().as_secs_f64()),
        )
    };
    let tools = plugin.tools().into_iter().map(|tool| ToolAnswer {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
        output_schema: tool.output_schema.clone(),
        streaming: tool.streaming,
        timeout_seconds: timeout(&tool.name, tool.timeout_seconds).unwrap_or_default(),
    });
    Ok(Json(tools.collect()))
}

pub(super) fn tools_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginTools", "The tools of a plugin")
        .description("As the plugin announced them when it became ready; empty while it is not.")
        .response::<200, Json<Vec<ToolAnswer>>>()
        .one_plugin()
}
