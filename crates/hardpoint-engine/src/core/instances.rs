//! Further instances of plugins: how they come, and how they go.
//!
//! Owns which id may be taken, and that whoever comes back under an id that was there before begins with another
//! incarnation: what is still on its way from the old one then means nothing to the new one. What an instance does
//! while it is there, every instance does.

use super::{Core, Effect, Entry, Now, Scene};
use crate::instance::InstanceRefusal;
use crate::limits::{INSTANCES_PER_PLUGIN_MAX, INSTANCES_REMEMBERED_MAX, PLUGINS_MAX};
use hardpoint_model::InstanceId;
use hardpoint_model::plugin_config::Object;
use hardpoint_store::PluginFlags;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// One more instance that somebody asks for.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) plugin: String,
    /// The ids it may have: the first that is free, when there are several.
    pub(crate) ids: Vec<InstanceId>,
    pub(crate) config: Object,
    pub(crate) concurrency: Option<u32>,
    pub(crate) answer: CreateAnswer,
    /// Told when it has settled.
    pub(crate) settled: oneshot::Sender<()>,
}

/// Told its id, and whether it is a new one.
pub(crate) type CreateAnswer = oneshot::Sender<Result<(String, bool), InstanceRefusal>>;

/// Instances that are gone, and how many lives they had.
#[derive(Debug, Default)]
pub(super) struct Departed {
    lives: BTreeMap<String, u64>,
    /// As many as any that was forgotten had.
    forgotten: u64,
}

impl Departed {
    fn note(&mut self, id: String, incarnation: u64) {
        self.lives.insert(id, incarnation);
        if self.lives.len() > INSTANCES_REMEMBERED_MAX
            && let Some((_, lives)) = self.lives.pop_first()
        {
            self.forgotten = self.forgotten.max(lives);
        }
    }

    /// The first incarnation of one that comes, or comes back.
    fn next(&mut self, id: &str) -> u64 {
        self.lives.remove(id).unwrap_or(self.forgotten) + 1
    }
}

impl<W: Clone> Core<W> {
    pub(super) fn create(&mut self, create: Create, now: Now) {
        let Create { plugin, ids, config, concurrency, answer, settled } = create;
        let placed = self.place(&plugin, &ids).and_then(|place| match place {
            Place::There(id) => Ok((id, false)),
            Place::Free(id) => self.admit(&plugin, id, config, concurrency, now).map(|id| (id, true)),
        });
        if let Ok((id, true)) = &placed {
            let start = |entry: &mut Entry<W>, scene: &mut Scene<'_, W>| {
                entry.waiting.push(settled);
                entry.start(scene);
            };
            self.with(id, start, now);
        }
        self.effects.push(Effect::TellCreated(answer, placed));
    }

    /// Which of these ids can be had, or is there already.
    fn place(&self, plugin: &str, ids: &[InstanceId]) -> Result<Place, InstanceRefusal> {
        match ids {
            [] => Err(InstanceRefusal::NoId(plugin.to_owned())),
            [id] => match self.entries.get(id.as_str()) {
                None => Ok(Place::Free(id.to_string())),
                Some(entry) if entry.plugin == plugin => Ok(Place::There(id.to_string())),
                Some(entry) => {
                    Err(InstanceRefusal::Taken { id: id.to_string(), plugin: entry.plugin.clone() })
                }
            },
            several => {
                let free = several.iter().find(|id| !self.entries.contains_key(id.as_str()));
                let free = free.map(|id| Place::Free(id.to_string()));
                free.ok_or_else(|| InstanceRefusal::NoId(plugin.to_owned()))
            }
        }
    }

    /// Puts one more instance into the registry, if its configuration can be right.
    fn admit(
        &mut self,
        plugin: &str,
        id: String,
        config: Object,
        concurrency: Option<u32>,
        now: Now,
    ) -> Result<String, InstanceRefusal> {
        let further = self.entries.values().filter(|entry| entry.plugin == plugin && !entry.is_default());
        if further.count() >= INSTANCES_PER_PLUGIN_MAX {
            return Err(InstanceRefusal::TooMany(plugin.to_owned()));
        }
        if self.entries.len() >= PLUGINS_MAX {
            return Err(InstanceRefusal::TooManyOfAll);
        }
        // The default instance is there as long as its plugin is.
        let Some(default) = self.entries.get(plugin) else {
            return Err(InstanceRefusal::NoId(plugin.to_owned()));
        };
        let enabled = self.settings.enabled(plugin);
        let output = self.logs.of(plugin, &id);
        let installed = (*default.installed).clone();
        let mut entry = Entry::new(installed, enabled, PluginFlags::default(), output, now);
        entry.name.clone_from(&id);
        entry.concurrency = concurrency;
        entry.conflict.clone_from(&default.conflict);
        entry.facts.clone_from(&default.facts);
        entry.configuration = default.configuration.for_instance(config);
        entry.look_at_config(&self.scene(now));
        if !entry.configuration.view.mistakes.is_empty() {
            self.logs.let_go(&id);
            return Err(InstanceRefusal::Mistakes(entry.configuration.view.mistakes.clone()));
        }
        entry.first = self.departed.next(&id);
        entry.incarnation = entry.first;
        self.entries.insert(id.clone(), entry);
        Ok(id)
    }

    /// A further instance that was unloaded is not there any more.
    pub(super) fn let_go(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.logs.let_go(id);
            self.departed.note(entry.name, entry.incarnation);
        }
    }
}

/// Whether an instance stays in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Gone,
}

/// Where an instance can be.
enum Place {
    There(String),
    Free(String),
}

impl<W: Clone> Entry<W> {
    /// Whether it is the instance that is called like its plugin.
    pub(super) fn is_default(&self) -> bool {
        self.name == self.plugin
    }

    /// It was unloaded: the default instance waits to be loaded again, any other one goes.
    pub(super) fn rest_unloaded(&mut self) {
        if !self.is_default() {
            self.presence = Presence::Gone;
        }
    }
}

#[cfg(test)]
mod tests;
