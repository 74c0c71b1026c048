//! Reloading plugins: a restart, told in the words of other clients.
//!
//! Owns the two answers. What a restart is, the engine knows.

use crate::app::{App, Shared};
use crate::extract::{Path, PluginPath};
use crate::openapi::{Docs, changing};
use crate::problem::{Code, Problem};
use crate::routes::verb_refused;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use futures_util::future;
use hardpoint_engine::{Answer, Refusal, Verb};
use hardpoint_model::PluginState;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of a plugin that was to be reloaded.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reloaded {
    /// `reloaded`, or `failed`.
    status: Outcome,
    /// The plugin.
    plugin: String,
    /// Why it takes no calls; only there when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Reloaded,
    Failed,
}

/// What became of all plugins.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AllReloaded {
    /// Whether every one takes calls.
    success: bool,
    /// Those that do.
    reloaded: Vec<String>,
    /// Those that do not.
    failed: Vec<String>,
    /// How many there are.
    total: usize,
    /// Why those that failed did, by name; null when none did.
    errors: Option<BTreeMap<String, String>>,
}

pub(crate) async fn reload(State(app): Shared, path: Path<PluginPath>) -> Result<Json<Reloaded>, Problem> {
    let plugin = path.0.name;
    let answer = restarted(&app, &plugin).await.map_err(|refusal| verb_refused(&plugin, &refusal))?;
    let reason = broken(&answer);
    let status = if reason.is_some() { Outcome::Failed } else { Outcome::Reloaded };
    Ok(Json(Reloaded { status, plugin, reason }))
}

pub(crate) async fn reload_all(State(app): Shared) -> Result<Json<AllReloaded>, Problem> {
    if app.engine.is_draining() {
        return Err(verb_refused("", &Refusal::Stopping));
    }
    let names: Vec<String> = app.engine.snapshot().plugins.keys().cloned().collect();
    let restarts = names.iter().map(|name| restarted(&app, name));
    let answers = future::join_all(restarts).await;
    let (total, mut reloaded, mut errors) = (names.len(), Vec::new(), BTreeMap::new());
    for (name, answer) in names.into_iter().zip(answers) {
        match answer.map_or_else(|refusal| Some(refusal.to_string()), |answer| broken(&answer)) {
            None => reloaded.push(name),
            Some(why) => drop(errors.insert(name, why)),
        }
    }
    let failed: Vec<String> = errors.keys().cloned().collect();
    let errors = Some(errors).filter(|errors| !errors.is_empty());
    Ok(Json(AllReloaded { success: failed.is_empty(), reloaded, failed, total, errors }))
}

async fn restarted(app: &App, plugin: &str) -> Result<Answer, Refusal> {
    app.engine.ask(plugin, Verb::Restart, app.settings.settle_timeout).await
}

/// Why it takes no calls after its restart.
fn broken(answer: &Answer) -> Option<String> {
    let plugin = &answer.plugin;
    match plugin.state() {
        PluginState::Initialized | PluginState::Running => None,
        PluginState::Loaded | PluginState::Failed | PluginState::Unavailable => {
            let step = || plugin.starting().map_or_else(String::new, |step| format!(": {step}"));
            Some(plugin.reason().map_or_else(|| format!("it is still starting{}", step()), str::to_owned))
        }
    }
}

pub(crate) fn reload_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "reloadPlugin", "Start a plugin anew, and say whether it takes calls")
        .description(
            "The verb `restart` in the words of other clients. Waits as long as the server's setting says; 200 also when the \
             plugin is FAILED or UNAVAILABLE afterwards, with the reason.",
        )
        .tag("compat")
        .response::<200, Json<Reloaded>>()
        .one_plugin()
        .problems(&REFUSALS)
}

pub(crate) fn reload_all_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "reloadAllPlugins", "Start every plugin anew")
        .tag("compat")
        .response::<200, Json<AllReloaded>>()
        .problems(&REFUSALS)
}

const REFUSALS: [Code; 5] =
    [Code::StateConflict, Code::HostStopping, Code::HostBusy, Code::StoreUnavailable, Code::Internal];
