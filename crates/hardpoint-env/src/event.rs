//! Owns what is told while an environment is made ready. Knows nothing of who listens.

use std::path::PathBuf;

/// A step towards a ready environment.
#[derive(Debug, Clone, PartialEq)]
pub enum EnvEvent {
    /// An interpreter was chosen.
    Interpreter {
        /// Its path.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// Another process builds the same thing; this one waits for it.
    Waiting {
        /// That process, if it said who it is.
        pid: Option<u32>,
    },
    /// A step of a build begins, or the installer wrote a line.
    Installing {
        /// The plugin it is for.
        plugin: String,
        /// What is being done: `environment`, `packages`, `uv`.
        what: &'static str,
        /// One line of output, at most 8 KiB.
        line: String,
    },
    /// The environment can be used.
    Ready {
        /// How long that took.
        seconds: f64,
        /// Whether it was there already.
        reused: bool,
    },
}

/// Where events go.
pub(crate) type Listener<'a> = &'a mut (dyn FnMut(EnvEvent) + Send);
