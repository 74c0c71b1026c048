//! `GET /v1/stream?plugin=`: frames come in over a WebSocket, and what tools see in them goes out, in the same order.
//!
//! Owns the conversation. Frames wait for each other and for nobody else: a slow tool delays only the client that asked
//! for it, and a client that sends faster than its tools look is not listened to meanwhile.

use super::frame::{self, Frame};
use crate::app::{App, Shared};
use crate::connection::Connection;
use crate::extract::{Query, Upgrade};
use crate::limits::{FRAME_BYTES_MAX, FRAMES_WAITING_BYTES_MAX, FRAMES_WAITING_MAX};
use crate::openapi::{Docs, running};
use crate::problem::{Code, Problem};
use crate::socket::{self, Ending, Next, Teller, text};
use aide::transform::TransformOperation;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// The plugin of a client that names none.
const DEFAULT: &str = "default";

/// Which plugin looks at the frames.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct FramesQuery {
    /// The plugin; `default` when absent.
    #[schemars(length(max = 193), skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// A token, for clients that can set no field of the header.
    #[expect(dead_code, reason = "it is looked at before any route is")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

pub(crate) async fn frames(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    upgrade: Option<Upgrade>,
    query: Query<FramesQuery>,
) -> Result<Response, Problem> {
    let Some(upgrade) = upgrade else {
        return Ok(socket::needed("open one, or run a tool with `POST /v1/plugins/{name}/tools/{tool}/run`"));
    };
    let plugin = query.0.plugin.unwrap_or_else(|| DEFAULT.to_owned());
    let run = move |socket| run(socket, app, plugin);
    Ok(socket::response(&connection, upgrade, FRAME_BYTES_MAX, run))
}

async fn run(mut socket: WebSocket, app: Arc<App>, plugin: String) {
    let giving_up = app.giving_up.clone();
    let mut client = Client::new(app, plugin);
    let ending = tokio::select! {
        ending = socket::talk(&mut socket, &mut client) => ending,
        // The call in flight is dropped with the client, and so cancelled.
        () = giving_up.cancelled() => Ending::Stopping,
    };
    drop(client);
    socket::close(socket, ending, "").await;
}

type Work = Pin<Box<dyn Future<Output = Value> + Send>>;

/// A client, the plugin that it looks at, and what it waits for.
struct Client {
    app: Arc<App>,
    plugin: String,
    /// What it is told before the next frame.
    said: VecDeque<Value>,
    /// Frames that wait, each with its size.
    waiting: VecDeque<(Frame, usize)>,
    waiting_bytes: usize,
    /// The frame that is looked at.
    work: Option<Work>,
}

impl Client {
    fn new(app: Arc<App>, plugin: String) -> Self {
        let hello = json!({"type": "connected",
            "payload": {"client_id": Uuid::now_v7().to_string(), "plugin": plugin}});
        Self {
            app,
            plugin,
            said: VecDeque::from([hello]),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            work: None,
        }
    }

    fn heard(&mut self, said: &[u8]) {
        let Ok(Value::Object(message)) = serde_json::from_slice(said) else {
            let why = "Invalid frame data: the message is not a JSON object";
            self.said.push_back(frame::error(why, None, &self.plugin));
            return;
        };
        match message.get("type").and_then(Value::as_str) {
            Some("frame") => {
                self.waiting.push_back((Frame { plugin: self.plugin.clone(), message }, said.len()));
                self.waiting_bytes += said.len();
            }
            Some("switch_plugin") => self.switch(&message),
            Some("ping") => self.said.push_back(json!({"type": "pong", "payload": {}})),
            // Other hosts pass over what they do not know.
            _ => {}
        }
    }

    fn switch(&mut self, message: &Map<String, Value>) {
        let wanted = message.get("plugin").and_then(Value::as_str).unwrap_or_default();
        let answer = match self.app.engine.plugin(wanted) {
            Ok(plugin) => {
                self.plugin.clone_from(&plugin.name);
                json!({"type": "plugin_switched", "payload": {"plugin": self.plugin}})
            }
            Err(refusal) => frame::error(&refusal.to_string(), None, &self.plugin),
        };
        self.said.push_back(answer);
    }

    /// Looks at the next frame, unless one is looked at already.
    fn begin(&mut self) -> Option<&mut Work> {
        if self.work.is_none() {
            let (frame, bytes) = self.waiting.pop_front()?;
            self.waiting_bytes -= bytes;
            let app = Arc::clone(&self.app);
            self.work = Some(Box::pin(async move { frame::answered(&app, frame).await }));
        }
        self.work.as_mut()
    }
}

impl Teller for Client {
    async fn next(&mut self) -> Next {
        if let Some(said) = self.said.pop_front() {
            return Next::Say(text(&said));
        }
        let closing = self.app.closing.clone();
        if closing.is_cancelled() && self.work.is_none() {
            return Next::End(Ending::Stopping);
        }
        let Some(work) = self.begin() else {
            closing.cancelled().await;
            return Next::End(Ending::Stopping);
        };
        let answer = work.await;
        self.work = None;
        Next::Say(text(&answer))
    }

    fn hear(&mut self, said: Message) -> Option<Ending> {
        self.heard(&said.into_data());
        None
    }

    fn listens(&self) -> bool {
        self.waiting.len() + self.said.len() < FRAMES_WAITING_MAX
            && self.waiting_bytes < FRAMES_WAITING_BYTES_MAX
    }
}

const ABOUT: &str = "\
A WebSocket. Each message of the client is an object with a `type`: `frame` (`tools`, `image_data` in base64, perhaps `frame_id` \
and `options`), `switch_plugin` (`plugin`) or `ping`. Frames are answered in their order with `result` or `error`; a slow tool \
delays no other client.";

pub(crate) fn frames_docs(op: TransformOperation) -> TransformOperation {
    running(op, "streamFrames", "Let tools look at frames as they come")
        .description(ABOUT)
        .tag("compat")
        .becomes_socket()
        .problems(&[Code::BadQuery, Code::BadHeader, Code::SocketNeeded])
}
