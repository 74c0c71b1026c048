//! Saved pipelines: kept, looked at, changed, let go of.
//!
//! Owns their routes. Must not decide whether a pipeline can work: that is asked of [`hardpoint_engine::jobs`].

mod docs;
mod failure;
mod look;
mod save;

pub(crate) use docs::*;
pub(crate) use failure::{definition, mistakes};
pub(crate) use look::{list, show};
pub(crate) use save::{create, delete, replace};
