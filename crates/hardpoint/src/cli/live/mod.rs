//! Commands that ask a running server: `plugin health|show|logs|usage|restart|…|audit`.
//!
//! Owns what a person sees of a live host. Must not know HTTP: [`crate::client`] asks.

mod audit;
mod config;
mod health;
mod logs;
mod page;
mod several;
mod show;
mod state;
mod usage;
mod verbs;
mod watch;

pub(super) use audit::{Audit, run as audit};
pub(super) use config::{Config as PluginConfig, run as config};
pub(super) use health::{Health, run as health};
pub(super) use logs::{Logs, run as logs};
pub(super) use several::{Load, Unload, load, unload};
pub(super) use show::{Show, run as show};
pub(super) use usage::{Usage, run as usage};
pub(super) use verbs::{One, Settle, Verb, run as verb};

use super::Shared;
use super::interrupt::{Outcome, unless_interrupted};
use crate::client::{Client, find, is_meant};
use crate::embedded::{Failure, Places};
use hardpoint_model::Config;
use std::future::Future;

/// What these commands need besides their own options.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) shared: &'a Shared,
    pub(super) config: &'a Config,
    pub(super) places: &'a Places,
}

impl Scene<'_> {
    /// The server that is meant.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Client::new(find(self.shared.server.as_deref(), self.config, &self.places.data)?)
    }

    /// The server that was named, or the one that runs on this data folder; `None` when there is neither.
    pub(super) fn client_if_any(&self) -> Result<Option<Client>, Failure> {
        let is_meant = self.shared.server.is_some() || is_meant(&self.places.data);
        if is_meant { self.client().map(Some) } else { Ok(None) }
    }
}

/// Asks until there is an answer, or somebody has enough of waiting.
pub(super) async fn patiently<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match unless_interrupted(work).await {
        Outcome::Done(done) => done,
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}
