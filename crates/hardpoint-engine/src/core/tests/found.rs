//! Folders that claim the same name.

use super::*;

#[test]
fn two_folders_of_one_name_are_both_refused_by_name() {
    let mut world = World::new(settings(RestartPolicy::Always, FailOn::Fatal));
    world.input(Input::Found(vec![installed("/plugins/ocr"), installed("/plugins/ocr-copy")]));
    let entry = &world.core.entries[NAME];
    let reason = entry.reason.as_deref().unwrap();
    assert!(reason.contains("/plugins/ocr and /plugins/ocr-copy"), "{reason}");
    assert_eq!(entry.state, PluginState::Failed);

    // Once one of them is gone, the other may run.
    world.input(Input::Found(vec![installed("/plugins/ocr-copy")]));
    world.ask(Ask::Restart);
    world.start_ends_well();
    let entry = &world.core.entries[NAME];
    assert_eq!(
        (entry.state, entry.installed.dir.to_str()),
        (PluginState::Initialized, Some("/plugins/ocr-copy"))
    );
}
