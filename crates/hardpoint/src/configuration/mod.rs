//! The host's configuration, as this machine has it: where its sources are, and what its values mean for each
//! part of the host.
//!
//! Owns reading the file and the environment. Keys, layers and mistakes are `hardpoint_model::config`'s; this
//! must not know which command asks.

mod fill;
mod read;

pub(crate) use fill::{engine_settings, job_settings, server_settings};
pub(crate) use read::{Wanted, read};
