//! Following events across the restarts of a server: each once, in their order.
//!
//! Owns the place that was reached and the patience with a server that is gone. Must not know what is done with events.

use crate::cli::live::Scene;
use crate::client::{EventQuery, Kind, Told};
use crate::embedded::Failure;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How often a server that is gone is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a server may be gone when nobody says how long: it may take half a minute to end, and a moment to start.
pub(super) const GONE_SECONDS_MAX: u32 = 60;

/// Whether the next event is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Wanted,
    Enough,
}

/// Whoever is told.
pub(super) trait Listener {
    /// Something came, with the document that says so.
    fn told(&mut self, told: &Told, document: &Value) -> Result<Next, Failure>;
    /// The server is gone, and is waited for.
    fn gone(&mut self, why: &Failure);
    /// How to go on by hand after this number.
    fn again(&self, last: u64) -> String;
}

struct Following<'a> {
    scene: Scene<'a>,
    query: EventQuery,
    /// Whether a server has ever answered.
    answered: bool,
    /// Since when none does.
    gone_since: Option<Instant>,
}

/// Tells the listener of events until it has enough or there are no more. A server that goes away is waited for, and
/// the stream goes on where it broke off: it may have another address then.
pub(super) async fn follow(
    scene: Scene<'_>,
    query: EventQuery,
    patience: Duration,
    listener: &mut impl Listener,
) -> Result<(), Failure> {
    let mut following = Following { scene, query, answered: false, gone_since: None };
    loop {
        let why = match following.stretch(listener).await {
            Err(why) if following.answered && following.query.follow && may_pass(&why) => why,
            ended => return ended,
        };
        let since = *following.gone_since.get_or_insert_with(|| {
            listener.gone(&why);
            Instant::now()
        });
        if since.elapsed() >= patience {
            let message = format!("{why}; it has not come back for {} s", patience.as_secs());
            let hint = format!("start it, then go on with `{}`", listener.again(following.query.since));
            return Err(Failure::Unreachable { message, hint });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Following<'_> {
    /// One stream to its end.
    async fn stretch(&mut self, listener: &mut impl Listener) -> Result<(), Failure> {
        let client = self.scene.client()?;
        let mut stream = client.events(self.query).await?;
        (self.answered, self.gone_since) = (true, None);
        while let Some((told, document)) = stream.next().await? {
            if let Told::Event(event) = &told {
                self.query.since = event.number;
            }
            if listener.told(&told, &document)? == Next::Enough {
                return Ok(());
            }
        }
        let is_over = match self.query.job {
            _ if !self.query.follow => true,
            Some(id) => client.typed_job(id).await?.status.is_terminal(),
            None => false,
        };
        if is_over { Ok(()) } else { Err(client.events_ended()) }
    }
}

/// Whether a server may answer otherwise in a moment.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Refused(refused) => refused.kind == Kind::Server,
        Failure::Request { .. }
        | Failure::Diagnostics(_)
        | Failure::Mistakes(_)
        | Failure::Environment(_)
        | Failure::NotStarted { .. }
        | Failure::Store(_)
        | Failure::Host { .. }
        | Failure::Secrets { .. }
        | Failure::Interrupted => false,
    }
}
