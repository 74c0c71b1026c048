//! What somebody asks of a plugin: first it is kept, then it is done.
//!
//! Owns the order of the two. A wish that outlives the host takes effect once it is on disk; one that the disk refuses
//! never happened. Must not know how anything is kept.

use super::entry::Then;
use super::switch::Heard;
use super::{Ask, Core, Effect, Entry, Now, Phase, Scene};
use hardpoint_store::{PluginFlags, StoreError};
use hardpoint_wire::LogLevel;
use tokio::sync::oneshot;

/// A wish, and who waits for it.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) plugin: String,
    pub(crate) ask: Ask,
    /// Told when it is on disk, or need not be; or why it is not, and then nothing happens.
    pub(crate) kept: oneshot::Sender<Result<(), StoreError>>,
    /// Told when it is done, or can get no further.
    pub(crate) settled: oneshot::Sender<()>,
    /// Told when the worker has heard whether calls are allowed, if that is what is asked; dropped otherwise.
    pub(crate) heard: Heard,
}

/// What a wish changes of what is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) enabled: Option<bool>,
    pub(crate) unloaded: Option<bool>,
}

impl Change {
    fn of(ask: Ask) -> Self {
        match ask {
            Ask::Enable(enabled) => Self { enabled: Some(enabled), unloaded: None },
            Ask::Unload => Self { enabled: None, unloaded: Some(true) },
            // Started by hand is not unloaded any more.
            Ask::Load | Ask::Restart => Self { enabled: None, unloaded: Some(false) },
            Ask::Reload => Self { enabled: None, unloaded: None },
        }
    }

    fn is_none(self) -> bool {
        self.enabled.is_none() && self.unloaded.is_none()
    }

    fn over(self, flags: PluginFlags) -> PluginFlags {
        PluginFlags {
            enabled: self.enabled.or(flags.enabled),
            unloaded: self.unloaded.unwrap_or(flags.unloaded),
        }
    }
}

impl<W: Clone> Core<W> {
    pub(super) fn asked(&mut self, wish: Wish, now: Now) {
        let Some(entry) = self.entries.get_mut(&wish.plugin) else { return };
        let change = Change::of(wish.ask);
        // While something is on its way nobody knows what will be there.
        let is_kept = !entry.is_being_kept() && change.over(entry.flags) == entry.flags;
        let is_kept = is_kept || change.is_none();
        // What is decided about a further instance is forgotten with it.
        if self.keeps && !is_kept && entry.is_default() {
            entry.being_kept += 1;
            self.effects.push(Effect::Keep { wish, change });
        } else {
            self.grant(wish, now);
        }
    }

    pub(super) fn kept(&mut self, wish: Wish, change: Change, result: Result<(), StoreError>, now: Now) {
        let Some(entry) = self.entries.get_mut(&wish.plugin) else { return };
        entry.being_kept = entry.being_kept.saturating_sub(1);
        match result {
            Ok(()) => {
                entry.flags = change.over(entry.flags);
                self.grant(wish, now);
            }
            Err(error) => self.effects.push(Effect::TellKept(wish.kept, Err(error))),
        }
    }

    fn grant(&mut self, wish: Wish, now: Now) {
        let Wish { plugin, ask, kept, settled, heard } = wish;
        self.effects.push(Effect::TellKept(kept, Ok(())));
        self.with(&plugin, |entry, scene| entry.grant(ask, settled, heard, scene), now);
    }
}

impl<W: Clone> Entry<W> {
    fn is_being_kept(&self) -> bool {
        self.being_kept > 0
    }

    fn grant(&mut self, ask: Ask, settled: oneshot::Sender<()>, heard: Heard, scene: &mut Scene<'_, W>) {
        self.waiting.push(settled);
        match ask {
            Ask::Enable(enabled) => {
                self.enabled = enabled;
                self.switched(heard, scene);
                if enabled && self.was_never_started() {
                    self.start(scene);
                }
            }
            Ask::Load => {
                self.restart_at = None;
                match &mut self.phase {
                    Phase::Idle => self.start(scene),
                    Phase::Starting | Phase::Up(_) => {}
                    Phase::Stopping { then, .. } => *then = Then::Start,
                }
            }
            Ask::Unload => {
                self.restart_at = None;
                self.unloaded = true;
                self.reload = false;
                self.is_wanted_down();
                match &mut self.phase {
                    Phase::Idle => self.rest_unloaded(),
                    Phase::Starting => {
                        self.abort_start(scene);
                        self.rest_unloaded();
                    }
                    Phase::Up(_) => self.stop(Then::Unload, scene),
                    Phase::Stopping { then, .. } => *then = Then::Unload,
                }
            }
            Ask::Reload => match &mut self.phase {
                // Its next worker is given what there is then.
                Phase::Idle | Phase::Stopping { .. } => {}
                Phase::Starting => {
                    self.abort_start(scene);
                    self.start(scene);
                }
                Phase::Up(_) => {
                    self.restarts += 1;
                    self.reload = true;
                    self.say(LogLevel::Info, "it is started again: its secrets were changed");
                    self.stop(Then::Start, scene);
                }
            },
            Ask::Restart => {
                self.attempts = hardpoint_model::restart::Attempts::default();
                self.restart_at = None;
                self.restarts += 1;
                self.reload = true;
                self.say(LogLevel::Info, "it is started again by hand");
                match &mut self.phase {
                    Phase::Idle => self.start_anew(scene),
                    Phase::Starting => {
                        self.abort_start(scene);
                        self.start_anew(scene);
                    }
                    Phase::Up(_) => self.stop(Then::Start, scene),
                    Phase::Stopping { then, .. } => *then = Then::Start,
                }
            }
        }
    }
}
