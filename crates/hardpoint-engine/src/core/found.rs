//! Folders of plugins, as they were just found: what is new in them, what has moved, what two of them claim.
//!
//! Owns what becomes of names. Nothing that lives is disturbed. Must not read a folder.

use super::{Core, Entry, Now};
use crate::catalog::Installed;
use std::collections::BTreeMap;
use std::sync::Arc;

impl<W: Clone> Core<W> {
    /// All folders there are, as they were just found.
    pub(super) fn register(&mut self, found: Vec<Installed>, now: Now) {
        let mut new = Vec::new();
        for installed in &found {
            let name = installed.name().to_owned();
            if let Some(entry) = self.entries.get(&name) {
                if !entry.is_default() {
                    let of = &entry.plugin;
                    tracing::error!(plugin = name, "an instance of `{of}` is called so: it is left out");
                }
                continue;
            }
            if self.entries.len() >= crate::limits::PLUGINS_MAX {
                tracing::error!(plugin = name, "too many plugins: this one is left out");
                continue;
            }
            let flags = self.flags.get(&name).copied().unwrap_or_default();
            let enabled = flags.enabled.unwrap_or_else(|| self.settings.enabled(&name));
            let output = self.logs.of(&name, &name);
            let mut entry = Entry::new(installed.clone(), enabled, flags, output, now);
            entry.configuration.kept = self.configs.get(&name).cloned().unwrap_or_default();
            self.entries.insert(name.clone(), entry);
            self.with(&name, |entry, scene| entry.look_at_config(scene), now);
            new.push(name);
        }
        self.look_for_conflicts(found, now);
        for name in new {
            let policy = self.settings.restart_of(&name).policy;
            if self.entries.get(&name).is_some_and(|entry| entry.starts_by_itself(policy)) {
                self.with(&name, Entry::start, now);
            }
        }
    }

    /// Which names are claimed twice, and which are not any more.
    fn look_for_conflicts(&mut self, found: Vec<Installed>, now: Now) {
        let mut folders: BTreeMap<String, Vec<Installed>> = BTreeMap::new();
        for installed in found {
            folders.entry(installed.name().to_owned()).or_default().push(installed);
        }
        let mut met = Vec::new();
        for entry in self.entries.values_mut() {
            let Some(folders) = folders.get(&entry.plugin) else { continue };
            let was_alone = entry.conflict.is_none();
            let own = folders.iter().position(|folder| folder.dir == entry.installed.dir);
            let other = folders.iter().position(|folder| folder.dir != entry.installed.dir);
            let folder = |at: usize| folders.get(at).cloned();
            match (own, other.and_then(folder)) {
                (Some(_), other) => entry.conflict = other.map(|other| other.dir),
                // It has moved.
                (None, Some(other)) => {
                    entry.conflict = None;
                    entry.installed = Arc::new(other);
                }
                (None, None) => {}
            }
            if was_alone && entry.conflict.is_some() {
                met.push(entry.name.clone());
            }
        }
        for name in met {
            self.with(&name, Entry::meets_a_namesake, now);
        }
    }
}
