//! Owns what this crate takes from the process environment, read once and given to every program it starts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The environment variables that programs are searched with and started with.
#[derive(Debug, Clone)]
pub struct Settings {
    variables: BTreeMap<OsString, OsString>,
}

/// Variables that would make a started Python look somewhere else than its own environment.
const LEFT_OUT: [&str; 5] =
    ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"];

impl Settings {
    /// The environment of this process.
    pub fn from_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// The same with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(OsStr::new(name));
        self
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variables for a program that is started.
    pub(crate) fn for_child(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables
            .iter()
            .filter(|(name, _)| LEFT_OUT.iter().all(|left_out| name.as_os_str() != *left_out))
    }

    /// Every executable file called `name` on `PATH`, in order.
    pub(crate) fn on_path(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let path = self.get("PATH").unwrap_or_default().to_owned();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let name = name.to_owned();
        folders
            .into_iter()
            .filter(|folder| folder.is_absolute())
            .map(move |folder| folder.join(&name))
            .filter(|file| is_executable(file))
    }
}

pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}
