//! The configuration of one plugin, and one change of it at a time.
//!
//! Owns the order of a change: it is judged by the plugin's schema, taken up by the plugin itself while it runs, and then
//! kept. Must not know how anything is kept, or what a plugin does with it.
//!
//! ```text
//! asked ── judged ──> applying (reconfigure) ──> keeping (disk) ──> in force, told
//!    └─ mistakes          └─ raised                  └─ refused ──> undoing (reconfigure back) ──> told
//! ```
//!
//! The plugin comes before the disk, because it is the plugin that may say no: what it refused was then never on disk, and
//! a host that dies in between has told nobody anything. What cannot be undone is put right by a new worker.

use super::entry::Then;
use super::{Core, Effect, Entry, LifeId, Now, Phase, Scene};
use crate::config::{ConfigRefusal, ConfigView, Told};
use crate::instance::Own;
use crate::limits::CONFIG_CHANGES_WAITING_MAX;
use hardpoint_model::JobError;
use hardpoint_model::canonical::sha256_of;
use hardpoint_model::plugin_config::{self, ConfigSchema, Effective, Layers, Object, UnknownKeys, leave_out};
use hardpoint_store::{PluginConfig, StoreError};
use hardpoint_wire::LogLevel;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a worker says when neither the new configuration nor the old one is in force any more.
const NOT_RESTORED: &str = "ConfigNotRestored";

/// A change that somebody asks for.
#[derive(Debug)]
pub(crate) struct ConfigWish {
    pub(crate) plugin: String,
    /// A JSON merge patch for what is set by hand.
    pub(crate) patch: Object,
    /// Instead of what is set for the plugin.
    pub(crate) unknown_keys: Option<UnknownKeys>,
    pub(crate) answer: ConfigAnswer,
}

/// Told what was left out of it, once it is in force and kept; or why not.
pub(crate) type ConfigAnswer = oneshot::Sender<Result<Vec<String>, ConfigRefusal>>;

/// Why a configuration goes to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepWhy {
    /// Somebody changes it.
    Change,
    /// The plugin is seen for the first time: the hash of its schema is noted.
    Seen,
}

/// What is known of a plugin's configuration.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// What is on disk; of a further instance, what is set for it alone.
    pub(super) kept: PluginConfig,
    /// Below that, what is set by hand for the plugin of a further instance, as it was when its life began.
    below: Object,
    told: Told,
    /// What is set by hand of what the present life was begun with.
    begun_with: Object,
    /// What the present life goes by, once it is ready.
    in_force: Object,
    changing: Option<Changing>,
    waiting: VecDeque<ConfigWish>,
    /// All of it, as others see it.
    pub(crate) view: Arc<ConfigView>,
}

/// A change on its way.
#[derive(Debug)]
struct Changing {
    answer: ConfigAnswer,
    to: PluginConfig,
    effective: Effective,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// A worker takes it up.
    Applying,
    /// It is on its way to the disk; the worker of this life goes by it already.
    Keeping(Option<LifeId>),
    /// The disk refused it: the worker goes back.
    Undoing(StoreError),
}

impl<W: Clone> Core<W> {
    pub(super) fn configure(&mut self, wish: ConfigWish, now: Now) {
        let (plugin, keeps) = (wish.plugin.clone(), self.keeps);
        self.with(&plugin, |entry, scene| entry.configure(wish, keeps, scene), now);
    }

    pub(super) fn reconfigured(&mut self, life: &LifeId, result: Result<(), JobError>, now: Now) {
        let keeps = self.keeps;
        if self.entries.get(&life.plugin).is_some_and(|entry| entry.first <= life.incarnation) {
            self.with(&life.plugin, |entry, scene| entry.reconfigured(life, result, keeps, scene), now);
        }
    }

    pub(super) fn config_kept(
        &mut self,
        plugin: &str,
        why: KeepWhy,
        result: Result<(), StoreError>,
        now: Now,
    ) {
        let keeps = self.keeps;
        let now_kept = |entry: &Entry<W>| {
            let kept = entry.configuration.kept.clone();
            entry.is_default().then_some(kept)
        };
        let decide = |entry: &mut Entry<W>, scene: &mut Scene<'_, W>| match why {
            KeepWhy::Change => entry.config_kept(result, keeps, scene),
            // Tried again when it is seen the next time.
            KeepWhy::Seen if result.is_err() => entry.configuration.kept.schema_hash = None,
            KeepWhy::Seen => {}
        };
        self.with(plugin, decide, now);
        if let Some(kept) = self.entries.get(plugin).and_then(now_kept) {
            self.configs.insert(plugin.to_owned(), kept);
        }
    }
}

