//! Admission: whether a call may begin now, and what has to be true before it does.
//!
//! Owns the order: leave from the scheduler, then a worker, then a place. A plugin that needs nothing in particular and
//! is up is admitted from the snapshot alone, without waiting for anybody.

use crate::activity::Ticket;
use crate::call::{CallFailure, Refusal};
use crate::core::{Ask, Input, LifeId};
use crate::engine::Engine;
use crate::limits::{EVICT_PATIENCE, WAITER_LOOK, WAKES_MAX};
use crate::schedule::{Need, Permit};
use crate::snapshot::PluginView;
use hardpoint_supervisor::Worker;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A call that may begin.
pub(crate) struct Admitted {
    pub(crate) worker: Worker,
    /// The name of the configuration that it is made with.
    pub(crate) config_hash: Arc<str>,
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
        let mut plugin = self.callable(name)?;
        let need = self.shared.scheduler.need(plugin.manifest()).filter(|_| permit.is_none());
        let mut permit = permit;
        if need.is_some() || plugin.rests() {
            let busy = || CallFailure::Refused(Refusal::Busy(name.to_owned()));
            let _waiting = plugin.activity.wait().ok_or_else(busy)?;
            if let Some(need) = need {
                permit = Some(self.permit(name, need).await?);
            }
            plugin = self.up(name).await?;
        }
        let Some(worker) = plugin.worker.clone().filter(|_| plugin.takes_calls()) else {
            return Err(CallFailure::Refused(Refusal::of(&plugin)));
        };
        let Some(ticket) = plugin.activity.begin(permit) else {
            return Err(CallFailure::Refused(Refusal::Busy(name.to_owned())));
        };
        let life = LifeId { plugin: name.to_owned(), incarnation: plugin.incarnation };
        self.shared.usage.wake();
        Ok(Admitted { worker, config_hash: Arc::clone(&plugin.config.hash), life, ticket })
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
        match self.while_it_may_answer(name, pending.verdict).await? {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(shortage)) => Err(CallFailure::Refused(Refusal::NoRoom(shortage))),
            // The host is being taken down.
            Err(_) => Err(CallFailure::Refused(Refusal::Stopping)),
        }
    }

    /// The plugin, started again if it had made room.
    async fn up(&self, name: &str) -> Result<Arc<PluginView>, CallFailure> {
        for _ in 0..WAKES_MAX {
            let plugin = self.callable(name)?;
            if !plugin.rests() {
                return Ok(plugin);
            }
            let up = self.wish_for(name, Ask::Load, WAKE_PATIENCE);
            self.while_it_may_answer(name, up).await?.map_err(CallFailure::Refused)?;
        }
        self.callable(name)
    }

    /// Waits for something, for as long as it is not certain that calls of the plugin are refused.
    async fn while_it_may_answer<T>(
        &self,
        name: &str,
        what: impl Future<Output = T>,
    ) -> Result<T, CallFailure> {
        let refused = async {
            loop {
                tokio::time::sleep(WAITER_LOOK).await;
                match self.callable(name) {
                    Ok(plugin) if plugin.stays_down() => {
                        return CallFailure::Refused(Refusal::of(&plugin));
                    }
                    Ok(_) => {}
                    Err(refused) => return refused,
                }
            }
        };
        tokio::select! {
            done = what => Ok(done),
            refused = refused => Err(refused),
        }
    }

    /// Starts a plugin again that had made room, without waiting for it.
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
