//! The life of a worker as a state machine.
//!
//! ```text
//!   Spawning -> Handshaking -> Ready <-> Busy -> Draining -> Terminating -> Exited
//!       └────────────┴───────────┴────────┴─────────┴────────────┴──────────^
//! ```
//!
//! Pure: it says what follows, the actor does it.

use hardpoint_model::ExitReason;

/// Where in its life a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// Its process is being started.
    Spawning,
    /// It runs; the plugin is being imported, initialized and validated.
    Handshaking,
    /// It can take calls and has none.
    Ready,
    /// It runs calls.
    Busy,
    /// It takes no more calls, and finishes those it has.
    Draining,
    /// It is being ended.
    Terminating,
    /// It is gone, for this reason.
    Exited(ExitReason),
}

/// What can happen to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEvent {
    /// Its process runs.
    Started,
    /// Its plugin is ready.
    HandshakeDone,
    /// The first call began.
    CallsBegan,
    /// The last call ended.
    CallsEnded,
    /// It was asked to stop.
    StopRequested,
    /// It is being ended, for whatever reason.
    EndBegan,
    /// No process of it is left.
    Gone(ExitReason),
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a worker that is {state:?} cannot have {event:?}")]
pub struct IllegalTransition {
    /// The state.
    pub state: WorkerState,
    /// The event.
    pub event: WorkerEvent,
}

impl WorkerState {
    /// The state after an event.
    pub fn next(self, event: WorkerEvent) -> Result<Self, IllegalTransition> {
        use WorkerEvent as E;
        use WorkerState as S;
        match (self, event) {
            (S::Spawning, E::Started) => Ok(S::Handshaking),
            (S::Handshaking, E::HandshakeDone) | (S::Busy, E::CallsEnded) => Ok(S::Ready),
            (S::Ready, E::CallsBegan) => Ok(S::Busy),
            (S::Ready | S::Busy | S::Draining, E::StopRequested) | (S::Draining, E::CallsEnded) => {
                Ok(S::Draining)
            }
            (S::Spawning | S::Handshaking, E::StopRequested) => Ok(S::Terminating),
            // An end that has begun swallows what still happens on the way.
            (S::Terminating, E::StopRequested | E::CallsEnded) => Ok(S::Terminating),
            (S::Exited(reason), E::Gone(_)) => {
                Err(IllegalTransition { event: E::Gone(reason.clone()), state: S::Exited(reason) })
            }
            (S::Exited(reason), event) => Err(IllegalTransition { state: S::Exited(reason), event }),
            (_, E::EndBegan) => Ok(S::Terminating),
            (_, E::Gone(reason)) => Ok(S::Exited(reason)),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }

    /// Whether new calls are taken.
    pub fn takes_calls(&self) -> bool {
        matches!(self, Self::Ready | Self::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events() -> impl Strategy<Value = Vec<WorkerEvent>> {
        use WorkerEvent as E;
        let event = prop_oneof![
            Just(E::Started),
            Just(E::HandshakeDone),
            Just(E::CallsBegan),
            Just(E::CallsEnded),
            Just(E::StopRequested),
            Just(E::EndBegan),
            Just(E::Gone(ExitReason::OwnStop)),
        ];
        prop::collection::vec(event, 0..24)
    }

    proptest! {
        #[test]
        fn every_event_in_every_state_has_one_answer_and_the_end_is_final(events in events()) {
            let mut state = WorkerState::Spawning;
            let mut ended = false;
            for event in events {
                let before = state.clone();
                match state.next(event.clone()) {
                    Ok(next) => {
                        prop_assert!(!ended, "left its end by {event:?}");
                        // Calls are only ever taken after a handshake, and never again once it stops.
                        if next.takes_calls() && !before.takes_calls() {
                            prop_assert_eq!(&event, &WorkerEvent::HandshakeDone);
                        }
                        ended = matches!(next, WorkerState::Exited(_));
                        state = next;
                    }
                    Err(illegal) => {
                        prop_assert_eq!(&illegal.state, &before);
                        state = before;
                    }
                }
            }
            if !ended {
                prop_assert!(state.next(WorkerEvent::Gone(ExitReason::HostLost)).is_ok());
            }
        }
    }
}
