//! Leave from the scheduler for stages that wait: asked for while they do, so that what does not fit stays pending and
//! says why.
//!
//! Owns what was asked for and granted, per instance. Must not know jobs: an instance is what they wait for.

use super::{Down, Until};
use crate::engine::Engine;
use crate::schedule::{Pending, Permit, Verdict};
use crate::snapshot::PluginView;
use hardpoint_model::JobError;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// What there is of leave, by instance. Only instances that need something in particular have any.
pub(super) struct Rooms {
    by_instance: HashMap<String, Room>,
    /// What is under way.
    news: JoinSet<(String, News)>,
}

enum Room {
    /// It is asked for.
    Asked { why: watch::Receiver<Option<String>>, asking: AbortHandle },
    /// Its stages may begin for as long as this is kept. When those that did are over it is given back, if somebody waits.
    Granted { permit: Arc<Permit>, used: bool },
    /// The first that waits cannot begin.
    Refused(Box<JobError>),
    /// A call lacked resources: others make room, and it gets a fresh worker.
    Made { making: AbortHandle },
}

enum News {
    Verdict(Option<Verdict>),
    RoomMade,
}

impl Drop for Room {
    fn drop(&mut self) {
        match self {
            Self::Asked { asking: task, .. } | Self::Made { making: task } => task.abort(),
            Self::Granted { .. } | Self::Refused(_) => {}
        }
    }
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self { by_instance: HashMap::new(), news: JoinSet::new() }
    }

    /// Waits until something is known that was not; never, while nothing is asked for.
    pub(super) async fn changed(&mut self) {
        while !self.news.is_empty() {
            // What was given up ends here, too.
            let Some(Ok((instance, news))) = self.news.join_next().await else { continue };
            return self.heard(instance, news);
        }
        std::future::pending::<()>().await;
    }

    fn heard(&mut self, instance: String, news: News) {
        match news {
            News::Verdict(Some(Ok(permit))) => {
                self.by_instance.insert(instance, Room::Granted { permit, used: false });
            }
            News::Verdict(Some(Err(shortage))) => {
                let error = Box::new(shortage.to_job_error());
                self.by_instance.insert(instance, Room::Refused(error));
            }
            // It is asked again when somebody still waits.
            News::Verdict(None) | News::RoomMade => drop(self.by_instance.remove(&instance)),
        }
    }

    /// Whether a stage of this plugin may begin; asks for leave where it needs some.
    pub(super) fn look(&mut self, engine: &Engine, plugin: &PluginView) -> Result<(), Down> {
        let instance = &plugin.name;
        match self.by_instance.get(instance) {
            Some(Room::Granted { permit, used: true })
                if Arc::strong_count(permit) == 1 && engine.shared.scheduler.is_contended() =>
            {
                self.by_instance.remove(instance);
                self.ask(engine, plugin)
            }
            Some(Room::Granted { .. }) => Ok(()),
            Some(Room::Asked { why, .. }) => Err(match why.borrow().clone() {
                Some(why) => Down { reason: format!("plugin `{instance}`: {why}"), until: Until::Soon },
                None => Down::unclear(),
            }),
            Some(Room::Made { .. }) => {
                let reason = format!("plugin `{instance}`: other plugins make room for it");
                Err(Down { reason, until: Until::Soon })
            }
            // One stage is told; the next one asks anew.
            Some(Room::Refused(error)) => {
                let down = Down { reason: error.message.clone(), until: Until::Refused(error.clone()) };
                self.by_instance.remove(instance);
                Err(down)
            }
            None => self.ask(engine, plugin),
        }
    }

    fn ask(&mut self, engine: &Engine, plugin: &PluginView) -> Result<(), Down> {
        let scheduler = &engine.shared.scheduler;
        let Some(need) = scheduler.need(plugin.manifest()) else { return Ok(()) };
        // A scheduler that has too much to do is asked again.
        let Ok(Pending { why, verdict }) = scheduler.begin(&plugin.name, need) else {
            return Err(Down::unclear());
        };
        let instance = plugin.name.clone();
        let asking = self.news.spawn(async move { (instance, News::Verdict(verdict.await.ok())) });
        self.by_instance.insert(plugin.name.clone(), Room::Asked { why, asking });
        Err(Down::unclear())
    }

    /// What the calls of an instance begin with.
    pub(super) fn permit(&mut self, instance: &str) -> Option<Arc<Permit>> {
        match self.by_instance.get_mut(instance)? {
            Room::Granted { permit, used } => {
                *used = true;
                Some(Arc::clone(permit))
            }
            Room::Asked { .. } | Room::Refused(_) | Room::Made { .. } => None,
        }
    }

    /// A call of this incarnation lacked resources: others make room, and it gets a fresh worker before its next call.
    pub(super) fn renew(&mut self, engine: &Engine, instance: String, incarnation: u64, error: JobError) {
        let (engine, name) = (engine.clone(), instance.clone());
        // What reached its own limit is not helped by others.
        let by_own_limit = error.is_of_host() && error.error_type == OWN_LIMIT;
        let making = self.news.spawn(async move {
            if !by_own_limit {
                engine.shared.scheduler.make_room(&name, error.resource_shortfall).await;
            }
            engine.renew(name.clone(), incarnation).await;
            (name, News::RoomMade)
        });
        self.by_instance.insert(instance, Room::Made { making });
    }

    /// Nothing of this instance can begin, for a reason of its own: what it was granted is for others.
    pub(super) fn let_go(&mut self, instance: &str) {
        self.by_instance.retain(|other, room| other != instance || matches!(room, Room::Made { .. }));
    }

    /// Lets go of what nobody waits for any more.
    pub(super) fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.by_instance.retain(|instance, room| matches!(room, Room::Made { .. }) || is_wanted(instance));
    }
}

/// The type of the error of a worker that used more memory than it may.
const OWN_LIMIT: &str = "MemoryLimitExceeded";
