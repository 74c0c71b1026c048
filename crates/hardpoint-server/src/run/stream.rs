//! A call as a stream: NDJSON or server-sent events.
//!
//! Owns the separation of events. Nothing is buffered: the next event is asked for when the one before has been
//! taken, so a slow reader slows the tool. A reader that goes away drops the stream, and that cancels the call.

use super::answer::Subject;
use super::events::Event;
use crate::app::App;
use crate::limits::EVENT_STREAM_KEEP_ALIVE;
use crate::lines;
use crate::problem::{Code, Problem};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hardpoint_engine::RunningCall;
use hardpoint_model::Category;
use std::convert::Infallible;
use std::sync::Arc;

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One document at the end.
    Json,
    /// One event a line.
    Lines,
    /// Server-sent events.
    Events,
}

/// The response whose body is the call.
pub(super) fn response(app: &Arc<App>, subject: Subject, call: RunningCall, format: Format) -> Response {
    let events = events(Arc::clone(app), subject, call);
    match format {
        Format::Events => {
            let events = events.enumerate().map(|(at, event)| Ok::<_, Infallible>(sse_event(at, &event)));
            Sse::new(events).keep_alive(KeepAlive::new().interval(EVENT_STREAM_KEEP_ALIVE)).into_response()
        }
        Format::Lines | Format::Json => lines::response(events.map(|event| line(&event))),
    }
}

/// A call on its way to its caller.
pub(super) struct Going {
    app: Arc<App>,
    subject: Subject,
    call: RunningCall,
    items: u64,
    ended: bool,
}

fn events(app: Arc<App>, subject: Subject, call: RunningCall) -> impl Stream<Item = Event> {
    stream::unfold(Going::new(app, subject, call), |mut going| async move {
        let event = going.event().await;
        event.map(|event| (event, going))
    })
}

impl Going {
    pub(super) fn new(app: Arc<App>, subject: Subject, call: RunningCall) -> Self {
        Self { app, subject, call, items: 0, ended: false }
    }

    /// What the call says next; `None` after its last word. May be dropped while it is waited for: nothing is lost.
    pub(super) async fn event(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let event = self.next().await;
        self.ended = event.is_last();
        Some(event)
    }

    async fn next(&mut self) -> Event {
        let step = tokio::select! { biased;
            step = self.call.next() => step,
            // The call is dropped with the stream, and so cancelled.
            () = self.app.giving_up.cancelled() => {
                let problem = Problem::new(Code::HostStopping, "the host is stopping; the call was cancelled");
                return self.failed(problem, "HostStopping", Category::Transient);
            }
        };
        let Some(step) = step else {
            let problem = Problem::new(Code::Internal, "the call ended without an answer");
            return self.failed(problem, "HostError", Category::Fatal);
        };
        let event = Event::of(&self.subject, step, self.items);
        if matches!(event, Event::Item { .. }) {
            self.items += 1;
        }
        event
    }

    fn failed(&self, problem: Problem, error_type: &str, category: Category) -> Event {
        Event::Error(self.subject.failed_run(problem, error_type, category))
    }
}

fn line(event: &Event) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

fn sse_event(at: usize, event: &Event) -> sse::Event {
    let text = serde_json::to_string(event).unwrap_or_default();
    sse::Event::default().event(event.name()).id(at.to_string()).data(text)
}
