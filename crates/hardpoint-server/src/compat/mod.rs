//! What clients of other hosts expect: their routes and their names, translated onto what this host does anyway.
//!
//! Owns every foreign name of the API. Must not decide or run anything in a way of its own: plugins are asked, tools run
//! and jobs handed in as by the native routes, with the same tokens, bounds and counts.

mod counts;
mod image;
mod key;
mod manifest;
mod mcp;
mod reload;
mod rpc;
mod tool;

pub(crate) use counts::{counted, counted_docs};
pub(crate) use key::key;
pub(crate) use manifest::{manifest, manifest_error};
pub(crate) use mcp::mcp;
pub(crate) use reload::{reload, reload_all, reload_all_docs, reload_docs};
pub(crate) use rpc::mcp_docs;
