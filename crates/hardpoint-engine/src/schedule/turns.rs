//! The scheduler's loop: one call after the other is judged, others make room, what does not fit waits or is refused.
//!
//! Owns what was granted and who waits. Figures come from `measure`, verdicts from `judge`.

use super::judge::{Grant, Holding, Need, Shortage, judge, victim};
use super::measure::{Look, look};
use super::{Granted, Permit, SchedulerSettings, Verdict, Wish, Wishes};
use crate::core::LifeId;
use crate::engine::Engine;
use crate::limits::{EVICTIONS_MAX, SCHEDULER_LOOK};
use hardpoint_model::ResourceShortfall;
use hardpoint_model::config::SchedulerPolicy;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot, watch};

pub(crate) struct Turns {
    engine: Engine,
    settings: SchedulerSettings,
    wishes: mpsc::Receiver<Wish>,
    granted: Granted,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    /// Whether somebody waits, for those who could give way.
    contended: Arc<AtomicBool>,
    given_back: Arc<Notify>,
}

/// A call that could not begin yet.
struct Waiting {
    instance: String,
    need: Need,
    until: Instant,
    why: watch::Sender<Option<String>>,
    reply: oneshot::Sender<Verdict>,
}

impl Turns {
    pub(crate) fn new(engine: Engine, settings: SchedulerSettings, wishes: Wishes) -> Self {
        let Wishes { queue: wishes, contended } = wishes;
        let (granted, waiting, given_back) = (Granted::default(), Vec::new(), Arc::default());
        Self { engine, settings, wishes, granted, waiting, contended, given_back }
    }

    /// Runs for as long as it is polled.
    pub(crate) async fn run(mut self) -> Infallible {
        loop {
            let has_waiting = !self.waiting.is_empty();
            let given_back = Arc::clone(&self.given_back);
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.take(wish).await,
                    None => std::future::pending().await,
                },
                () = given_back.notified(), if has_waiting => self.look_again().await,
                () = tokio::time::sleep(SCHEDULER_LOOK), if has_waiting => self.look_again().await,
            }
        }
    }

    async fn take(&mut self, wish: Wish) {
        match wish {
            Wish::Begin { instance, need, why, reply } => {
                let until = Instant::now() + self.settings.wait;
                // Whoever came before is looked at before: what was just given back may be what he waits for.
                self.waiting.push(Waiting { instance, need, until, why, reply });
                self.look_again().await;
            }
            Wish::Room { instance, shortfall, reply } => {
                if self.settings.evicts {
                    self.make_room(&instance, shortfall).await;
                }
                let _ = reply.send(());
            }
        }
    }

    /// Those who wait, in their order; one that fits goes before an earlier one that does not.
    async fn look_again(&mut self) {
        // One look serves them all, until somebody makes room: what is granted meanwhile is known without it.
        let mut seen = None;
        for waiting in std::mem::take(&mut self.waiting) {
            self.attend(waiting, &mut seen).await;
        }
        self.contended.store(!self.waiting.is_empty(), Ordering::Relaxed);
    }

    async fn attend(&mut self, waiting: Waiting, seen: &mut Option<Look>) {
        // Whoever asked has gone.
        if waiting.reply.is_closed() {
            return;
        }
        let Waiting { instance, need, until, .. } = &waiting;
        match self.fit(instance, *need, seen).await {
            Ok(()) => {
                let (instance, need) = (instance.clone(), *need);
                let grant = Grant { instance, need };
                let permit = Arc::new(Permit { grant, given_back: Arc::clone(&self.given_back) });
                self.granted.add(&permit);
                // Dropped at once if nobody wants it any more.
                let _ = waiting.reply.send(Ok(permit));
            }
            Err(shortage) if self.waits(&shortage, *until) => {
                let why = shortage.why();
                waiting.why.send_if_modified(|told| told.replace(why.clone()).as_ref() != Some(&why));
                self.waiting.push(waiting);
            }
            Err(shortage) => drop(waiting.reply.send(Err(shortage))),
        }
    }

    fn waits(&self, shortage: &Shortage, until: Instant) -> bool {
        match self.settings.policy {
            SchedulerPolicy::Queue => !shortage.is_for_good() && Instant::now() < until,
            SchedulerPolicy::Permissive | SchedulerPolicy::Safety => false,
        }
    }

    /// Whether it fits, once whoever could make room has. `seen`: what was looked at already.
    async fn fit(&mut self, instance: &str, need: Need, seen: &mut Option<Look>) -> Result<(), Shortage> {
        let mut evicted = 0;
        loop {
            let with_gpus = need.vram > 0;
            let known = seen.take().filter(|look| look.with_gpus || !with_gpus);
            let Look { machine, held, .. } = match known {
                Some(known) => seen.insert(known),
                None => seen.insert(look(&self.engine, &self.settings, with_gpus).await),
            };
            let granted = self.granted.now();
            let Err(shortage) = judge(instance, need, machine, held, &granted) else { return Ok(()) };
            let may = self.settings.evicts && evicted < EVICTIONS_MAX && !shortage.is_for_good();
            let Some(victim) = victim(&shortage, held, &granted).filter(|_| may) else {
                return Err(shortage);
            };
            self.evict(victim, instance).await;
            *seen = None;
            evicted += 1;
        }
    }

    /// Ends idle plugins, the longest unused first, until they held as much as was lacking.
    async fn make_room(&mut self, instance: &str, shortfall: Option<ResourceShortfall>) {
        let Some(mut shortage) = Shortage::told(instance, shortfall) else { return };
        for _ in 0..EVICTIONS_MAX {
            let Look { held, .. } = look(&self.engine, &self.settings, shortage.is_of_gpu()).await;
            let granted = self.granted.now();
            let Some(victim) = victim(&shortage, &held, &granted) else { return };
            self.evict(victim, instance).await;
            if shortage.is_made_up_by(victim) {
                return;
            }
        }
    }

    async fn evict(&self, victim: &Holding, instance: &str) {
        let Holding { instance: plugin, incarnation, .. } = victim;
        tracing::info!(plugin, instance, "an idle plugin makes room for another");
        self.engine.evict(LifeId { plugin: plugin.clone(), incarnation: *incarnation }, instance).await;
    }
}