impl Configuration {
    /// The same for a further instance, for which this is set alone.
    pub(super) fn for_instance(&self, own: Object) -> Self {
        Self {
            kept: PluginConfig { values: own, schema_hash: self.kept.schema_hash.clone() },
            below: self.kept.values.clone(),
            told: self.told.clone(),
            ..Self::default()
        }
    }
}

impl<W: Clone> Entry<W> {
    /// What the next life is begun with: what is set by hand for the plugin, and what the instance has of its own.
    pub(super) fn config_to_begin_with(&mut self, scene: &Scene<'_, W>) -> (Object, Own) {
        let concurrency = self.concurrency;
        let configuration = &mut self.configuration;
        configuration.begun_with = configuration.kept.values.clone();
        if self.name == self.plugin {
            return (configuration.begun_with.clone(), Own { concurrency, ..Own::default() });
        }
        configuration.below =
            scene.configs.get(&self.plugin).map(|kept| kept.values.clone()).unwrap_or_default();
        let own = Own { id: Some(self.name.clone()), config: configuration.begun_with.clone(), concurrency };
        (configuration.below.clone(), own)
    }

    /// Which schema there is.
    pub(super) fn told_of_config(&mut self, schema: Option<Arc<ConfigSchema>>, scene: &mut Scene<'_, W>) {
        let configuration = &mut self.configuration;
        let hash = schema.as_ref().map(|schema| schema.hash().to_owned());
        configuration.told = Told::This(schema);
        let is_new = configuration.kept.schema_hash.is_none()
            && configuration.changing.is_none()
            && !self.differs_from_recorded();
        let configuration = &mut self.configuration;
        if is_new && hash.is_some() && scene.settings.drift_detection {
            configuration.kept.schema_hash = hash;
            let (plugin, config) = (self.name.clone(), configuration.kept.clone());
            if self.is_default() {
                scene.effects.push(Effect::KeepConfig { plugin, config, why: KeepWhy::Seen });
            }
        }
        self.look_at_config(scene);
        if self.configuration.view.drift {
            self.say(
                LogLevel::Warning,
                "the schema of its configuration is not the one that the configuration was set for",
            );
        }
    }

    /// The worker is ready: from here on it can be changed.
    pub(super) fn begins_with_config(&mut self, scene: &mut Scene<'_, W>) {
        let unknown = scene.settings.unknown_keys_of(&self.plugin);
        let layers = self.layers(self.configuration.begun_with.clone());
        self.configuration.in_force = self.judged(&layers, unknown).0.values;
        self.renew_if_outdated(scene);
    }

    /// What others see is as it now is.
    pub(super) fn look_at_config(&mut self, scene: &Scene<'_, W>) {
        let layers = self.layers(self.configuration.kept.values.clone());
        let (effective, mistakes) = self.judged(&layers, scene.settings.unknown_keys_of(&self.plugin));
        let Configuration { kept, told, .. } = &self.configuration;
        let differs = kept.schema_hash.is_some()
            && told
                .schema()
                .is_some_and(|schema| schema.map(ConfigSchema::hash) != kept.schema_hash.as_deref());
        let drift = scene.settings.drift_detection && (differs || self.differs_from_recorded());
        let kept_hash = kept.schema_hash.clone().or_else(|| self.recorded_hash().map(str::to_owned));
        let Layers { persisted, instance, .. } = layers;
        let hash =
            told.schema().map_or_else(String::new, |_| sha256_of(&effective.values.clone().into())).into();
        let view = ConfigView {
            told: told.clone(),
            persisted,
            instance,
            effective,
            hash,
            mistakes,
            kept_hash,
            drift,
        };
        self.configuration.view = Arc::new(view);
    }

    /// What the manifest says that the schema was when the plugin was registered.
    fn recorded_hash(&self) -> Option<&str> {
        self.installed.manifest.as_ref().ok()?.config_schema_hash.as_deref()
    }

