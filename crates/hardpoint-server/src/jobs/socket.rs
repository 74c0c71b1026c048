//! Events of jobs over a WebSocket.
//!
//! Owns how steps become messages. Must not know what a WebSocket is.

use super::stream::{Going, Step};
use crate::connection::Connection;
use crate::extract::Upgrade;
use crate::limits::SOCKET_MESSAGE_BYTES_MAX;
use crate::problem::Problem;
use crate::socket::{self, Ending, Next, Teller, text};
use axum::extract::ws::WebSocket;
use axum::response::Response;

/// The response that makes the connection a WebSocket, on which the events are sent. A browser shows its page nothing of
/// an answer that refuses; so what is wrong with the query is told there, too.
pub(super) fn response(connection: &Connection, upgrade: Upgrade, going: Result<Going, Problem>) -> Response {
    socket::response(connection, upgrade, SOCKET_MESSAGE_BYTES_MAX, |socket| run(socket, going))
}

async fn run(mut socket: WebSocket, going: Result<Going, Problem>) {
    let (ending, last) = match going {
        Ok(mut going) => {
            let giving_up = going.giving_up();
            let ending = tokio::select! {
                ending = socket::talk(&mut socket, &mut going) => ending,
                () = giving_up.cancelled() => Ending::Gone,
            };
            if matches!(ending, Ending::Silent) {
                going.drop_it();
            }
            (ending, going.last())
        }
        Err(problem) => (Ending::Broke(Box::new(problem)), 0),
    };
    socket::close(socket, ending, &format!(": go on with since={last}")).await;
}

impl Teller for Going {
    async fn next(&mut self) -> Next {
        match Going::next(self).await {
            Some(Step::Event(event)) => Next::Say(text(&event)),
            Some(Step::Message(_, message)) => Next::Say(text(&message)),
            Some(Step::Notice(notice)) => Next::Say(text(&notice)),
            Some(Step::Alive) => Next::Wait,
            Some(Step::Goodbye) => Next::End(Ending::Stopping),
            Some(Step::Broke(problem)) => Next::End(Ending::Broke(problem)),
            None => Next::End(Ending::Over),
        }
    }
}
