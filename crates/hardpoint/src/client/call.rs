//! One tool call over HTTP, told as an embedded call is told.
//!
//! Owns the events of a streamed call: a line of JSON each, of which the last is the result or the error.

use super::Client;
use super::http::typed;
use super::lines::Lines;
use super::refused::{FailedCall, Refused};
use crate::embedded::{Document, Failure};
use hardpoint_supervisor::Note;
use hardpoint_wire::{Log, LogLevel, Payload, Progress, ToolInfo};
use reqwest::{Method, Response, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A line of JSON for each event.
pub(super) const EVENTS: &str = "application/x-ndjson";

/// Which tool is called, and with what.
#[derive(Debug)]
pub(crate) struct ToolCall<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) args: Document,
    pub(crate) timeout: Option<Duration>,
    /// Whether its items are its result.
    pub(crate) streaming: bool,
}

/// A call that went well.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) result: Payload,
    pub(crate) execution_time_ms: f64,
}

/// The outer failure is the server's or ours, the inner one the plugin's.
pub(crate) type Ended = Result<Result<Called, Box<FailedCall>>, Failure>;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Item {
        item: Value,
    },
    Progress {
        fraction: Option<f64>,
        message: String,
    },
    Log {
        level: LogLevel,
        logger: String,
        message: String,
    },
    Result {
        result: Value,
        execution_time_ms: Option<f64>,
    },
    Error,
    /// What a newer server may say besides.
    #[serde(other)]
    Other,
}

impl Client {
    /// The tools of a plugin; empty while it is not ready.
    pub(crate) async fn tools(&self, plugin: &str) -> Result<Vec<ToolInfo>, Failure> {
        let document = self.get(&["v1", "plugins", plugin, "tools"], &[]).await?;
        typed(&document)
    }

    /// Calls a tool; `on_note` is told what it says on the way. Dropping the future ends the call.
    pub(crate) async fn call(&self, call: ToolCall<'_>, on_note: &(dyn Fn(Note) + Sync)) -> Ended {
        let mut body = json!({ "args": Payload::object(call.args).into_json(u64::MAX)? });
        if let (Some(timeout), Some(fields)) = (call.timeout, body.as_object_mut()) {
            fields.insert("timeout_seconds".to_owned(), json!(timeout.as_secs_f64()));
        }
        let path = ["v1", "plugins", call.plugin, "tools", call.tool, "run"];
        let request = self.request(Method::POST, &path, &[]).header(header::ACCEPT, EVENTS).json(&body);
        let ended = match self.send(request).await {
            Ok(response) => self.outcome(response, on_note).await,
            Err(failure) => Err(failure),
        };
        let (items, result, execution_time_ms) = match ended {
            Ok(ended) => ended,
            Err(Failure::Refused(refused)) => {
                return match refused.into_failed_call() {
                    Ok(failed) => Ok(Err(Box::new(failed))),
                    Err(refused) => Err(Failure::Refused(Box::new(refused))),
                };
            }
            Err(failure) => return Err(failure),
        };
        let result = if call.streaming { json!({ "items": items }) } else { result };
        Ok(Ok(Called { result: Payload::from_json(result)?, execution_time_ms }))
    }

    /// Reads the events of a call: its items, its result, and how long it took.
    async fn outcome(
        &self,
        response: Response,
        on_note: &(dyn Fn(Note) + Sync),
    ) -> Result<(Vec<Value>, Value, f64), Failure> {
        let mut items = Vec::new();
        let mut kept = 0;
        let mut lines = Lines::of(self, response);
        while let Some(line) = lines.next(kept).await? {
            match self.event(&line)? {
                Event::Item { item } => {
                    kept += line.len();
                    items.push(item);
                }
                Event::Result { result, execution_time_ms } => {
                    return Ok((items, result, execution_time_ms.unwrap_or_default()));
                }
                Event::Progress { fraction, message } => {
                    on_note(Note::Progress(Progress { id: 0, fraction, message }));
                }
                Event::Log { level, logger, message } => {
                    on_note(Note::Log(Log { id: None, level, logger, message, dropped: 0 }));
                }
                Event::Error => return Err(self.failed(&line)),
                Event::Other => {}
            }
        }
        Err(Failure::Unreachable {
            message: format!("the server at {} ended the call without a result", self.shown()),
            hint: "it may have been stopped: look whether it runs, and at its log".to_owned(),
        })
    }

    fn event(&self, line: &[u8]) -> Result<Event, Failure> {
        serde_json::from_slice(line).map_err(|_| self.stranger(200))
    }

    fn failed(&self, line: &[u8]) -> Failure {
        match serde_json::from_slice(line) {
            Ok(document) => Failure::Refused(Box::new(Refused::of_event(document, self.target()))),
            Err(_) => self.stranger(200),
        }
    }
}
