//! Telling a service manager how far the server is: the datagrams of `sd_notify`.
//!
//! Owns the socket's two kinds of names. Nobody listening is no trouble; a message that cannot be sent is logged
//! and forgotten.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What a service manager is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    /// The server listens at this address.
    Ready(&'a str),
    /// It is about to end.
    Stopping,
}

/// Tells it to whoever `NOTIFY_SOCKET` names.
pub(super) fn notify(state: State<'_>) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    let message = match state {
        State::Ready(url) => format!("READY=1\nSTATUS=listening on {url}\n"),
        State::Stopping => "STOPPING=1\nSTATUS=finishing requests, then ending workers\n".to_owned(),
    };
    if let Err(e) = send(&name, &message) {
        tracing::warn!("the service manager at {} cannot be told: {e}", name.display());
    }
}

fn send(name: &OsStr, message: &str) -> io::Result<()> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the server.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address).map(drop)
}
