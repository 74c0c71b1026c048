//! Events of jobs as a stream: server-sent events or NDJSON.
//!
//! Owns the separation of events, the signs of life and the last word. Nothing is buffered: the next event is asked
//! for when the one before has been taken. Whoever is too slow slows nobody else, and whoever takes nothing is dropped.

use crate::accept;
use crate::app::App;
use crate::connection::Connection;
use crate::disk;
use crate::limits::{EVENT_STREAM_KEEP_ALIVE, FOLLOWERS_MAX, JOB_RETRY_AFTER};
use crate::lines;
use crate::problem::{Code, Problem};
use axum::http::HeaderMap;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hardpoint_engine::jobs::{Followed, Following};
use hardpoint_model::job::{Event, EventKind, JobId, Notice};
use hardpoint_model::pipeline::PipelineMessage;
use hardpoint_store::{Gone, StoreError};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// How events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Server-sent events.
    Events,
    /// One event a line.
    Lines,
}

/// Which events are wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Those with a higher number.
    pub(super) since: u64,
    /// None: those of all.
    pub(super) jobs: Vec<JobId>,
    pub(super) plugin: Option<String>,
    /// None: all.
    pub(super) types: Vec<&'static str>,
    /// Whether those that will happen are wanted too.
    pub(super) follow: bool,
    /// Whether there are no more once the job is over.
    pub(super) until_over: bool,
    /// Whether only what runs of pipelines say is wanted, without the event around it.
    pub(super) bare: bool,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Step {
    Event(Box<Event>),
    /// What a run of a pipeline says, and the number of the event that it is the payload of.
    Message(u64, Box<PipelineMessage>),
    /// Some before the next event are not kept any more.
    Notice(Notice),
    Alive,
    /// The host is stopping; the next one goes on from here.
    Goodbye,
    Broke(Box<Problem>),
}

pub(super) fn format(headers: &HeaderMap) -> Format {
    let known = [("text/event-stream", Format::Events), ("application/x-ndjson", Format::Lines)];
    accept::first(headers, &known).unwrap_or(Format::Events)
}

/// The response whose body is the stream.
pub(super) fn response(going: Going, format: Format) -> Response {
    let steps = steps(going);
    match format {
        Format::Events => Sse::new(steps.map(|step| Ok::<_, Infallible>(sse_event(&step)))).into_response(),
        Format::Lines => lines::response(steps.map(|step| line(&step))),
    }
}

/// A follower on its way.
#[derive(Debug)]
pub(super) struct Going {
    app: Arc<App>,
    connection: Connection,
    following: Following,
    wanted: Wanted,
    /// The number of the last event that was sent.
    last: u64,
    ended: bool,
    too_slow: bool,
    _place: OwnedSemaphorePermit,
}

fn steps(going: Going) -> impl Stream<Item = Step> {
    stream::unfold(going, |mut going| async move {
        let step = going.next().await;
        step.map(|step| (step, going))
    })
}

impl Going {
    pub(super) fn begin(app: &Arc<App>, connection: Connection, wanted: Wanted) -> Result<Self, Problem> {
        let place = Arc::clone(&app.followers).try_acquire_owned().map_err(|_| {
            Problem::new(Code::HostBusy, format!("{FOLLOWERS_MAX} callers follow events already"))
                .hint("try again in a moment")
                .retry_after(Some(JOB_RETRY_AFTER))
        })?;
        connection.must_take(true);
        let following = app.jobs.follow(wanted.since, wanted.jobs.clone());
        let (app, last) = (Arc::clone(app), wanted.since);
        Ok(Self { app, connection, following, wanted, last, ended: false, too_slow: false, _place: place })
    }

    /// The number of the last event that was sent.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Done when the host waits for nobody any more.
    pub(super) fn giving_up(&self) -> CancellationToken {
        self.app.giving_up.clone()
    }

    /// It took nothing.
    pub(super) fn drop_it(&mut self) {
        self.too_slow = true;
    }

    /// What is sent next. May be dropped while it is waited for: nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Step> {
        if self.ended {
            return None;
        }
        let follow = self.wanted.follow;
        let alive = tokio::time::sleep(EVENT_STREAM_KEEP_ALIVE);
        let mut alive = std::pin::pin!(alive);
        loop {
            let found = tokio::select! { biased;
                () = self.app.closing.cancelled() => Ok(None),
                found = next(&mut self.following, follow) => found,
                () = alive.as_mut() => return Some(Step::Alive),
            };
            match found {
                Ok(Some(Followed::Gone(Gone { count, first_kept }))) => {
                    return Some(Step::Notice(Notice::EventsDropped { first_kept, count }));
                }
                Ok(Some(Followed::Event(event))) => {
                    self.ended = self.wanted.until_over && is_end(&event);
                    if self.wanted.has(&event) {
                        self.last = event.number;
                        return Some(self.step(event));
                    }
                    if self.ended {
                        return None;
                    }
                }
                Ok(None) if !follow => return None,
                Ok(None) => return Some(self.end(Step::Goodbye)),
                Err(error) => {
                    let problem = disk::refused(&error);
                    return Some(self.end(Step::Broke(Box::new(problem))));
                }
            }
        }
    }

    fn step(&self, event: Event) -> Step {
        match event.kind {
            EventKind::PipelineMessage(message) if self.wanted.bare => {
                Step::Message(event.number, Box::new(message))
            }
            _ => Step::Event(Box::new(event)),
        }
    }

    fn end(&mut self, step: Step) -> Step {
        self.ended = true;
        step
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.connection.must_take(false);
        if self.too_slow || self.connection.has_stalled() {
            self.app.figures.followers_dropped.fetch_add(1, Ordering::Relaxed);
            let (last, behind) = (self.last, self.following.after(self.last));
            tracing::warn!(last, behind, "a follower of events who took nothing was dropped");
        }
    }
}

