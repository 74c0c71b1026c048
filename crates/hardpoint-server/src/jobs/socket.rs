//! Events of jobs over a WebSocket: one document a message, pings as signs of life, and a reason at the end.
//!
//! Owns the close codes and what a client may send, which is nothing. Runs on the connection's own task.

use super::stream::{Going, Step};
use crate::connection::Connection;
use crate::extract::Upgrade;
use crate::limits::{EVENT_STREAM_KEEP_ALIVE, SOCKET_CLOSE, SOCKET_MESSAGE_BYTES_MAX, SOCKET_SILENCE};
use crate::problem::Problem;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::time::Instant;
use tokio::sync::oneshot;

/// The subprotocol that is spoken. A client that names it may name its token beside it, see [`crate::gate`].
const PROTOCOL: &str = "hardpoint";

/// How it ended.
#[derive(Debug)]
enum Ending {
    /// There is nothing more.
    Over,
    /// The host is stopping; whoever comes back goes on from here.
    Stopping,
    /// It cannot go on, or never could begin.
    Broke(Box<Problem>),
    /// The client said something.
    Spoke,
    /// The client said something that is no message, or too large for one.
    Garbled,
    /// The client gave no sign of life.
    Silent,
    /// The client is gone.
    Gone,
}

/// The response that makes the connection a WebSocket, on which the events are sent. A browser shows its page nothing of
/// an answer that refuses; so what is wrong with the query is told there, too.
pub(super) fn response(connection: &Connection, upgrade: Upgrade, going: Result<Going, Problem>) -> Response {
    let (give, given) = oneshot::channel();
    connection.afterwards(async move {
        // Not given: the client was gone before it was answered.
        if let Ok(socket) = given.await {
            run(socket, going).await;
        }
    });
    let upgrade = upgrade.0.protocols([PROTOCOL]);
    let upgrade = upgrade.max_message_size(SOCKET_MESSAGE_BYTES_MAX).max_frame_size(SOCKET_MESSAGE_BYTES_MAX);
    upgrade.on_upgrade(|socket| async move { drop(give.send(socket)) })
}

async fn run(mut socket: WebSocket, going: Result<Going, Problem>) {
    let going = match going {
        Ok(mut going) => {
            let giving_up = going.giving_up();
            let ending = tokio::select! {
                ending = talk(&mut socket, &mut going) => ending,
                () = giving_up.cancelled() => Ending::Gone,
            };
            if matches!(ending, Ending::Silent) {
                going.drop_it();
            }
            Ok((ending, going.last()))
        }
        Err(problem) => Err(problem),
    };
    let (ending, last) = going.unwrap_or_else(|problem| (Ending::Broke(Box::new(problem)), 0));
    // Neither may wait for a client that takes nothing.
    let _ = tokio::time::timeout(SOCKET_CLOSE, close(socket, &ending, last)).await;
}

/// Sends what happens until there is a reason to end.
async fn talk(socket: &mut WebSocket, going: &mut Going) -> Ending {
    let mut beat = tokio::time::interval(EVENT_STREAM_KEEP_ALIVE);
    beat.reset();
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! { biased;
            said = socket.recv() => match said {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    heard = Instant::now();
                    continue;
                }
                Some(Ok(Message::Text(_) | Message::Binary(_))) => return Ending::Spoke,
                Some(Err(_)) => return Ending::Garbled,
                Some(Ok(Message::Close(_))) | None => return Ending::Gone,
            },
            _ = beat.tick() => {
                if heard.elapsed() > SOCKET_SILENCE {
                    return Ending::Silent;
                }
                Message::Ping(axum::body::Bytes::new())
            }
            step = going.next() => match step {
                Some(Step::Event(event)) => text(&event),
                Some(Step::Message(_, message)) => text(&message),
                Some(Step::Notice(notice)) => text(&notice),
                Some(Step::Alive) => continue,
                Some(Step::Goodbye) => return Ending::Stopping,
                Some(Step::Broke(problem)) => return Ending::Broke(problem),
                None => return Ending::Over,
            },
        };
        if socket.send(message).await.is_err() {
            return Ending::Gone;
        }
    }
}

fn text(document: &impl Serialize) -> Message {
    Message::Text(serde_json::to_string(document).unwrap_or_default().into())
}

/// Says why, and waits until the client has heard it; the answer to its own goodbye goes out while reading.
async fn close(mut socket: WebSocket, ending: &Ending, last: u64) {
    if let Ending::Broke(problem) = ending {
        let _ = socket.send(text(problem)).await;
    }
    if let Some(frame) = frame(ending, last) {
        let _ = socket.send(Message::Close(Some(frame))).await;
    }
    while let Some(Ok(_)) = socket.recv().await {}
}

/// The code and the reason, which has room for 123 bytes. `None`: there is nobody to tell.
fn frame(ending: &Ending, last: u64) -> Option<CloseFrame> {
    let (code, reason) = match ending {
        Ending::Over => (close_code::NORMAL, "there is nothing more".to_owned()),
        Ending::Stopping => (close_code::RESTART, format!("the host is stopping: go on with since={last}")),
        Ending::Broke(problem) => (problem_code(problem), problem.code.text()),
        Ending::Spoke => (close_code::UNSUPPORTED, "nothing is to be sent to a stream of events".to_owned()),
        Ending::Garbled => (close_code::PROTOCOL, "this is no message, or too large for one".to_owned()),
        Ending::Silent => (close_code::AGAIN, format!("no sign of life: go on with since={last}")),
        Ending::Gone => return None,
    };
    Some(CloseFrame { code, reason: reason.into() })
}

fn problem_code(problem: &Problem) -> u16 {
    match problem.code.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => close_code::AGAIN,
        status if status.is_client_error() => close_code::POLICY,
        _ => close_code::ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn each_end_has_its_code_and_a_reason_that_fits_a_frame() {
        let broke = |code| Ending::Broke(Box::new(Problem::new(code, "x")));
        let cases = [
            (Ending::Over, Some(1000)),
            (Ending::Stopping, Some(1012)),
            (broke(Code::BadQuery), Some(1008)),
            (broke(Code::UnknownJob), Some(1008)),
            (broke(Code::HostBusy), Some(1013)),
            (broke(Code::StoreUnavailable), Some(1013)),
            (broke(Code::Internal), Some(1011)),
            (Ending::Spoke, Some(1003)),
            (Ending::Garbled, Some(1002)),
            (Ending::Silent, Some(1013)),
            (Ending::Gone, None),
        ];
        for (ending, expected) in cases {
            let frame = frame(&ending, u64::MAX);
            assert_eq!(frame.as_ref().map(|frame| frame.code), expected, "{ending:?}");
            assert!(frame.is_none_or(|frame| (1..=123).contains(&frame.reason.len())), "{ending:?}");
        }
        for code in Code::ALL {
            assert!(frame(&broke(*code), 0).is_some_and(|frame| frame.reason.len() <= 123), "{code:?}");
        }
    }
}
