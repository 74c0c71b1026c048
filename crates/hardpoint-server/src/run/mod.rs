//! Running a tool: arguments in, result, stream or typed failure out.
//!
//! Owns the body of the run route. Must not decide whether a call may be made: the engine does.

mod answer;
mod arguments;
mod aside;
mod body;
mod check;
mod collect;
mod events;
mod failure;
mod form;
mod socket;
mod status;
mod stream;

pub(crate) use answer::RunDone;
pub(crate) use arguments::{RunRequest, checked, misfit, parse};
pub(crate) use aside::aside;
pub(crate) use body::Bounded;
pub(crate) use check::check;
pub(crate) use events::Event;
pub(crate) use failure::refused;
pub(crate) use form::{boundary, unreadable, with_parts};
pub(crate) use socket::run_socket;
pub(crate) use status::of_refusal;

use crate::accept;
use crate::app::{App, Shared};
use crate::extract::{Path, ToolPath};
use crate::problem::FailedRun;
use answer::Subject;
use arguments::Order;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::Done;
use hardpoint_supervisor::CallRequest;
use hardpoint_wire::Payload;
use serde_json::Value;
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
) -> Result<Response, Box<FailedRun>> {
    let format = wanted(request.headers());
    let order =
        arguments::read(request, app.settings.body_bytes_max).await.map_err(|p| subject.problem(p))?;
    let (streams, call) = call(app, subject, order)?;
    match format {
        Format::Json => {
            let (done, items) = whole(app, subject, streams, call).await?;
            answer::document(subject, done, items).await
        }
        Format::Lines | Format::Events => {
            let running = app.engine.begin(&subject.plugin, call).await;
            let running = running.map_err(|failure| subject.failed(failure))?;
            Ok(stream::response(app, subject.clone(), running, format))
        }
    }
}

/// Runs a tool with these arguments as the route does, for the doors that answer in words of their own.
pub(crate) async fn run_tool(
    app: &App,
    plugin: &str,
    tool: &str,
    args: Payload,
) -> Result<RunDone, Box<FailedRun>> {
    let subject = Subject::new(ToolPath { name: plugin.to_owned(), tool: tool.to_owned() });
    let (streams, call) = call(app, &subject, Order { args, timeout: None })?;
    let (done, items) = whole(app, &subject, streams, call).await?;
    answer::written(&subject, done, items).await
}

/// A call to its end, with its items if it streams.
async fn whole(
    app: &App,
    subject: &Subject,
    streams: bool,
    call: CallRequest,
) -> Result<(Done, Option<Vec<Value>>), Box<FailedRun>> {
    if streams {
        let (done, items) = collect::collected(app, subject, call).await?;
        return Ok((done, Some(items)));
    }
    let done = app.engine.call(&subject.plugin, call).await.map_err(|failure| subject.failed(failure))?;
    Ok((done, None))
}

/// Whether the tool streams, and the call that is to be made. What is wrong with the arguments is told here, where it is
/// known which place of the body that is. While nobody can say, the engine refuses the call.
fn call(app: &App, subject: &Subject, order: Order) -> Result<(bool, CallRequest), Box<FailedRun>> {
    let plugin = app.engine.plugin(&subject.plugin).map_err(|refusal| subject.refused(&refusal))?;
    let tool =
        check::check(&plugin, &subject.tool, &order.args.value).map_err(|misfit| subject.misfit(*misfit))?;
    let streams = tool.is_some_and(|tool| tool.info.streaming);
    let request = CallRequest::new(subject.tool.clone(), order.args);
    Ok((streams, CallRequest { timeout: order.timeout.into(), ..request }))
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
