//! Plugin environments: one Python environment per plugin, built beside the old one and switched.
//!
//! ```text
//! DATA_DIR/envs/<key>.lock               one builder at a time, across processes
//! DATA_DIR/envs/<key>/<build>/           a virtual environment, never moved: its scripts name its path
//! DATA_DIR/envs/<key>/<build>/complete.json   written last; without it the build is dead
//! DATA_DIR/envs/<key>/current -> <build> switched by one rename
//! DATA_DIR/tools/uv/…                    the installer, laid out the same way
//! ```
//!
//! The key is a hash of the interpreter and the requirements, so plugins that want the same share one
//! environment, and a changed requirement never touches a working environment.
//! Knows nothing about workers: it hands out the path of a Python to start.

mod error;
mod event;
mod given;
mod install;
mod interpreter;
mod key;
mod layout;
mod limits;
mod machine;
mod settings;
mod store;
mod survey;

pub use error::{EnvError, FoundInterpreter, GivenFault};
pub use event::EnvEvent;
pub use given::interpreter_of;
pub use interpreter::Interpreter;
pub use limits::REQUIREMENTS_BYTES_MAX;
pub use settings::Settings;
pub use store::{EnvRequest, EnvStore, Environment, Requirements};
pub use survey::{Candidate, Survey, Uv, survey};
