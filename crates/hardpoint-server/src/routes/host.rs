//! The host itself: whether it lives, and whether everything it was given works.

use crate::app::Shared;
use crate::openapi::reading;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::{PluginView, Snapshot};
use hardpoint_model::PluginState;
use hardpoint_model::health::{Liveness, PluginHealth};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// The host lives.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HostHealth {
    /// Always `healthy`: a host that is not does not answer.
    #[schemars(extend("const" = "healthy"))]
    status: &'static str,
    /// Its version.
    version: &'static str,
    /// Seconds since it began to serve.
    uptime_seconds: f64,
    /// Plugins that it knows.
    plugins_total: usize,
    /// Plugins that are LOADED, INITIALIZED or RUNNING.
    plugins_loaded: usize,
    /// Plugins that ran and broke.
    plugins_failed: usize,
    /// Plugins that lack something.
    plugins_unavailable: usize,
}

/// How many plugins are in which condition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// LOADED, INITIALIZED or RUNNING.
    pub(crate) available: usize,
    pub(crate) failed: usize,
    pub(crate) unavailable: usize,
}

impl Counts {
    pub(crate) fn of<'a>(plugins: impl Iterator<Item = &'a Arc<PluginView>>) -> Self {
        let states: Vec<PluginState> = plugins.map(|plugin| plugin.state()).collect();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let (failed, unavailable) = (count(PluginState::Failed), count(PluginState::Unavailable));
        Self { available: states.len() - failed - unavailable, failed, unavailable }
    }
}

pub(super) async fn health(State(app): Shared) -> Json<HostHealth> {
    let snapshot = app.engine.snapshot();
    let Counts { available, failed, unavailable } = Counts::of(snapshot.plugins.values());
    Json(HostHealth {
        status: "healthy",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.figures.started.elapsed().as_secs_f64(),
        plugins_total: snapshot.plugins.len(),
        plugins_loaded: available,
        plugins_failed: failed,
        plugins_unavailable: unavailable,
    })
}

pub(super) fn health_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getHealth", "Whether the host lives")
        .description("200 whatever its plugins do: for whoever restarts hosts that hang.")
        .tag("host")
        .response::<200, Json<HostHealth>>()
}

/// Whether everything works.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// Whether there is no reason against it.
    ready: bool,
    /// Why it is not, one sentence each.
    reasons: Vec<String>,
}

pub(super) async fn ready(State(app): Shared) -> Response {
    let reasons = reasons(&app.engine.snapshot(), app.engine.is_draining());
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons })).into_response()
}

pub(super) fn ready_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getReady", "Whether every plugin works")
        .description("For whoever sends work: 503 while a plugin is starting, is broken or hangs, and while the host is stopping. Disabled plugins do not count.")
        .tag("host")
        .response_with::<200, Json<Readiness>, _>(|r| r.description("Every enabled plugin takes calls"))
        .response_with::<503, Json<Readiness>, _>(|r| r.description("Some do not, for these reasons"))
}

fn reasons(snapshot: &Snapshot, draining: bool) -> Vec<String> {
    let stopping = draining.then(|| "the host is stopping".to_owned());
    let of_plugins =
        snapshot.plugins.values().filter_map(|plugin| reason(&plugin.health(), plugin.answers()));
    stopping.into_iter().chain(of_plugins).collect()
}

/// `answers`: a call of it is taken, if only after it has been started again.
fn reason(health: &PluginHealth, answers: bool) -> Option<String> {
    if !health.enabled {
        return None;
    }
    let name = &health.name;
    let why = health.reason.as_deref().unwrap_or("no reason is known");
    match health.state {
        PluginState::Failed | PluginState::Unavailable => {
            return Some(format!("plugin `{name}` is {}: {why}", health.state));
        }
        PluginState::Loaded | PluginState::Initialized | PluginState::Running => {}
    }
    if let Some(step) = health.starting.as_ref().filter(|_| !answers) {
        return Some(format!("plugin `{name}` is starting: {step}"));
    }
    match health.liveness {
        Liveness::Unresponsive => Some(format!("plugin `{name}` gives no sign of life")),
        Liveness::None | Liveness::Live | Liveness::Stuck => None,
    }
}
