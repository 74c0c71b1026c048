//! Jobs: handed in, looked at, steered, followed.
//!
//! Owns their routes and bodies. Must not decide about a job: what is asked goes to [`hardpoint_engine::jobs`], and
//! what is shown is what the store has.

mod body;
mod docs;
mod failure;
mod follow;
mod logs;
mod look;
mod pipeline;
mod socket;
mod stats;
mod steer;
mod stream;
mod submit;

pub(crate) use body::{Fields, read, read_json};
pub(crate) use docs::*;
pub(crate) use failure::{find, submission};
pub(crate) use follow::{events, job_events, realtime};
pub(crate) use logs::{logs, logs_docs};
pub(crate) use look::{list, result, show};
pub(crate) use pipeline::pipeline;
pub(crate) use stats::stats;
pub(crate) use steer::{ask_to_end, cancel, reorder, wait};
pub(crate) use submit::{rerun, submit};
