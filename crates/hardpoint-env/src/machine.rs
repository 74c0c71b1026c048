//! Owns what every program is started with: the launcher and the variables.

use hardpoint_process::Launcher;

use crate::settings::Settings;

/// This machine, as programs see it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) launcher: Launcher,
    pub(crate) settings: Settings,
}
