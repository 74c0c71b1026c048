//! Several instances of one plugin, as everybody outside the loop asks for them.
//!
//! Owns what one more instance is given, the ids it may have, and why there is none. Must not decide anything: the loop
//! does. The default instance is called like its plugin, is there as long as the plugin's folder is, and is what is
//! remembered from one host to the next; a further one lives until it is unloaded or the host ends.

use crate::call::Refusal;
use crate::core::{Create, Input};
use crate::engine::{Answer, Engine, Verb};
use crate::limits::{INSTANCE_ID_TRIES, INSTANCES_PER_PLUGIN_MAX};
use crate::snapshot::PluginView;
use hardpoint_model::job::JobId;
use hardpoint_model::plugin_config::Object;
use hardpoint_model::schema::FieldError;
use hardpoint_model::{InstanceId, PluginRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What an instance has of its own. The default one has nothing: what is set by hand for it is its plugin's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Own {
    /// Its id, when that is not its plugin's name.
    pub id: Option<String>,
    /// What is set for it alone, over what is set by hand for the plugin.
    pub config: Object,
    /// How many calls its worker runs at once, instead of what the manifest says.
    pub concurrency: Option<u32>,
}

/// One more instance.
#[derive(Debug, Clone, Default)]
pub struct NewInstance {
    /// The id it is to have; one is made up when there is none.
    pub id: Option<InstanceId>,
    /// What is set for it alone.
    pub config: Object,
    /// How many calls its worker runs at once, instead of what the manifest says.
    pub concurrency: Option<u32>,
}

/// What became of it.
#[derive(Debug)]
pub struct Created {
    /// The instance, and whether it has settled.
    pub answer: Answer,
    /// Whether it is a new one; otherwise there was one of this id and this plugin, which is loaded.
    pub is_new: bool,
}

/// Why there is no such instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceRefusal {
    /// Something else is called so.
    #[error("`{id}` is an instance of plugin `{plugin}`")]
    Taken {
        /// The id.
        id: String,
        /// Whose it is.
        plugin: String,
    },
    /// Every id that was made up is taken.
    #[error("no free id was found for another instance of plugin `{0}`")]
    NoId(String),
    /// The plugin has too many.
    #[error(
        "plugin `{0}` has {INSTANCES_PER_PLUGIN_MAX} instances besides the default one, and may have no more"
    )]
    TooMany(String),
    /// There are too many of all plugins.
    #[error("there are too many plugins and instances")]
    TooManyOfAll,
    /// Its configuration does not fit the plugin.
    #[error("its configuration does not fit")]
    Mistakes(Vec<FieldError>),
    /// There is no such plugin, or the host is not what it was.
    #[error("{0}")]
    Other(Refusal),
}

impl From<Refusal> for InstanceRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl Engine {
    /// Starts one more instance of a plugin, and waits for at most `patience` until it has settled.
    pub async fn create_instance(
        &self,
        name: &str,
        new: NewInstance,
        patience: Duration,
    ) -> Result<Created, InstanceRefusal> {
        if self.is_draining() {
            return Err(Refusal::Stopping.into());
        }
        let plugin = self.plugin_to_be_loaded(name).await?.plugin.clone();
        let ids = match new.id {
            Some(id) => vec![id],
            None => made_up(&plugin),
        };
        let ((answer, answered), (settled, done)) = (oneshot::channel(), oneshot::channel());
        let (config, concurrency) = (new.config, new.concurrency);
        self.command(Input::Create(Create { plugin, ids, config, concurrency, answer, settled }))?;
        let (id, is_new) = answered.await.map_err(|_| Refusal::Stopping)??;
        if !is_new {
            let answer = self.ask(&id, Verb::Load, patience).await?;
            return Ok(Created { answer, is_new });
        }
        let done = tokio::time::timeout(patience, done).await.is_ok();
        Ok(Created { answer: Answer { plugin: self.plugin(&id)?, done }, is_new })
    }

    /// All instances of the plugin that this is one of, in the order of their ids.
    pub fn instances(&self, name: &str) -> Result<Vec<Arc<PluginView>>, Refusal> {
        let of = self.plugin(name)?;
        let snapshot = self.snapshot();
        Ok(snapshot.plugins.values().filter(|view| view.plugin == of.plugin).cloned().collect())
    }

    /// The instance that is meant: one that is named with its plugin must be of that plugin.
    pub fn referred(&self, to: &PluginRef) -> Result<Arc<PluginView>, Refusal> {
        let view = self.plugin(to.instance.as_str())?;
        match &to.plugin {
            Some(plugin) if plugin.as_str() != view.plugin => Err(self.unknown(&to.to_string())),
            Some(_) | None => Ok(view),
        }
    }

    /// The plugin that an instance is of; what is no instance may be a plugin that is not there yet.
    pub fn plugin_of(&self, instance: &str) -> String {
        self.plugin(instance).map_or_else(|_| instance.to_owned(), |view| view.plugin.clone())
    }
}

/// Ids that nobody chose: the first that is free is taken.
fn made_up(plugin: &str) -> Vec<InstanceId> {
    let ids = (0..INSTANCE_ID_TRIES).map(|_| InstanceId::generated(plugin, &JobId::now().to_string()));
    ids.flatten().collect()
}

impl PluginView {
    /// Whether it is the instance that is called like its plugin.
    pub fn is_default(&self) -> bool {
        self.name == self.plugin
    }

    /// How many calls its worker runs at once; `None`: its manifest cannot be read.
    pub fn concurrency(&self) -> Option<u32> {
        self.concurrency.or_else(|| self.manifest().map(|manifest| manifest.limits.concurrency))
    }

    /// As it is told of after its end: it has no worker, and is not there any more.
    pub(crate) fn ended(&self) -> Self {
        Self {
            state: hardpoint_model::PluginState::Loaded,
            reason: None,
            hint: None,
            starting: None,
            stopping: false,
            ready_at: None,
            restart_at: None,
            worker: None,
            made_room: None,
            ..self.clone()
        }
    }
}
