//! The host that stays: engine and doors in one process, from start to an orderly end.
//!
//! Owns the order in which things begin and end, the signals, the lock on the data folder and what other
//! programs are told. Must not know options or layout: `cli::serve` does.
//!
//! ```text
//! lock data folder -> database -> tokens -> bind -> open starter -> engine -> jobs -> announce -> serve
//!                             first signal: drain -> stop accepting, jobs.stop -> engine.stop -> store.close -> 0
//!                                                 second signal: end at once, shims end the workers
//! ```

mod claim;
mod notify;
mod run;
mod signals;

pub(crate) use claim::running;
pub(crate) use run::{Order, run};
