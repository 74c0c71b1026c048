//! Plugins that make room for others, and plugins that lacked some.

use super::*;

impl World {
    /// A call of the present life lacked resources.
    pub(super) fn renew(&mut self) {
        let Some((_, life)) = self.lives.last().cloned() else { return };
        let (done, renewed) = oneshot::channel();
        self.asked.push(renewed);
        self.input(Input::Renew { life, done });
    }

    /// Another plugin needs what it holds.
    pub(super) fn evict(&mut self) {
        let Some((_, life)) = self.lives.last().cloned() else { return };
        let (done, gone) = oneshot::channel();
        self.asked.push(gone);
        self.input(Input::Evict { life, needy: "other".to_owned(), done });
    }

    fn rests(&self) -> bool {
        self.core.entries[NAME].made_room.is_some()
    }
}

#[test]
fn an_idle_plugin_makes_room_and_is_not_started_until_it_is_needed() {
    let mut world = World::new(settings(RestartPolicy::Always, FailOn::Fatal));
    world.start_ends_well();
    world.evict();
    assert!(!world.stopping.is_empty() && world.asked[0].try_recv().is_err(), "it is not gone yet");
    world.worker_ends(ExitReason::OwnStop);
    assert_eq!(world.asked[0].try_recv(), Ok(()), "whoever needs the room hears when it is there");
    assert_eq!((world.state(), world.rests()), (PluginState::Loaded, true));
    world.pass(Duration::from_mins(10));
    assert!(world.starting.is_none(), "no policy brings it back");
    world.ask(Ask::Load);
    assert!(world.rests(), "who calls now waits until it is up");
    world.start_ends_well();
    assert!(!world.rests());
    assert_eq!((world.state(), world.core.entries[NAME].incarnation), (PluginState::Initialized, 2));
    assert!(world.core.entries[NAME].hint.is_none());
}

#[test]
fn a_plugin_with_a_call_makes_room_for_nobody() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.start_ends_well();
    let ticket = world.core.entries[NAME].activity.begin(None).unwrap();
    world.evict();
    assert!(world.stopping.is_empty());
    assert_eq!(world.asked[0].try_recv(), Err(TryRecvError::Closed), "and it says so at once");
    drop(ticket);
    world.evict();
    assert!(!world.stopping.is_empty());
}

#[test]
fn a_call_that_meets_a_plugin_on_its_way_out_brings_it_back() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.start_ends_well();
    world.evict();
    world.ask(Ask::Load);
    assert!(world.rests());
    world.worker_ends(ExitReason::OwnStop);
    world.start_fails(PluginEvent::Broke);
    assert_eq!(
        (world.state(), world.rests()),
        (PluginState::Failed, false),
        "nobody waits for what is broken"
    );
}

#[test]
fn what_made_room_is_unloaded_like_any_other_and_needs_no_start_then() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.start_ends_well();
    world.evict();
    world.worker_ends(ExitReason::OwnStop);
    world.ask(Ask::Unload);
    assert!(!world.rests() && world.disk.unloaded, "its next call does not start it");
}
