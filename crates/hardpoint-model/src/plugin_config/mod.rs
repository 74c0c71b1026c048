//! Owns the configuration of a plugin: which layers it comes from, what its schema makes of them, and how a change is
//! merged. Knows neither who asks nor where a layer is kept.
//!
//! ```text
//! instance  >  persisted (by hand)  >  manifest `[config]`  >  `default` in the schema    one object, a winner for each leaf
//! ```
//!
//! A plugin's own schema says what may stand there. It is the plugin's code that brings it, so it is known once a worker
//! has told it, and may be another one with the next version: that is what the hash is for.

mod layers;
mod patch;
mod schema;

pub use layers::{Effective, Layers, Origin};
pub use patch::merge;
pub use schema::{ConfigSchema, UnknownKeys, effective, judge, leave_out};

/// An object of JSON.
pub type Object = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests;