    /// Whether the schema is another one than the recorded one, as long as nobody has set anything for the present one.
    /// A dialect may tell the hash of the schema as it was before it was put into our words.
    fn differs_from_recorded(&self) -> bool {
        let Configuration { kept, told, .. } = &self.configuration;
        let (None, Some(recorded), Some(schema)) = (&kept.schema_hash, self.recorded_hash(), told.schema())
        else {
            return false;
        };
        let of_dialect = self.facts.as_ref().and_then(|facts| facts.get("config_schema_hash")?.as_str());
        schema.map(ConfigSchema::hash) != Some(recorded) && of_dialect != Some(recorded)
    }

    /// With what is, or may be, set for this instance.
    fn layers(&self, set: Object) -> Layers {
        let manifest = self.installed.manifest.as_ref();
        let manifest = manifest.map(|manifest| manifest.config.clone()).unwrap_or_default();
        if self.is_default() {
            Layers { manifest, persisted: set, instance: Object::new() }
        } else {
            Layers { manifest, persisted: self.configuration.below.clone(), instance: set }
        }
    }

    fn judged(
        &self,
        layers: &Layers,
        unknown: UnknownKeys,
    ) -> (Effective, Vec<hardpoint_model::schema::FieldError>) {
        plugin_config::judge(self.configuration.told.schema().flatten(), layers, unknown)
    }

    fn configure(&mut self, wish: ConfigWish, keeps: bool, scene: &mut Scene<'_, W>) {
        if self.configuration.changing.is_none() {
            return self.begin_change(wish, keeps, scene);
        }
        if self.configuration.waiting.len() >= CONFIG_CHANGES_WAITING_MAX {
            return scene.effects.push(Effect::TellConfig(wish.answer, Err(ConfigRefusal::Busy)));
        }
        self.configuration.waiting.push_back(wish);
    }

    fn begin_change(&mut self, wish: ConfigWish, keeps: bool, scene: &mut Scene<'_, W>) {
        let ConfigWish { patch, unknown_keys, answer, .. } = wish;
        let unknown = unknown_keys.unwrap_or_else(|| scene.settings.unknown_keys_of(&self.plugin));
        let (to, effective) = match self.changed_by(&patch, unknown) {
            Ok(changed) => changed,
            Err(why) => return scene.effects.push(Effect::TellConfig(answer, Err(why))),
        };
        match &self.phase {
            Phase::Up(worker) if effective.values != self.configuration.in_force => {
                let (life, worker) = (self.life(), worker.clone());
                let (old, new) = (self.configuration.in_force.clone(), effective.values.clone());
                scene.effects.push(Effect::Reconfigure { life, worker, old, new });
                self.configuration.changing = Some(Changing { answer, to, effective, step: Step::Applying });
            }
            Phase::Up(_) | Phase::Idle | Phase::Starting | Phase::Stopping { .. } => {
                let step = Step::Keeping(None);
                self.configuration.changing = Some(Changing { answer, to, effective, step });
                self.keep_change(keeps, scene);
            }
        }
    }

    /// What would be kept, and what the plugin would be given.
    fn changed_by(
        &self,
        patch: &Object,
        unknown: UnknownKeys,
    ) -> Result<(PluginConfig, Effective), ConfigRefusal> {
        if matches!(self.phase, Phase::Starting | Phase::Stopping { .. }) {
            return Err(ConfigRefusal::OnItsWay);
        }
        let Some(schema) = self.configuration.told.schema() else { return Err(ConfigRefusal::NotYet) };
        let schema_hash = schema.map(|schema| schema.hash().to_owned());
        let mut to = PluginConfig { values: self.configuration.kept.values.clone(), schema_hash };
        plugin_config::merge(&mut to.values, patch);
        let (effective, mistakes) = self.judged(&self.layers(to.values.clone()), unknown);
        if !mistakes.is_empty() {
            return Err(ConfigRefusal::Mistakes(mistakes));
        }
        for pointer in &effective.ignored {
            leave_out(&mut to.values, pointer);
        }
        Ok((to, effective))
    }

    fn keep_change(&mut self, keeps: bool, scene: &mut Scene<'_, W>) {
        let Some(changing) = &self.configuration.changing else { return };
        if keeps && self.is_default() {
            let (plugin, config) = (self.name.clone(), changing.to.clone());
            scene.effects.push(Effect::KeepConfig { plugin, config, why: KeepWhy::Change });
        } else {
            self.config_kept(Ok(()), keeps, scene);
        }
    }

