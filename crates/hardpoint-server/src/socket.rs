//! Streams over a WebSocket: one document a message, pings as signs of life, and a reason at the end.
//!
//! Owns the close codes and the signs of life. Must not know what is sent. Runs on the connection's own task.

use crate::connection::Connection;
use crate::extract::Upgrade;
use crate::limits::{EVENT_STREAM_KEEP_ALIVE, SOCKET_CLOSE, SOCKET_SILENCE};
use crate::problem::{Code, Problem};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use std::time::Instant;
use tokio::sync::oneshot;

/// The subprotocol that is spoken. A client that names it may name its token beside it, see [`crate::gate`].
const PROTOCOL: &str = "hardpoint";

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// There is nothing more.
    Over,
    /// The host is stopping.
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

/// What is to be done next for a client.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send this.
    Say(Message),
    /// Nothing yet.
    Wait,
    /// It is over.
    End(Ending),
}

/// Who knows what is sent.
pub(crate) trait Teller: Send {
    /// What is sent next. May be dropped while it is waited for: nothing is lost.
    fn next(&mut self) -> impl Future<Output = Next> + Send;

    /// What becomes of a message of the client's. Most streams have nothing to be told.
    fn hear(&mut self, _said: Message) -> Option<Ending> {
        Some(Ending::Spoke)
    }

    /// Whether the client is listened to now; one that is not waits.
    fn listens(&self) -> bool {
        true
    }
}

/// The response that makes the connection a WebSocket, on which `run` goes on. A message of the client has so many bytes
/// at most.
pub(crate) fn response<F>(
    connection: &Connection,
    upgrade: Upgrade,
    bytes_max: usize,
    run: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send,
{
    let (give, given) = oneshot::channel();
    connection.afterwards(async move {
        // Not given: the client was gone before it was answered.
        if let Ok(socket) = given.await {
            run(socket).await;
        }
    });
    let upgrade = upgrade.0.protocols([PROTOCOL]).max_message_size(bytes_max).max_frame_size(bytes_max);
    upgrade.on_upgrade(|socket| async move { drop(give.send(socket)) })
}

/// The answer to whoever asks for something else where only a WebSocket is to be had.
pub(crate) fn needed(hint: &str) -> Response {
    let problem = Problem::new(Code::SocketNeeded, "only a WebSocket is to be had here").hint(hint);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Sends what there is until there is a reason to end. What the client says may be one.
pub(crate) async fn talk(socket: &mut WebSocket, teller: &mut impl Teller) -> Ending {
    let mut beat = tokio::time::interval(EVENT_STREAM_KEEP_ALIVE);
    beat.reset();
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! { biased;
            said = socket.recv(), if teller.listens() => match said {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    heard = Instant::now();
                    continue;
                }
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    heard = Instant::now();
                    match teller.hear(message) {
                        Some(ending) => return ending,
                        None => continue,
                    }
                }
                Some(Err(_)) => return Ending::Garbled,
                Some(Ok(Message::Close(_))) | None => return Ending::Gone,
            },
            _ = beat.tick() => {
                // Whoever is not listened to cannot show that it lives.
                if !teller.listens() {
                    heard = Instant::now();
                } else if heard.elapsed() > SOCKET_SILENCE {
                    return Ending::Silent;
                }
                Message::Ping(axum::body::Bytes::new())
            }
            next = teller.next() => match next {
                Next::Say(message) => message,
                Next::Wait => continue,
                Next::End(ending) => return ending,
            },
        };
        if socket.send(message).await.is_err() {
            return Ending::Gone;
        }
    }
}

pub(crate) fn text(document: &impl Serialize) -> Message {
    Message::Text(serde_json::to_string(document).unwrap_or_default().into())
}

/// Says why, and waits until the client has heard it; the answer to its own goodbye goes out while reading. `rest`: how
/// to come by what was not sent. Waits for no client that takes nothing.
pub(crate) async fn close(mut socket: WebSocket, ending: Ending, rest: &str) {
    let goodbye = async {
        if let Ending::Broke(problem) = &ending {
            let _ = socket.send(text(problem)).await;
        }
        if let Some(frame) = frame(&ending, rest) {
            let _ = socket.send(Message::Close(Some(frame))).await;
        }
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = tokio::time::timeout(SOCKET_CLOSE, goodbye).await;
}

/// The code and the reason, which has room for 123 bytes. `None`: there is nobody to tell.
fn frame(ending: &Ending, rest: &str) -> Option<CloseFrame> {
    let (code, reason) = match ending {
        Ending::Over => (close_code::NORMAL, "there is nothing more".to_owned()),
        Ending::Stopping => (close_code::RESTART, format!("the host is stopping{rest}")),
        Ending::Broke(problem) => (problem_code(problem), problem.code.text()),
        Ending::Spoke => (close_code::UNSUPPORTED, "nothing more is to be sent to a stream".to_owned()),
        Ending::Garbled => (close_code::PROTOCOL, "this is no message, or too large for one".to_owned()),
        Ending::Silent => (close_code::AGAIN, format!("no sign of life{rest}")),
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
        let rest = format!(": go on with since={}", u64::MAX);
        for (ending, expected) in cases {
            let frame = frame(&ending, &rest);
            assert_eq!(frame.as_ref().map(|frame| frame.code), expected, "{ending:?}");
            assert!(frame.is_none_or(|frame| (1..=123).contains(&frame.reason.len())), "{ending:?}");
        }
        for code in Code::ALL {
            assert!(frame(&broke(*code), &rest).is_some_and(|frame| frame.reason.len() <= 123), "{code:?}");
        }
    }
}
