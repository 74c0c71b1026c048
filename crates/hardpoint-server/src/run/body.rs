//! Bodies, read with a bound on size and time.

use crate::limits::{BODY_STALL, BODY_TIMEOUT};
use crate::problem::{Code, Problem};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A body that gives out no more than it may, and not for longer than it may.
pub(crate) struct Bounded {
    body: Body,
    left: usize,
    max: usize,
    until: Instant,
}

impl Bounded {
    pub(crate) fn new(body: Body, headers: &HeaderMap, max: usize) -> Result<Self, Problem> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > max as u64) {
            return Err(too_large(max));
        }
        Ok(Self { body, left: max, max, until: Instant::now() + BODY_TIMEOUT })
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let patience = BODY_STALL.min(self.until.saturating_duration_since(Instant::now()));
            let frame = match timeout(patience, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(Problem::new(Code::BadRequest, format!("the body cannot be read: {error}")));
                }
                Err(_) => return Err(too_slow(patience)),
            };
            let Ok(data) = frame.into_data() else { continue };
            self.left = self.left.checked_sub(data.len()).ok_or_else(|| too_large(self.max))?;
            return Ok(Some(data));
        }
    }

    /// All of it.
    pub(crate) async fn read(mut self) -> Result<Bytes, Problem> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(more) = self.next().await? {
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a body may have {max} bytes"))
        .hint("pass the path of a file instead, or raise the limit of the server")
}

fn too_slow(patience: Duration) -> Problem {
    let seconds = patience.as_secs();
    Problem::new(Code::BodyTimeout, format!("nothing more of the body came for {seconds} s"))
}
