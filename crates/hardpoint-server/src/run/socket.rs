//! A call over a WebSocket: the first message is the request, and then comes what the call says, one event a message.
//!
//! Owns the order of the two. Nothing is buffered: a client that reads slowly slows the tool, and one that goes away, or
//! says more, cancels the call.

use super::answer::Subject;
use super::arguments;
use super::events::Event;
use super::stream::Going;
use crate::app::{App, Shared};
use crate::connection::Connection;
use crate::extract::{Path, ToolPath, Upgrade};
use crate::limits::BODY_STALL;
use crate::problem::{Code, FailedRun, Problem};
use crate::socket::{self, Ending, Next, Teller, text};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// `GET /v1/plugins/{name}/tools/{tool}/run`
pub(crate) async fn run_socket(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    path: Path<ToolPath>,
    upgrade: Option<Upgrade>,
) -> Response {
    let Some(upgrade) = upgrade else { return not_to_be_got() };
    let subject = Subject::new(path.0);
    let bytes_max = app.settings.body_bytes_max;
    socket::response(&connection, upgrade, bytes_max, move |socket| serve(app, subject, socket))
}

fn not_to_be_got() -> Response {
    let problem = Problem::new(Code::MethodNotAllowed, "a tool is not run by a GET")
        .hint("send a POST, or open a WebSocket and send the same body as its first message");
    let mut response = problem.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn serve(app: Arc<App>, subject: Subject, mut socket: WebSocket) {
    let ending = match request(&mut socket).await {
        Ok(request) => match begin(&app, &subject, request).await {
            // The call ends with this, and so does the tool when the client went away.
            Ok(mut going) => socket::talk(&mut socket, &mut going).await,
            Err(failed) => {
                let _ = socket.send(text(&Event::Error(failed))).await;
                Ending::Over
            }
        },
        Err(ending) => ending,
    };
    socket::close(socket, ending, "").await;
}

/// The first message.
async fn request(socket: &mut WebSocket) -> Result<Bytes, Ending> {
    let heard = tokio::time::timeout(BODY_STALL, async {
        loop {
            match socket.recv().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(_))) | None => return Err(Ending::Gone),
                Some(Err(_)) => return Err(Ending::Garbled),
            }
        }
    });
    heard.await.unwrap_or(Err(Ending::Silent))
}

async fn begin(app: &Arc<App>, subject: &Subject, request: Bytes) -> Result<Going, Box<FailedRun>> {
    let order = arguments::read_text(request).await.map_err(|problem| subject.problem(problem))?;
    let (_, call) = super::call(app, subject, order)?;
    let running = app.engine.begin(&subject.plugin, call).await.map_err(|failure| subject.failed(failure))?;
    Ok(Going::new(Arc::clone(app), subject.clone(), running))
}

impl Teller for Going {
    async fn next(&mut self) -> Next {
        match self.event().await {
            Some(event) => Next::Say(text(&event)),
            None => Next::End(Ending::Over),
        }
    }
}
