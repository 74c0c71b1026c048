//! A running host, asked over HTTP.
//!
//! Owns finding the server and its token, the requests, and what an error answer means. Must not know options,
//! layout or exit codes.

mod call;
mod config;
mod find;
mod http;
mod instances;
mod jobs;
mod lines;
mod logs;
mod pipelines;
mod refused;
mod secrets;

pub(crate) use call::ToolCall;
pub(crate) use find::{Target, find, is_meant};
pub(crate) use http::{Client, typed};
pub(crate) use jobs::{EventQuery, NewJob, Told};
pub(crate) use logs::{LogQuery, LogsOf};
pub(crate) use pipelines::{NewRun, Runnable};
pub(crate) use refused::{FailedCall, Kind, Refused};
