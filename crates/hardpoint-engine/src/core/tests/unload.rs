//! What was unloaded, and the hosts that come after.

use super::*;

#[test]
fn a_plugin_that_was_unloaded_is_not_started_by_the_next_host_until_it_is_loaded() {
    let calm = || settings(RestartPolicy::UnlessStopped, FailOn::Fatal);
    let mut world = World::new(calm());
    world.start_ends_well();
    world.ask(Ask::Unload);
    let always = World::on(settings(RestartPolicy::Always, FailOn::Fatal), world.disk);
    assert!(always.starting.is_some(), "always means always");
    let mut next = World::on(calm(), world.disk);
    next.pass(Duration::from_mins(10));
    next.ask(Ask::Enable(true));
    assert!(next.starting.is_none(), "it was not asked for");
    next.ask(Ask::Load);
    assert!(next.starting.is_some());
    assert_eq!(next.disk, PluginFlags { enabled: Some(true), unloaded: false });
}
