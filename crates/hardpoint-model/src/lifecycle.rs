//! The five states of a plugin, as the API shows them.
//!
//! ```text
//!   LOADED ──> INITIALIZED <──> RUNNING
//!      └────────────┴──────────────┴──> FAILED | UNAVAILABLE      final for one incarnation
//! ```
//!
//! Owns the words and what may follow what. A restart is a new incarnation: it begins at LOADED again.
//! Pure: it says what follows, the engine does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in its incarnation a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PluginState {
    /// Known to the host; not started yet, or being started.
    Loaded,
    /// Started and validated; it has no call.
    Initialized,
    /// It runs at least one call.
    Running,
    /// It ran and broke.
    Failed,
    /// Something that it needs is missing here: a GPU, a package, a model file, a platform.
    Unavailable,
}

/// What can happen to a plugin within one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginEvent {
    /// It is imported, initialized and validated.
    Initialized,
    /// Its first call began.
    CallsBegan,
    /// Its last call ended.
    CallsEnded,
    /// It could not be started, its worker ended, or a call broke it.
    Broke,
    /// A need of it is missing.
    NeedMissing,
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plugin that is {state} cannot have {event:?}")]
pub struct IllegalPluginTransition {
    /// The state.
    pub state: PluginState,
    /// The event.
    pub event: PluginEvent,
}

impl PluginState {
    /// Every state, in the order of a good life.
    pub const ALL: [Self; 5] =
        [Self::Loaded, Self::Initialized, Self::Running, Self::Failed, Self::Unavailable];

    /// The state after an event.
    pub fn next(self, event: PluginEvent) -> Result<Self, IllegalPluginTransition> {
        use PluginEvent as E;
        match (self, event) {
            (Self::Loaded, E::Initialized) | (Self::Running, E::CallsEnded) => Ok(Self::Initialized),
            (Self::Initialized, E::CallsBegan) => Ok(Self::Running),
            (Self::Loaded | Self::Initialized | Self::Running, E::Broke) => Ok(Self::Failed),
            // Needs are looked at before and while it starts, never afterwards.
            (Self::Loaded, E::NeedMissing) => Ok(Self::Unavailable),
            (state @ (Self::Loaded | Self::Failed | Self::Unavailable), E::CallsBegan | E::CallsEnded)
            | (state @ (Self::Initialized | Self::Running), E::NeedMissing)
            | (
                state @ (Self::Initialized | Self::Running | Self::Failed | Self::Unavailable),
                E::Initialized,
            )
            | (state @ Self::Initialized, E::CallsEnded)
            | (state @ Self::Running, E::CallsBegan)
            | (state @ (Self::Failed | Self::Unavailable), E::Broke | E::NeedMissing) => {
                Err(IllegalPluginTransition { state, event })
            }
        }
    }

    /// Whether nothing follows within this incarnation.
    pub fn is_final(self) -> bool {
        match self {
            Self::Failed | Self::Unavailable => true,
            Self::Loaded | Self::Initialized | Self::Running => false,
        }
    }

    /// Whether calls are taken.
    pub fn takes_calls(self) -> bool {
        match self {
            Self::Initialized | Self::Running => true,
            Self::Loaded | Self::Failed | Self::Unavailable => false,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "LOADED",
            Self::Initialized => "INITIALIZED",
            Self::Running => "RUNNING",
            Self::Failed => "FAILED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

impl fmt::Display for PluginState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events() -> impl Strategy<Value = Vec<PluginEvent>> {
        use PluginEvent as E;
        let event = prop_oneof![
            Just(E::Initialized),
            Just(E::CallsBegan),
            Just(E::CallsEnded),
            Just(E::Broke),
            Just(E::NeedMissing)
        ];
        prop::collection::vec(event, 0..24)
    }

    proptest! {
        #[test]
        fn an_incarnation_never_leaves_failed_or_unavailable_and_never_returns_to_loaded(events in events()) {
            let mut state = PluginState::Loaded;
            for event in events {
                match state.next(event) {
                    Ok(next) => {
                        prop_assert!(!state.is_final(), "left {state} by {event:?}");
                        prop_assert_ne!(next, PluginState::Loaded);
                        prop_assert!(next != PluginState::Running || state == PluginState::Initialized);
                        prop_assert!(next != PluginState::Unavailable || state == PluginState::Loaded);
                        state = next;
                    }
                    Err(illegal) => prop_assert_eq!(illegal, IllegalPluginTransition { state, event }),
                }
            }
            // Whatever happened before: as long as it lives it can break.
            prop_assert_eq!(state.next(PluginEvent::Broke).is_ok(), !state.is_final());
        }
    }

    #[test]
    fn the_states_are_written_as_promised() {
        let written: Vec<String> =
            PluginState::ALL.iter().map(|state| serde_json::to_string(state).unwrap()).collect();
        assert_eq!(
            written,
            ["\"LOADED\"", "\"INITIALIZED\"", "\"RUNNING\"", "\"FAILED\"", "\"UNAVAILABLE\""]
        );
        for state in PluginState::ALL {
            assert_eq!(format!("\"{state}\""), serde_json::to_string(&state).unwrap());
        }
    }
}
