//! Where things are: the plugins folder and the data folder.

use super::Failure;
use hardpoint_model::Config;
use std::path::{Path, PathBuf};

/// The folders of one command.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Its sub-folders are plugins.
    pub(crate) plugins: PathBuf,
    /// Environments, the unpacked SDK, scratch folders.
    pub(crate) data: PathBuf,
}

impl Places {
    /// The folders that are configured.
    pub(crate) fn of(config: &Config) -> Result<Self, Failure> {
        let plugins = config.plugins_dir.clone().ok_or_else(|| {
            Failure::request("there is no plugins folder", "name one with `--plugins-dir DIR`")
        })?;
        let data = config.data_dir.clone().ok_or_else(|| {
            Failure::request("there is no place for data: HOME is not set", "give one with `--data-dir DIR`")
        })?;
        Ok(Self { plugins, data })
    }
}

/// `examples/plugins` here if it is there, else `plugins` here.
pub(crate) fn default_plugins(here: &Path) -> PathBuf {
    let examples = here.join("examples/plugins");
    if examples.is_dir() { examples } else { here.join("plugins") }
}

/// `$XDG_DATA_HOME/hardpoint`, else `~/.local/share/hardpoint`.
pub(crate) fn default_data() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("hardpoint"))
}