async fn next(following: &mut Following, follow: bool) -> Result<Option<Followed>, StoreError> {
    if follow { following.next().await } else { following.next_kept().await }
}

/// Whether a job is over with this event: nothing comes after it.
fn is_end(event: &Event) -> bool {
    match event.kind {
        EventKind::StateTransition { to, .. } => to.is_terminal(),
        EventKind::ProgressChanged { .. }
        | EventKind::ResourceSnapshot { .. }
        | EventKind::CancelPhaseChanged { .. }
        | EventKind::RetryStarted { .. }
        | EventKind::BlockReasonChanged { .. }
        | EventKind::SequenceAdvanced { .. }
        | EventKind::PipelineMessage(_) => false,
    }
}

/// A sign of life is an empty line; the last word is the end.
fn line(step: &Step) -> Bytes {
    let mut line = match step {
        Step::Event(event) => serde_json::to_vec(event).unwrap_or_default(),
        Step::Message(_, message) => serde_json::to_vec(message).unwrap_or_default(),
        Step::Notice(notice) => serde_json::to_vec(notice).unwrap_or_default(),
        Step::Broke(problem) => serde_json::to_vec(problem).unwrap_or_default(),
        Step::Alive => Vec::new(),
        Step::Goodbye => return Bytes::new(),
    };
    line.push(b'\n');
    line.into()
}

fn sse_event(step: &Step) -> sse::Event {
    let new = sse::Event::default();
    match step {
        Step::Event(event) => {
            let text = serde_json::to_string(event).unwrap_or_default();
            new.id(event.number.to_string()).event(event.kind.as_str()).data(text)
        }
        Step::Message(number, message) => {
            let text = serde_json::to_string(message).unwrap_or_default();
            new.id(number.to_string()).event(message.as_str()).data(text)
        }
        // Without an id: whoever comes back goes on after the last event.
        Step::Notice(notice) => {
            new.event(notice.as_str()).data(serde_json::to_string(notice).unwrap_or_default())
        }
        Step::Broke(problem) => new.event("problem").data(serde_json::to_string(problem).unwrap_or_default()),
        Step::Alive => new.comment(""),
        Step::Goodbye => new.comment("the host is stopping"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::JobStatus;
    use jiff::Timestamp;

    fn event(kind: EventKind) -> Event {
        Event {
            number: 7,
            kind,
            job_id: JobId::now(),
            plugin_instance_id: "p".to_owned(),
            stage: 0,
            timestamp: Timestamp::now(),
        }
    }

    async fn sent(step: Step) -> String {
        let one = stream::iter([Ok::<_, Infallible>(sse_event(&step))]);
        let body = Sse::new(one).into_response().into_body();
        let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_event_has_its_number_as_its_id_and_signs_of_life_have_none() {
        let event = event(EventKind::BlockReasonChanged { from: None, to: Some("a\nb".to_owned()) });
        let text = sent(Step::Event(Box::new(event.clone()))).await;
        assert!(text.contains("id: 7\n") && text.contains("event: BLOCK_REASON_CHANGED\n"), "{text}");
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert_eq!(serde_json::from_str::<Event>(data).unwrap(), event);
        assert_eq!(sent(Step::Goodbye).await, ": the host is stopping\n\n");
        let notice = Notice::EventsDropped { first_kept: 8, count: 7 };
        let broke = Step::Broke(Box::new(Problem::new(Code::StoreUnavailable, "x")));
        for step in [Step::Alive, Step::Notice(notice), broke] {
            assert!(!sent(step).await.contains("id:"));
        }
        let expected = "event: EVENTS_DROPPED\ndata: {\"type\":\"EVENTS_DROPPED\",\"payload\":{\"first_kept\":8,\"count\":7}}\n\n";
        assert_eq!(sent(Step::Notice(notice)).await, expected);
        let line = line(&Step::Event(Box::new(event.clone())));
        assert_eq!(serde_json::from_slice::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_job_is_over_with_its_last_transition() {
        for status in JobStatus::ALL {
            let over = is_end(&event(EventKind::StateTransition { from: None, to: status }));
            assert_eq!(over, status.is_terminal(), "{status}");
        }
        assert!(!is_end(&event(EventKind::ProgressChanged { progress: 1.0, status_message: String::new() })));
    }
}
