//! What clients of other hosts expect: their routes and their names, translated onto what this host does anyway.
//!
//! Owns every foreign name of the API. Must not decide or run anything in a way of its own: plugins are asked, tools run
//! and jobs handed in as by the native routes, with the same tokens, bounds and counts.

mod cancel;
mod choice;
mod counts;
mod frame;
mod frames;
mod image;
mod job_socket;
mod key;
mod manifest;
mod mcp;
mod media;
mod media_docs;
mod reload;
mod result;
mod routes;
mod rpc;
mod shown;
mod tool;
mod upload;
mod uploads;

pub(crate) use cancel::{cancel, cancel_docs};
pub(crate) use key::key;
pub(crate) use manifest::{manifest, manifest_error};
pub(crate) use result::{is_told, result};
pub(crate) use routes::router;
pub(crate) use shown::{ShownJob, shown};
pub(crate) use uploads::sweep;
