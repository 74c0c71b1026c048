//! The `WebSocket` of a server, as a client sees it.

use super::{PATIENCE, Server};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::client::Request;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::CloseFrame;
use tungstenite::{HandshakeError, Message, WebSocket};

/// A WebSocket over plain TCP.
pub(crate) type Socket = WebSocket<TcpStream>;

/// What a server sent.
#[derive(Debug)]
pub(crate) enum Said {
    Document(Value),
    Closed(u16, String),
    /// The connection ended without a word.
    Nothing(tungstenite::Error),
}

/// The request for a WebSocket at this path, with these fields in its header.
pub(crate) fn request_socket(server: &Server, path: &str, fields: &[(&'static str, &str)]) -> Request {
    let address = server.url().replace("http://", "ws://");
    let mut request = format!("{address}{path}").into_client_request().unwrap();
    for (name, value) in fields {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// A connection to a server.
pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A WebSocket at this path, or the status and the body of the answer that refused it.
pub(crate) fn opened<S: Read + Write>(
    server: &Server,
    stream: S,
    path: &str,
    fields: &[(&'static str, &str)],
) -> Result<WebSocket<S>, (u16, Value)> {
    match tungstenite::client(request_socket(server, path, fields), stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
        }
        Err(other) => panic!("{other}"),
    }
}

impl Server {
    /// A WebSocket at this path, opened with the local user's token.
    #[track_caller]
    pub(crate) fn socket(&self, path: &str) -> Socket {
        let bearer = format!("Bearer {}", self.token());
        opened(self, connect(self), path, &[("authorization", &bearer)]).unwrap()
    }
}

/// The next thing that a server says, pings left out.
pub(crate) fn next<S: Read + Write>(socket: &mut WebSocket<S>) -> Said {
    loop {
        return match socket.read() {
            Ok(Message::Text(text)) => Said::Document(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                Said::Closed(code.into(), reason.to_string())
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(other) => panic!("{other:?} is nothing that a server says"),
            Err(error) => Said::Nothing(error),
        };
    }
}

/// All documents until the server closes, and how it does.
#[track_caller]
pub(crate) fn to_the_end<S: Read + Write>(socket: &mut WebSocket<S>) -> (Vec<Value>, u16, String) {
    let mut documents = Vec::new();
    loop {
        match next(socket) {
            Said::Document(document) => documents.push(document),
            Said::Closed(code, reason) => return (documents, code, reason),
            Said::Nothing(error) => panic!("{error} after {} documents", documents.len()),
        }
    }
}
