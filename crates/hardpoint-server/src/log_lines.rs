//! Lines of logs as an answer: one document, or one line of JSON for each, also of those that will come.
//!
//! Owns the two forms and the end of a stream. Nothing is buffered: the next lines are asked for when those before
//! have been taken. Whoever is too slow slows nobody else.

use crate::accept;
use crate::app::App;
use crate::limits::{
    EVENT_STREAM_KEEP_ALIVE, FOLLOWERS_MAX, JOB_RETRY_AFTER, LARGE_BYTES, LOG_TEXT_CHARS_MAX,
};
use crate::lines;
use crate::openapi::{media, schema_of};
use crate::problem::{Code, Problem};
use crate::run::aside;
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use hardpoint_engine::logs::limits::{LAST_BYTES_MAX, LAST_LINES_MAX};
use hardpoint_engine::logs::{LogFilter, LogReading, Start};
use hardpoint_model::job::JobId;
use hardpoint_model::log::LogLine;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Longer than any job.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Which lines are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Of these instances.
    pub(crate) instances: Vec<String>,
    pub(crate) filter: LogFilter,
    pub(crate) start: Start,
    /// How many are sent at most, the first ones.
    pub(crate) count: Option<usize>,
    /// Whether those that will come are wanted too.
    pub(crate) follow: Follow,
}

/// Whether lines that will come are wanted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    No,
    /// Until the host stops.
    OnAndOn,
    /// Until this job is over and all of its lines were sent.
    UntilOver(JobId),
}

/// How lines are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array.
    Document,
    /// One a line.
    Lines,
}

impl Form {
    pub(crate) fn of(headers: &HeaderMap, follow: bool) -> Self {
        let known = [("application/json", Self::Document), ("application/x-ndjson", Self::Lines)];
        // What has no end is no document.
        if follow { Self::Lines } else { accept::first(headers, &known).unwrap_or(Self::Document) }
    }
}

pub(crate) async fn answer(app: &Arc<App>, form: Form, wanted: Wanted) -> Result<Response, Problem> {
    let reading = app.engine.logs().read(&wanted.instances, wanted.filter.clone(), wanted.start);
    let mut response = match form {
        Form::Document => document(reading, wanted.count.unwrap_or(LAST_LINES_MAX)).await?,
        Form::Lines => lines::response(stream(app, reading, wanted)?),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn document(mut reading: LogReading, count: usize) -> Result<Response, Problem> {
    let mut found: Vec<Arc<LogLine>> = Vec::new();
    let mut bytes = 0;
    while found.len() < count && bytes < LAST_BYTES_MAX {
        let some = reading.next_kept().await;
        if some.is_empty() {
            break;
        }
        bytes += some.iter().map(|line| line.text.len()).sum::<usize>();
        found.extend(some);
    }
    found.truncate(count);
    let as_json = move || {
        let lines: Vec<&LogLine> = found.iter().map(|line| &**line).collect();
        serde_json::to_vec(&lines).unwrap_or_default()
    };
    let body = if bytes > LARGE_BYTES { aside(bytes, as_json).await? } else { as_json() };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

struct Going {
    app: Arc<App>,
    reading: LogReading,
    left: usize,
    follow: Follow,
    instances: Vec<String>,
    /// Done when no more lines will come.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: Option<OwnedSemaphorePermit>,
}

fn stream(
    app: &Arc<App>,
    reading: LogReading,
    wanted: Wanted,
) -> Result<impl Stream<Item = Bytes> + Send + 'static, Problem> {
    let Wanted { instances, follow, count, .. } = wanted;
    let place = if follow == Follow::No { None } else { Some(place(app)?) };
    let over = Box::pin(over(Arc::clone(app), follow));
    let left = count.unwrap_or(usize::MAX);
    let going = Going { app: Arc::clone(app), reading, left, follow, instances, over, _place: place };
    Ok(stream::unfold(going, |mut going| async move { going.next().await.map(|bytes| (bytes, going)) }))
}

fn place(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&app.followers).try_acquire_owned().map_err(|_| {
        Problem::new(Code::HostBusy, format!("{FOLLOWERS_MAX} callers follow events and logs already"))
            .hint("try again in a moment")
            .retry_after(Some(JOB_RETRY_AFTER))
    })
}

async fn over(app: Arc<App>, follow: Follow) {
    match follow {
        Follow::No => {}
        Follow::OnAndOn => app.closing.cancelled().await,
        Follow::UntilOver(job) => tokio::select! {
            // Also when the store cannot tell: then nobody can.
            _ = app.jobs.wait(job, FOR_EVER) => {}
            () = app.closing.cancelled() => {}
        },
    }
}

impl Going {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.app.giving_up.is_cancelled() {
                return None;
            }
            let mut lines = self.reading.next_kept().await;
            if !lines.is_empty() {
                lines.truncate(self.left);
                self.left -= lines.len();
                return Some(as_lines(&lines)).filter(|bytes| !bytes.is_empty());
            }
            if self.follow == Follow::No {
                return None;
            }
            tokio::select! {
                () = self.reading.changed() => {}
                () = self.over.as_mut() => {
                    // Its last lines may still be on their way.
                    self.app.engine.logs().caught_up(&self.instances).await;
                    self.follow = Follow::No;
                }
                // A sign of life.
                () = tokio::time::sleep(EVENT_STREAM_KEEP_ALIVE) => return Some(Bytes::from_static(b"\n")),
            }
        }
    }
}

fn as_lines(lines: &[Arc<LogLine>]) -> Bytes {
    let mut text = Vec::new();
    for line in lines {
        if serde_json::to_writer(&mut text, &**line).is_ok() {
            text.push(b'\n');
        }
    }
    text.into()
}

/// A text to look for: not empty, and not without end.
pub(crate) fn check_contains(text: Option<&str>) -> Result<(), Problem> {
    if text.is_none_or(|text| !text.is_empty() && text.chars().count() <= LOG_TEXT_CHARS_MAX) {
        return Ok(());
    }
    let detail = format!("`contains` must be a text of 1 to {LOG_TEXT_CHARS_MAX} characters");
    Err(Problem::new(Code::BadQuery, detail).at("/contains"))
}

/// What is said about an answer of lines.
pub(crate) fn of_lines(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let line = media(schema_of::<LogLine>(), None);
    op.response_with::<200, Json<Vec<LogLine>>, _>(|mut r| {
        r.inner().content.insert("application/x-ndjson".to_owned(), line);
        r.description("The lines, oldest first; with `follow` always one of them a line")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_sent_line_by_line_whatever_is_accepted() {
        for (accept, follow, expected) in [
            ("", false, Form::Document),
            ("*/*", false, Form::Document),
            ("application/json", false, Form::Document),
            ("application/x-ndjson", false, Form::Lines),
            ("application/json", true, Form::Lines),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(Form::of(&headers, follow), expected, "{accept} {follow}");
        }
    }

    #[test]
    fn a_text_to_look_for_has_bounds() {
        for (text, expected) in [
            (None, true),
            (Some("a"), true),
            (Some(""), false),
            (Some("ü".repeat(1000).as_str()), true),
            (Some("a".repeat(1001).as_str()), false),
        ] {
            assert_eq!(check_contains(text).is_ok(), expected, "{text:?}");
        }
    }
}
