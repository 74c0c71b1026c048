//! Owns what is decided about plugins: which there are, which one lives, what its state is, what may be called.
//!
//! Must not know HTTP, the terminal or SQL. One loop owns the registry; everybody else reads the snapshot
//! that it publishes, or asks it something on a bounded channel.
//!
//! ```text
//!   Engine (handle) ── Command ──>  loop ── Effect ──> start, watch, stop (supervisor, env)
//!        │                            │        └────────── Input ──┐
//!        │ calls                      ▼                            │
//!        └─────> Snapshot <──── core: pure decisions  <────────────┘
//! ```

mod activity;
mod admit;
mod call;
mod catalog;
mod config;
mod core;
mod decisions;
mod engine;
mod instance;
pub mod jobs;
pub mod limits;
pub mod logs;
mod mebibytes;
pub mod probe;
mod schedule;
mod secrets;
mod settings;
mod snapshot;
mod start;
mod usage;
mod watch;

pub use call::{CallFailed, CallFailure, CallStep, Done, Refusal, RunningCall};
pub use catalog::{Catalog, CatalogError, Installed, read_bounded};
pub use config::{ConfigRefusal, ConfigView, Told};
pub use decisions::Decisions;
pub use engine::{Answer, Engine, Verb};
pub use instance::{Created, InstanceRefusal, NewInstance, Own};
pub use schedule::{SchedulerSettings, Shortage};
pub use secrets::{Afterwards, Changed, SecretRefusal, SecretsView};
pub use settings::{PluginSettings, Settings};
pub use snapshot::{PluginView, Snapshot};
pub use start::{OpenError, StartError, StartEvent, StartOrder, Starter};
