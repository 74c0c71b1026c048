//! The configurations of plugins, as everybody outside the loop sees and changes them.
//!
//! Owns what is shown of one and why a change was refused. Must not decide anything: the loop does.

use crate::call::Refusal;
use crate::core::{ConfigWish, Input};
use crate::engine::Engine;
use crate::snapshot::PluginView;
use hardpoint_model::JobError;
use hardpoint_model::plugin_config::{ConfigSchema, Effective, Object, UnknownKeys};
use hardpoint_model::schema::FieldError;
use hardpoint_store::StoreError;
use hardpoint_supervisor::Hook;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a plugin has told about the schema of its configuration.
#[derive(Debug, Clone, Default)]
pub enum Told {
    /// Nothing: no worker of it has come so far since the host began.
    #[default]
    NotYet,
    /// This one, or that it has none.
    This(Option<Arc<ConfigSchema>>),
}

impl Told {
    /// The outer option is empty as long as nothing is known, the inner one when there is none.
    pub fn schema(&self) -> Option<Option<&ConfigSchema>> {
        match self {
            Self::NotYet => None,
            Self::This(schema) => Some(schema.as_deref()),
        }
    }
}

/// The configuration of one plugin.
#[derive(Debug)]
pub struct ConfigView {
    /// What it says about it.
    pub told: Told,
    /// What is set by hand for the plugin.
    pub persisted: Object,
    /// What is set for this instance alone; nothing for the default one.
    pub instance: Object,
    /// What it is given, and whose each value is.
    pub effective: Effective,
    /// The name of what it is given; empty while it has not told its schema.
    pub hash: Arc<str>,
    /// What is wrong with that: then it cannot start.
    pub mistakes: Vec<FieldError>,
    /// The hash of the schema that the configuration was set for.
    pub kept_hash: Option<String>,
    /// Whether that is another one than the plugin's now.
    pub drift: bool,
}

impl Default for ConfigView {
    fn default() -> Self {
        Self {
            told: Told::NotYet,
            persisted: Object::default(),
            instance: Object::default(),
            effective: Effective::default(),
            hash: Arc::from(""),
            mistakes: Vec::new(),
            kept_hash: None,
            drift: false,
        }
    }
}

/// Why a configuration was not changed: the one before is in force.
#[derive(Debug)]
pub enum ConfigRefusal {
    /// It does not fit the plugin's schema.
    Mistakes(Vec<FieldError>),
    /// The plugin has not told its schema yet.
    NotYet,
    /// The plugin is being started or stopped.
    OnItsWay,
    /// Too many others wait to change it.
    Busy,
    /// The plugin itself refused it.
    Hook(Box<JobError>),
    /// It could not be kept.
    Store(StoreError),
    /// There is no such plugin, or the host is not what it was.
    Other(Refusal),
}

impl Engine {
    /// Merges a patch into what is set by hand in the configuration of a plugin. When this returns it is in force for every
    /// call that is made from now on, and on disk; or nothing has changed. The second value says what was left out of it.
    pub async fn configure(
        &self,
        name: &str,
        patch: Object,
        unknown_keys: Option<UnknownKeys>,
    ) -> Result<(Arc<PluginView>, Vec<String>), ConfigRefusal> {
        if self.is_draining() {
            return Err(ConfigRefusal::Other(Refusal::Stopping));
        }
        self.plugin(name).map_err(ConfigRefusal::Other)?;
        let (answer, answered) = oneshot::channel();
        let wish = ConfigWish { plugin: name.to_owned(), patch, unknown_keys, answer };
        self.command(Input::Configure(wish)).map_err(ConfigRefusal::Other)?;
        // A further instance may be unloaded meanwhile.
        let lost = |_| ConfigRefusal::Other(self.plugin(name).err().unwrap_or(Refusal::Stopping));
        let ignored = answered.await.map_err(lost)??;
        Ok((self.plugin(name).map_err(ConfigRefusal::Other)?, ignored))
    }

    /// Asks a plugin which choices there are for fields of its configuration, as it sees them now.
    pub async fn config_options(&self, name: &str) -> Result<Value, Refusal> {
        let plugin = self.plugin(name)?;
        let Some(worker) = plugin.worker.clone().filter(|_| plugin.takes_calls()) else {
            return Err(Refusal::of(&plugin));
        };
        match worker.hook(Hook::ConfigOptions).await {
            Ok(Ok(output)) => {
                let json = output.result.into_json(u64::MAX);
                json.map_err(|error| Refusal::Hook(Box::new(unreadable(name, &error.to_string()))))
            }
            Ok(Err(error)) => Err(Refusal::Hook(Box::new(error))),
            Err(lost) => Err(Refusal::Hook(Box::new(lost.to_job_error(name)))),
        }
    }
}

fn unreadable(plugin: &str, why: &str) -> JobError {
    let message = format!("the options of plugin `{plugin}` cannot be read: {why}");
    JobError::new(hardpoint_model::Category::Fatal, "ResultNotSerializable", message).of_plugin(plugin)
}
