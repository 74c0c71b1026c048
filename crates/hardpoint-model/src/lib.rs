//! The vocabulary of Hardpoint: manifest, pipeline, configuration, schemas, errors, exit reasons.
//!
//! Pure data and pure functions: nothing here reads a file, starts a process or knows the time.
//! Text that comes from outside is parsed into these types with every mistake reported at once.

pub mod canonical;
pub mod config;
pub mod diagnostics;
pub mod document;
mod error;
mod exit;
pub mod health;
pub mod ids;
pub mod job;
mod lifecycle;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod pipeline;
pub mod platform;
pub mod plugin_config;
pub mod restart;
pub mod schema;
pub mod seconds;
mod secret;
mod suggest;
pub mod usage;
pub mod worker_env;

pub use config::Config;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use error::{Category, JobError, ResourceShortfall, TracebackPolicy};
pub use exit::{Exit, ExitReason, MemoryEnforcer};
pub use ids::{InstanceId, PluginName, PluginRef};
pub use lifecycle::{IllegalPluginTransition, PluginEvent, PluginState};
pub use manifest::Manifest;
pub use pipeline::Pipeline;
pub use platform::Platform;
pub use seconds::Seconds;
pub use secret::Secret;
