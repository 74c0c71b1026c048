//! Doing something with a plugin: starting, stopping, enabling, disabling.

use super::plugins::unknown;
use crate::app::{App, Shared};
use crate::extract::{Path, PluginPath, Query};
use crate::limits::SETTLE_SECONDS_MAX;
use crate::openapi::{Docs, changing};
use crate::problem::{Code, Mistake, Problem};
use crate::run::{of_refusal, refused};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::{Refusal, Verb};
use hardpoint_model::JobError;
use hardpoint_model::health::PluginDetail;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How long to wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    /// How long to wait until the plugin has settled; the server's setting when absent.
    #[schemars(range(min = 0, max = 3600), skip_serializing_if = "Option::is_none")]
    pub(super) wait_seconds: Option<f64>,
}

/// How long whoever asks wants to wait.
pub(super) fn patience(wait_seconds: Option<f64>, app: &App) -> Result<Duration, Problem> {
    let Some(seconds) = wait_seconds else { return Ok(app.settings.settle_timeout) };
    if (0.0..=f64::from(SETTLE_SECONDS_MAX)).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let detail = format!("`wait_seconds` must be from 0 to {SETTLE_SECONDS_MAX}");
    let mistake = Mistake::at("/wait_seconds", detail.clone());
    Err(Problem::new(Code::BadQuery, detail).errors(vec![mistake]))
}

async fn ask(app: &App, name: &str, query: &WaitQuery, verb: Verb) -> Result<Response, Problem> {
    let patience = patience(query.wait_seconds, app)?;
    match app.engine.ask(name, verb, patience).await {
        Ok(answer) => {
            let status = if answer.done { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(answer.plugin.detail())).into_response())
        }
        Err(refusal) => Err(problem(name, &refusal)),
    }
}

/// What the engine refuses to whoever wants something of a plugin.
pub(crate) fn problem(name: &str, refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::UnknownPlugin { .. } => unknown(name, refusal),
        Refusal::NotReady { .. } | Refusal::Disabled(_) | Refusal::Busy(_) => {
            refused(refusal, Code::StateConflict)
        }
        Refusal::HostBusy => refused(refusal, Code::HostBusy),
        Refusal::Stopping => refused(refusal, Code::HostStopping),
        Refusal::NoRoom(_) => refused(refusal, Code::ResourceShortage),
        Refusal::Store(_) => refused(refusal, of_refusal(refusal)),
        // Somebody else stopped or restarted it meanwhile.
        Refusal::Hook(error) if lost(error) => {
            refused(refusal, Code::StateConflict).hint("it was stopped or started anew meanwhile; try again")
        }
        Refusal::Hook(_) => refused(refusal, Code::HookFailed)
            .hint(format!("`GET /v1/plugins/{name}/logs` shows what it printed")),
    }
}

fn lost(error: &JobError) -> bool {
    error.is_of_host() && matches!(error.error_type.as_str(), "WorkerLost" | "WorkerBusy")
}

macro_rules! verbs {
    ($($handler:ident $docs:ident $verb:ident $id:literal $summary:literal $more:literal),* $(,)?) => {$(
        pub(super) async fn $handler(
            State(app): Shared,
            path: Path<PluginPath>,
            query: Query<WaitQuery>,
        ) -> Result<Response, Problem> {
            ask(&app, &path.0.name, &query.0, Verb::$verb).await
        }

        pub(super) fn $docs(op: TransformOperation) -> TransformOperation {
            documented(op, $id, $summary, $more)
        }
    )*};
}

verbs! {
    load load_docs Load "loadPlugin" "Start a plugin"
        "Finds plugins that were put into the folder since. Nothing happens when it lives already. Hosts that are \
         started later start it, too.",
    unload unload_docs Unload "unloadPlugin" "Stop a plugin"
        "Calls in flight may finish; the plugin is LOADED afterwards and takes no calls until it is loaded. Hosts that \
         are started later do not start it.",
    restart restart_docs Restart "restartPlugin" "Start a plugin anew"
        "A new incarnation, with what is in its folder now; the way out of FAILED and UNAVAILABLE.",
    enable enable_docs Enable "enablePlugin" "Allow calls"
        "Runs the plugin's `on_enable` hook. It stays so when the host is started again, whatever the configuration says.",
    disable disable_docs Disable "disablePlugin" "Refuse calls"
        "New calls are refused; those in flight finish, then the plugin's `on_disable` hook runs. It stays so when the \
         host is started again.",
    prefetch prefetch_docs Prefetch "prefetchPlugin" "Let a plugin make itself warm"
        "Runs the plugin's `prefetch` hook: loading a model before the first call, for example.",
}

fn documented<'t>(op: TransformOperation<'t>, id: &str, summary: &str, more: &str) -> TransformOperation<'t> {
    changing(op, id, summary)
        .description(more)
        .response_with::<200, Json<PluginDetail>, _>(|r| r.description("It is done; the plugin afterwards"))
        .response_with::<202, Json<PluginDetail>, _>(|r| r.description("It goes on; the plugin so far"))
        .one_plugin()
        .problems(&[Code::BadQuery, Code::StateConflict, Code::HookFailed, Code::HostStopping])
        .problems(&[Code::HostBusy, Code::StoreUnavailable, Code::Internal])
}
