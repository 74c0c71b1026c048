//! Whether the worker of a plugin has heard that calls are allowed, or not any more.
//!
//! Owns the moment of the two hooks: the one for "not any more" comes when the last call is over, whoever waits for it or does
//! not; whoever allows calls again before that spares the plugin both. Must not know who decides it, or what a hook does.
//!
//! ```text
//! heard: allowed ── disable ──> until idle ── idle ──> telling ──> heard: not allowed
//!       ^  ^────── enable ─────────┘                                     │
//!       └──────────────── telling <──────────── enable ──────────────────┘
//! ```

use super::{Core, Effect, Entry, LifeId, Now, Phase, Scene};
use hardpoint_model::JobError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Whoever waits until the worker has heard: how the hook ended. Dropped when there is nobody to hear it.
pub(crate) type Heard = oneshot::Sender<Result<(), JobError>>;

/// What one worker has heard.
#[derive(Debug)]
pub(super) struct Switch {
    /// The last word it has heard, or is being told.
    heard: bool,
    step: Step,
    waiting: Vec<Heard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Rest,
    /// Its calls are to end first.
    UntilIdle,
    Telling,
}

impl Switch {
    /// For a worker that begins.
    pub(super) fn new(enabled: bool) -> Self {
        Self { heard: enabled, step: Step::Rest, waiting: Vec::new() }
    }
}

impl<W: Clone> Core<W> {
    /// The worker of a life has heard, or has failed to.
    pub(super) fn heard(&mut self, life: &LifeId, result: &Result<(), JobError>, now: Now) {
        self.of(life, |entry, scene| entry.heard(result, scene), now);
    }
}

impl<W: Clone> Entry<W> {
    /// Somebody has decided whether calls are allowed, and waits until the worker knows.
    pub(super) fn switched(&mut self, who: Heard, scene: &mut Scene<'_, W>) {
        self.switch.waiting.push(who);
        self.let_it_hear(scene);
    }

    /// It has no call, or had none a moment ago; while calls are not allowed that stays so.
    pub(super) fn is_idle(&mut self, scene: &mut Scene<'_, W>) {
        if self.switch.step == Step::UntilIdle && !self.enabled {
            self.tell(scene);
        }
    }

    fn heard(&mut self, result: &Result<(), JobError>, scene: &mut Scene<'_, W>) {
        self.switch.step = Step::Rest;
        if self.switch.heard == self.enabled {
            self.answer(result);
        } else {
            self.let_it_hear(scene);
        }
    }

    fn let_it_hear(&mut self, scene: &mut Scene<'_, W>) {
        match (self.switch.step, &self.phase) {
            // When it has heard one word it is told the next.
            (Step::Telling, Phase::Up(_)) => {}
            (Step::Rest | Step::UntilIdle, Phase::Up(_)) if self.switch.heard == self.enabled => {
                self.switch.step = Step::Rest;
                self.answer(&Ok(()));
            }
            (Step::Rest | Step::UntilIdle, Phase::Up(_)) if self.enabled => self.tell(scene),
            (Step::UntilIdle, Phase::Up(_)) => {}
            (Step::Rest, Phase::Up(_)) => {
                self.switch.step = Step::UntilIdle;
                let (life, activity) = (self.life(), Arc::clone(&self.activity));
                scene.effects.push(Effect::AwaitIdle { life, activity });
            }
            (_, Phase::Idle | Phase::Starting | Phase::Stopping { .. }) => {
                self.switch = Switch::new(self.enabled);
            }
        }
    }

    fn tell(&mut self, scene: &mut Scene<'_, W>) {
        let Phase::Up(worker) = &self.phase else { return };
        let (life, worker, enabled) = (self.life(), worker.clone(), self.enabled);
        scene.effects.push(Effect::Switch { life, worker, enabled });
        self.switch.heard = enabled;
        self.switch.step = Step::Telling;
    }

    fn answer(&mut self, result: &Result<(), JobError>) {
        for who in self.switch.waiting.drain(..) {
            let _ = who.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests;
