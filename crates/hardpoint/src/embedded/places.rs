//! Where things are: the plugins folder and the data folder.

use super::Failure;
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
    /// The folders asked for, else the defaults.
    pub(crate) fn find(plugins: Option<PathBuf>, data: Option<PathBuf>) -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(|e| Failure::host("the current folder is gone", &e))?;
        let plugins = plugins.unwrap_or_else(|| default_plugins(&here));
        let data = data.or_else(default_data).ok_or_else(|| {
            Failure::request("there is no place for data: HOME is not set", "give one with `--data-dir DIR`")
        })?;
        Ok(Self { plugins: here.join(plugins), data: here.join(data) })
    }
}

fn default_plugins(here: &Path) -> PathBuf {
    let own = here.join("plugins");
    let examples = here.join("examples/plugins");
    if examples.is_dir() { examples } else { own }
}

/// `$XDG_DATA_HOME/hardpoint`, else `~/.local/share/hardpoint`.
fn default_data() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("hardpoint"))
}
