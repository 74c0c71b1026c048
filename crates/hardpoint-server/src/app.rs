//! What every request can reach.

use crate::access::{Keyring, Names, Rate};
use crate::figures::Figures;
use crate::settings::ServerSettings;
use hardpoint_engine::Engine;
use hardpoint_engine::jobs::Jobs;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What every request can reach. Shared by all of them.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) jobs: Jobs,
    pub(crate) settings: ServerSettings,
    pub(crate) keyring: Keyring,
    pub(crate) names: Names,
    pub(crate) rate: Rate,
    pub(crate) figures: Figures,
    /// Places for those who follow events.
    pub(crate) followers: Arc<Semaphore>,
    /// Cancelled when the server is to end: nothing new is taken, and followers of events are let go.
    pub(crate) closing: CancellationToken,
    /// Cancelled when what is in flight has had its time: open streams say goodbye.
    pub(crate) giving_up: CancellationToken,
}

/// How handlers take it.
pub(crate) type Shared = axum::extract::State<Arc<App>>;
