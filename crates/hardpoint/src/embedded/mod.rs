//! The host inside the command line: plugins from a folder, workers for the time of one command.
//!
//! Owns the way from a plugin's name to a running worker: manifest, environment, worker. Must not know the
//! terminal: what it does on the way is told as [`Event`]s.

mod host;
mod pipeline;
mod places;

pub(crate) use crate::failure::Failure;
pub(crate) use hardpoint_engine::{Catalog, Installed, read_bounded};
pub(crate) use host::{Event, Host, argument_schema, open_starter};
pub(crate) use pipeline::{Document, Ended, RunEnd, RunEvent, call, run_pipeline, start_stages};
pub(crate) use places::{Places, default_data, default_plugins};
