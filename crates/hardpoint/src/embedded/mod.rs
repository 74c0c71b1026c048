//! The host inside the command line: plugins from a folder, workers for the time of one command.
//!
//! Owns the two hosts of one command: [`Host`], which starts single workers and calls them, and [`PrivateHost`], which
//! runs a pipeline as a server would. Must not know the terminal: what they do on the way is told as events.

mod call;
mod host;
mod places;
mod private;

pub(crate) use crate::failure::Failure;
pub(crate) use call::{Ended, call};
pub(crate) use hardpoint_engine::{Catalog, Installed, StartError, read_bounded};
pub(crate) use host::{Event, Host, argument_schema, open_starter};
pub(crate) use places::{Places, default_data, default_plugins};
pub(crate) use private::{PrivateHost, Step};

/// Named values, each with the binary data that belongs to it.
pub(crate) type Document = std::collections::BTreeMap<String, hardpoint_wire::Payload>;
