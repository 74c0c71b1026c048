//! Ctrl-C and SIGTERM: the first asks everything to end, the second ends it at once.
//!
//! Owns the signals. Must not know what is being ended.

use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// What became of the work.
pub(super) enum Outcome<T> {
    Done(T),
    Interrupted,
}

/// Runs `work` until it is done or the user wants it to end. Dropping `work` must end what it started.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Outcome<T> {
    tokio::select! {
        done = work => Outcome::Done(done),
        () = interrupted() => Outcome::Interrupted,
    }
}

/// Waits for the next Ctrl-C or SIGTERM.
pub(super) async fn interrupted() {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
}
