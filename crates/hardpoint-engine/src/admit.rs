//! Admission: whether a call may begin now, and what has to be true before it does.
//!
//! Owns the order: leave from the scheduler, then a worker, then a place. A plugin that needs nothing in particular and
//! is up is admitted from the snapshot alone, without waiting for anybody.

use crate::activity::Ticket;
use crate::call::{CallFailure, Refusal};
use crate::core::{Ask, Input, LifeId};
use crate::engine::Engine;
use crate::limits::{EVICT_PATIENCE, WAKES_MAX};
use crate::schedule::{Need, Permit};
use crate::snapshot::PluginView;
use hardpoint_supervisor::Worker;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A call that may begin.
pub(crate) struct Admitted {
    pub(crate) worker: Worker,
    pub(crate) life: LifeId,
    pub(crate) ticket: Ticket,
}

/// How long a call waits at most for a plugin that it starts again. The start has limits of its own.
const WAKE_PATIENCE: Duration = Duration::from_mins(5);

impl Engine {
    pub(crate) async fn admit(
        &self,
        name: &str,
        permit: Option<Arc<Permit>>,
    ) -> Result<Admitted, CallFailure> {
        let plugin = self.callable(name)?;
        let permit = match (permit, self.shared.scheduler.need(plugin.manifest())) {
            (Some(permit), _) => Some(permit),
            (None, Some(need)) => Some(self.permit(name, need).await?),
            (None, None) => None,
        };
        let mut plugin = self.callable(name)?;
        for _ in 0..WAKES_MAX {
            if !plugin.rests() {
                break;
            }
            self.wake(name).await?;
            plugin = self.callable(name)?;
        }
        let Some(worker) = plugin.worker.clone().filter(|_| plugin.takes_calls()) else {
            return Err(CallFailure::Refused(Refusal::of(&plugin)));
        };
        let Some(ticket) = plugin.activity.begin(permit) else {
            return Err(CallFailure::Refused(Refusal::Busy(name.to_owned())));
        };
        let life = LifeId { plugin: name.to_owned(), incarnation: plugin.incarnation };
        Ok(Admitted { worker, life, ticket })
    }

    /// The plugin, if calls of it are allowed.
    fn callable(&self, name: &str) -> Result<Arc<PluginView>, CallFailure> {
        if self.is_draining() {
            return Err(CallFailure::Refused(Refusal::Stopping));
        }
        let plugin = self.plugin(name).map_err(CallFailure::Refused)?;
        if plugin.enabled {
            Ok(plugin)
        } else {
            Err(CallFailure::Refused(Refusal::Disabled(name.to_owned())))
        }
    }

    async fn permit(&self, name: &str, need: Need) -> Result<Arc<Permit>, CallFailure> {
        let busy = |_| CallFailure::Refused(Refusal::HostBusy);
        let pending = self.shared.scheduler.begin(name, need).map_err(busy)?;
        match self.unless_draining(pending.verdict).await.map_err(CallFailure::Refused)? {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(shortage)) => Err(CallFailure::Refused(Refusal::NoRoom(shortage))),
            // The host is being taken down.
            Err(_) => Err(CallFailure::Refused(Refusal::Stopping)),
        }
    }

    /// Starts a plugin again that had made room, and waits until it is up, or cannot be.
    async fn wake(&self, name: &str) -> Result<(), CallFailure> {
        let up = self.unless_draining(self.wish_for(name, Ask::Load, WAKE_PATIENCE)).await;
        up.flatten().map(drop).map_err(CallFailure::Refused)
    }

    /// The same without waiting.
    pub(crate) fn start_waking(&self, name: &str) {
        // A host that is too busy to hear it is asked again.
        let _ = self.wish_without_waiting(name, Ask::Load);
    }

    /// Ends the worker of this life so that another instance has room, if it has no call; returns when it is gone.
    pub(crate) async fn evict(&self, life: LifeId, needy: &str) {
        let (done, gone) = oneshot::channel();
        if self.command(Input::Evict { life, needy: needy.to_owned(), done }).is_ok() {
            // Dropped when there was nothing to be ended.
            let _ = tokio::time::timeout(EVICT_PATIENCE, gone).await;
        }
    }
}