    /// The worker of a life has taken up what it was given, or has not.
    fn reconfigured(
        &mut self,
        life: &LifeId,
        result: Result<(), JobError>,
        keeps: bool,
        scene: &mut Scene<'_, W>,
    ) {
        let Some(mut changing) = self.configuration.changing.take() else { return };
        let error = match (changing.step, result) {
            (Step::Applying, Ok(())) => {
                if self.is_life(life) {
                    self.configuration.in_force.clone_from(&changing.effective.values);
                }
                changing.step = Step::Keeping(Some(life.clone()));
                self.configuration.changing = Some(changing);
                return self.keep_change(keeps, scene);
            }
            (Step::Applying, Err(error)) => {
                self.say(LogLevel::Error, &format!("it refused its new configuration: {error}"));
                if error.error_type == NOT_RESTORED && self.is_life(life) {
                    self.stop(Then::Start, scene);
                }
                ConfigRefusal::Hook(Box::new(error))
            }
            (Step::Undoing(store), result) => {
                if self.is_life(life) {
                    match result {
                        Ok(()) => self.configuration.in_force = self.view_of_kept(scene),
                        Err(_) => self.stop(Then::Start, scene),
                    }
                }
                ConfigRefusal::Store(store)
            }
            // Nothing was asked of a worker.
            (Step::Keeping(life), _) => {
                changing.step = Step::Keeping(life);
                self.configuration.changing = Some(changing);
                return;
            }
        };
        scene.effects.push(Effect::TellConfig(changing.answer, Err(error)));
        self.next_change(keeps, scene);
    }

    fn config_kept(&mut self, result: Result<(), StoreError>, keeps: bool, scene: &mut Scene<'_, W>) {
        let Some(mut changing) = self.configuration.changing.take() else { return };
        let applied = match &changing.step {
            Step::Keeping(life) => life.clone().filter(|life| self.is_life(life)),
            Step::Applying | Step::Undoing(_) => None,
        };
        let answer = match (result, applied, &self.phase) {
            (Ok(()), _, _) => {
                self.configuration.kept = changing.to;
                self.look_at_config(scene);
                self.say(LogLevel::Info, "its configuration was changed");
                self.renew_if_outdated(scene);
                Ok(std::mem::take(&mut changing.effective.ignored))
            }
            (Err(error), Some(life), Phase::Up(worker)) => {
                let (worker, new) = (worker.clone(), self.view_of_kept(scene));
                let old = changing.effective.values.clone();
                scene.effects.push(Effect::Reconfigure { life, worker, old, new });
                changing.step = Step::Undoing(error);
                self.configuration.changing = Some(changing);
                return;
            }
            (Err(error), _, _) => Err(ConfigRefusal::Store(error)),
        };
        scene.effects.push(Effect::TellConfig(changing.answer, answer));
        self.next_change(keeps, scene);
    }

    fn next_change(&mut self, keeps: bool, scene: &mut Scene<'_, W>) {
        // Each of them is answered or under way when this returns, and refused ones are behind it.
        while self.configuration.changing.is_none() {
            let Some(wish) = self.configuration.waiting.pop_front() else { return };
            self.begin_change(wish, keeps, scene);
        }
    }

    /// A life that was begun before a change was kept goes by what was there; the next one does not.
    fn renew_if_outdated(&mut self, scene: &mut Scene<'_, W>) {
        let outdated = match &self.phase {
            Phase::Idle | Phase::Stopping { .. } => false,
            Phase::Starting => self.configuration.begun_with != self.configuration.kept.values,
            Phase::Up(_) => {
                self.configuration.changing.is_none()
                    && self.configuration.in_force != self.view_of_kept(scene)
            }
        };
        match &self.phase {
            Phase::Starting if outdated => {
                self.abort_start(scene);
                self.start(scene);
            }
            Phase::Up(_) if outdated => self.stop(Then::Start, scene),
            Phase::Idle | Phase::Starting | Phase::Up(_) | Phase::Stopping { .. } => {}
        }
    }

    /// The values that a life would be given now.
    fn view_of_kept(&self, scene: &Scene<'_, W>) -> Object {
        let layers = self.layers(self.configuration.kept.values.clone());
        self.judged(&layers, scene.settings.unknown_keys_of(&self.plugin)).0.values
    }

    fn is_life(&self, life: &LifeId) -> bool {
        self.incarnation == life.incarnation
    }
}
