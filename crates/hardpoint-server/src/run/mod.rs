//! Running a tool: arguments in, result, stream or typed failure out.
//!
//! Owns the body of the run route. Must not decide whether a call may be made: the engine does.

mod answer;
mod arguments;
mod aside;
mod body;
mod collect;
mod events;
mod failure;
mod form;
mod status;
mod stream;
mod values;

pub(crate) use answer::RunDone;
pub(crate) use arguments::{RunRequest, check_markers, escaped, may_hold_markers, misfit, parse};
pub(crate) use aside::aside;
pub(crate) use body::Bounded;
pub(crate) use events::Event;
pub(crate) use failure::refused;
pub(crate) use status::of_refusal;
pub(crate) use values::to_json;

use crate::accept;
use crate::app::{App, Shared};
use crate::extract::{Path, ToolPath};
use answer::Subject;
use arguments::Order;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::PluginView;
use hardpoint_supervisor::CallRequest;
use std::sync::Arc;
use stream::Format;

/// `POST /v1/plugins/{name}/tools/{tool}/run`
pub(crate) async fn run(State(app): Shared, path: Path<ToolPath>, request: Request<Body>) -> Response {
    let subject = Subject::new(path.0);
    match begin(&app, &subject, request).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn begin(
    app: &Arc<App>,
    subject: &Subject,
    request: Request<Body>,
) -> Result<Response, Box<crate::problem::FailedRun>> {
    let format = wanted(request.headers());
    let order =
        arguments::read(request, app.settings.body_bytes_max).await.map_err(|p| subject.problem(p))?;
    let plugin = app.engine.plugin(&subject.plugin).map_err(|refusal| subject.refused(&refusal))?;
    let streams = check(&plugin, subject, &order)?;
    let call = CallRequest {
        tool: subject.tool.clone(),
        args: order.args,
        timeout: order.timeout.into(),
        job: None,
    };
    match format {
        Format::Json if streams => collect::answer(app, subject, call).await,
        Format::Json => match app.engine.call(&subject.plugin, call).await {
            Ok(done) => answer::document(subject, done, None).await,
            Err(failure) => Err(subject.failed(failure)),
        },
        Format::Lines | Format::Events => {
            let running = app.engine.begin(&subject.plugin, call).await;
            let running = running.map_err(|failure| subject.failed(failure))?;
            Ok(stream::response(app, subject.clone(), running, format))
        }
    }
}

/// Whether the tool streams. A tool that is not there, or arguments that do not fit it, are told here, where
/// it is known which place of the body is wrong. While the plugin has no worker, the engine refuses the call.
fn check(
    plugin: &PluginView,
    subject: &Subject,
    order: &Order,
) -> Result<bool, Box<crate::problem::FailedRun>> {
    if !plugin.has_worker() {
        return Ok(false);
    }
    let Some(tool) = plugin.tool(&subject.tool) else {
        return Err(subject.no_such_tool(&plugin.tool_names()));
    };
    let mistakes = tool.mistakes(&order.args.value);
    if mistakes.is_empty() { Ok(tool.info.streaming) } else { Err(subject.misfits(mistakes)) }
}

/// What the caller wants to read. Whoever asks for neither kind of stream gets one document.
fn wanted(headers: &HeaderMap) -> Format {
    let known = [
        ("application/x-ndjson", Format::Lines),
        ("text/event-stream", Format::Events),
        ("application/json", Format::Json),
    ];
    accept::first(headers, &known).unwrap_or(Format::Json)
}
