//! Making room for others: an idle plugin is ended, and its next call starts it again.
//!
//! Owns the way there and back. Who has to go is the scheduler's to say; must not know why.
//!
//! ```text
//!   up ──evict──> leaving ──its worker ended──> resting ──a call: load──> coming ──> up
//!                    └──────────────a call: load──────────────────────────^
//! ```
//!
//! Whoever calls on the way waits until it is up again. An end of any other kind ends this, too.

use super::entry::Then;
use super::{Entry, Phase, Scene};
use hardpoint_wire::LogLevel;
use tokio::sync::oneshot;

impl<W: Clone> Entry<W> {
    /// A plugin with a call is never ended for another. One that begins while its worker is being ended is let finish.
    pub(super) fn evict(&mut self, needy: &str, done: oneshot::Sender<()>, scene: &mut Scene<'_, W>) {
        if !matches!(self.phase, Phase::Up(_)) || self.activity.in_flight() > 0 {
            return;
        }
        self.say(LogLevel::Info, &format!("it is ended to make room for `{needy}`"));
        self.waiting.push(done);
        self.made_room = self.phase.worker().cloned();
        self.stop(Then::Evicted, scene);
    }

    /// No call is to bring it back.
    pub(super) fn is_wanted_down(&mut self) {
        if self.made_room.take().is_some() {
            self.hint = None;
        }
    }

    pub(super) fn evicted(&mut self, scene: &mut Scene<'_, W>) {
        self.next_incarnation(Some("it was ended to make room for another plugin".to_owned()), scene);
        self.hint = Some("its next call starts it again".to_owned());
    }
}
