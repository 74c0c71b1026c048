//! Ctrl-C and SIGTERM: the first asks everything to end, the second ends it at once.
//!
//! Owns the signals and the time that an end may take. Must not know what the command was.

use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long workers are given to end in order when a command is over or interrupted.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(3);

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

/// Waits for the next Ctrl-C or SIGTERM; one that comes after this is called and before it is waited for counts.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut int), Ok(mut term)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
    }
}

/// Waits until a host has ended in order. A second Ctrl-C, or a worker that cannot be ended in time, ends the waiting:
/// the shims then do the rest on their own when this process is gone.
pub(super) async fn stop(ending: impl Future<Output = ()>) {
    tokio::select! {
        () = ending => {}
        () = interrupted() => {}
        () = tokio::time::sleep(STOP_GRACE * 3) => {}
    }
    // What follows is only the writing of a result, which may be long: from here on Ctrl-C ends it.
    tokio::spawn(async {
        interrupted().await;
        std::process::exit(130);
    });
}
