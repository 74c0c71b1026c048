//! What a plugin was started with is different now.

use super::*;

#[test]
fn other_secrets_start_what_runs_anew_and_nothing_that_is_down() {
    let mut world = World::new(settings(RestartPolicy::Never, FailOn::Fatal));
    world.ask(Ask::Reload);
    assert_eq!(world.core.entries[NAME].incarnation, 2, "a start under way was begun with the old ones");
    world.start_ends_well();
    world.ask(Ask::Reload);
    world.worker_ends(ExitReason::OwnStop);
    world.start_ends_well();
    assert_eq!((world.state(), world.core.entries[NAME].incarnation), (PluginState::Initialized, 3));
    assert!(world.reload, "it is told as a reload");
    world.worker_ends(crash());
    world.ask(Ask::Reload);
    assert_eq!((world.state(), world.starting.is_none()), (PluginState::Failed, true));
}
