//! Durable jobs: accepted once they are on disk, run as plugins have places, never lost.
//!
//! Owns the queue and the life of every job. Must not know HTTP or SQL: what is true is told to the store, and
//! only what the store has is told to anybody else.

mod core;
pub mod limits;
mod settings;

pub use settings::JobSettings;

/// What is known of plugins when stages are started: how many stages an instance can run at once, or why it
/// cannot run any now.
pub(crate) type Places<'a> = dyn Fn(&str) -> Result<u32, String> + 'a;
