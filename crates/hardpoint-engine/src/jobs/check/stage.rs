//! A stage, and what is known of its plugin and its tool.
//!
//! Owns whether they exist, and how a stage is named to people.

use super::schemas::{is_closed, listed, names, resolved};
use super::{Mistake, Plugins};
use crate::snapshot::PluginView;
use hardpoint_model::pipeline::Stage;
use hardpoint_supervisor::Tool;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A stage, and what is known of it.
pub(super) struct Known<'a> {
    /// From 0, as in a pointer.
    pub(super) number: usize,
    pub(super) stage: &'a Stage,
    pub(super) plugin: Option<Plugin>,
}

/// A plugin that there is.
pub(super) enum Plugin {
    /// In the folder, and that is all.
    Installed,
    /// On this host.
    Live(Arc<PluginView>),
}

/// Whether a stage returns a field.
pub(super) enum Returned<'a> {
    Yes(&'a Value),
    No,
    Perhaps,
}

impl Known<'_> {
    pub(super) fn mistake(&self, field: &str, message: String, hint: String) -> Mistake {
        Mistake { pointer: format!("/stages/{}/{field}", self.number), message, hint }
    }

    /// For people: `stage 2 (ocr.read)`.
    pub(super) fn name(&self) -> String {
        format!("stage {} ({}.{})", self.number + 1, self.stage.plugin, self.stage.tool)
    }

    fn tool(&self) -> Option<&Tool> {
        match self.plugin.as_ref()? {
            Plugin::Installed => None,
            Plugin::Live(plugin) => plugin.tool(&self.stage.tool),
        }
    }

    /// What its tool takes.
    pub(super) fn schema(&self) -> Option<&Value> {
        Some(&self.tool()?.info.input_schema)
    }

    pub(super) fn existence(&self, plugins: &Plugins<'_>, saved: &BTreeSet<String>) -> Option<Mistake> {
        let wanted = self.stage.plugin.to_string();
        match &self.plugin {
            None if saved.contains(&wanted) => {
                let message =
                    format!("{}: `{wanted}` is a pipeline, and a pipeline cannot call another", self.name());
                Some(self.mistake("plugin", message, "put its stages here instead".to_owned()))
            }
            None => {
                let hint = format!("there are {}", listed(&plugins.names()));
                let message = format!("{}: there is no plugin `{wanted}`", self.name());
                Some(self.mistake("plugin", message, hint))
            }
            Some(Plugin::Live(plugin)) => self.lacks(plugin),
            Some(Plugin::Installed) => None,
        }
    }

    /// Why a plugin that is there cannot run this stage.
    fn lacks(&self, plugin: &PluginView) -> Option<Mistake> {
        let (wanted, tool) = (&plugin.name, &self.stage.tool);
        if !plugin.is_enabled() {
            let message = format!("{}: plugin `{wanted}` is disabled", self.name());
            return Some(self.mistake("plugin", message, format!("`hardpoint plugin enable {wanted}`")));
        }
        if plugin.knows_tools() && plugin.tool(tool).is_none() {
            let message = format!("{}: plugin `{wanted}` has no tool `{tool}`", self.name());
            return Some(self.mistake("tool", message, format!("it has {}", listed(&plugin.tool_names()))));
        }
        None
    }

    /// What its tool says of all that it returns.
    pub(super) fn output(&self) -> Option<&Value> {
        self.tool().filter(|tool| !tool.info.streaming).map(|tool| &tool.info.output_schema)
    }

    /// What its tool says of one field that it returns.
    pub(super) fn returns(&self, name: &str) -> Returned<'_> {
        let Some(tool) = self.tool() else { return Returned::Perhaps };
        if tool.info.streaming {
            return if name == "items" { Returned::Perhaps } else { Returned::No };
        }
        let schema = resolved(&tool.info.output_schema);
        match schema.get("properties").and_then(|properties| properties.get(name)) {
            Some(property) => Returned::Yes(property),
            None if is_closed(schema) => Returned::No,
            None => Returned::Perhaps,
        }
    }

    /// What its fields are called, for a hint.
    pub(super) fn returned(&self) -> String {
        match self.tool() {
            Some(tool) if tool.info.streaming => "it returns `items`".to_owned(),
            Some(tool) => match names(&tool.info.output_schema).as_slice() {
                [] => format!("what it returns has no fields; `/stages/{}` is all of it", self.number),
                names => format!("it returns {}", listed(names)),
            },
            None => "its plugin is not up".to_owned(),
        }
    }
}
