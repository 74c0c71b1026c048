//! A client that follows all events over every server, goes away now and then, and comes back with its last number.
//!
//! Owns what was told. Must not know what is on disk.

use super::http::{Address, Http, Since};
use crate::random::Random;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// It goes away by itself within this.
const STAYS_MAX: Duration = Duration::from_millis(700);
/// Between two tries to reach a server that does not answer.
const PAUSE: Duration = Duration::from_millis(5);

/// What was told, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) events: Vec<Value>,
    /// How often it came back.
    pub(super) visits: u32,
    /// Numbers that were not one more than the one before.
    pub(super) faults: Vec<String>,
}

/// Where the follower keeps what it was told.
pub(super) type Notes = Arc<Mutex<Told>>;

impl Told {
    pub(super) fn last(&self) -> u64 {
        self.events.last().and_then(number).unwrap_or(0)
    }

    fn take(&mut self, line: &[u8]) {
        // An empty line is a sign of life.
        if line.trim_ascii().is_empty() {
            return;
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(event) if number(&event) == Some(self.last() + 1) => self.events.push(event),
            Ok(event) => self.faults.push(format!("after event {} came {event}", self.last())),
            Err(error) => self.faults.push(format!("after event {}: {error}", self.last())),
        }
    }
}

fn number(event: &Value) -> Option<u64> {
    event.get("number").and_then(Value::as_u64)
}

/// Follows whatever server there is, until nobody names any more.
pub(super) async fn follow(mut servers: watch::Receiver<Option<Address>>, notes: Notes, mut random: Random) {
    loop {
        let address = servers.borrow_and_update().clone();
        match address.and_then(|address| Http::to(address).ok()) {
            Some(http) => {
                let stay = random.within(STAYS_MAX);
                tokio::select! {
                    () = visit(&http, &notes) => tokio::time::sleep(PAUSE).await,
                    () = tokio::time::sleep(stay) => {}
                    _ = servers.changed() => {}
                }
            }
            None if servers.changed().await.is_err() => return,
            None => {}
        }
        if servers.has_changed().is_err() {
            return;
        }
    }
}

/// One connection. What was read of a line when it breaks was not told.
async fn visit(http: &Http, notes: &Notes) {
    let since = read(notes, |told| {
        told.visits += 1;
        // It says so in either way.
        if told.visits % 2 == 0 { Since::Query(told.last()) } else { Since::Header(told.last()) }
    });
    let Ok(mut response) = http.events(since, true).await else { return };
    let mut rest = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            read(notes, |told| told.take(&line));
        }
    }
}

/// A look at what was told.
pub(super) fn read<T>(notes: &Notes, look: impl FnOnce(&mut Told) -> T) -> T {
    look(&mut notes.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_missing_or_comes_twice_is_a_fault() {
        let mut told = Told::default();
        for line in
            ["{\"number\": 1}\n", "\n", "{\"number\": 2}\n", "{\"number\": 2}\n", "{\"number\": 4}\n", "{"]
        {
            told.take(line.as_bytes());
        }
        assert_eq!((told.events.len(), told.last(), told.faults.len()), (2, 2, 3));
    }
}
