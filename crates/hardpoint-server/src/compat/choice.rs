//! Which plugin and which of its tools a client of another host means.
//!
//! Owns the query and its refusals. Must not know what the tools are given.

use super::tool::{self, Medium};
use crate::app::App;
use crate::extract::Query;
use crate::problem::{Code, Problem};
use crate::run::{of_refusal, refused};
use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hardpoint_engine::{PluginView, Refusal};
use hardpoint_model::limits::PIPELINE_STAGES_MAX;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// When a caller who met a plugin that is starting should come back.
const STARTING: Duration = Duration::from_secs(1);

/// Which plugin, and which tools: by their names, or by what is wanted of them.
#[derive(Debug, Default, PartialEq, JsonSchema)]
pub(crate) struct ChoiceQuery {
    /// The plugin.
    #[schemars(length(min = 1, max = 193))]
    plugin_id: String,
    /// A tool, by its name; may stand several times.
    #[schemars(length(max = 64), skip_serializing_if = "Vec::is_empty")]
    tool: Vec<String>,
    /// A capability of a tool, or the beginning of its name; may stand several times, instead of `tool`.
    #[schemars(length(max = 64), skip_serializing_if = "Vec::is_empty")]
    logical_tool_id: Vec<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ChoiceQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts.uri.query().unwrap_or_default())
    }
}

impl OperationInput for ChoiceQuery {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Query::<Self>::operation_input(ctx, operation);
    }
}

impl ChoiceQuery {
    fn of(query: &str) -> Result<Self, Problem> {
        let bad = |name: &str, detail: &str| Problem::new(Code::BadQuery, detail).at(format!("/{name}"));
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query).map_err(|e| bad("", &e.to_string()))?;
        let mut read = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "plugin_id" => read.plugin_id = value,
                "tool" => read.tool.push(value),
                "logical_tool_id" => read.logical_tool_id.push(value),
                // Other hosts pass over what they do not know.
                _ => {}
            }
        }
        if read.plugin_id.is_empty() {
            return Err(bad("plugin_id", "`plugin_id` is missing"));
        }
        if read.tool.len() + read.logical_tool_id.len() > PIPELINE_STAGES_MAX {
            return Err(bad("tool", &format!("a job has {PIPELINE_STAGES_MAX} tools at most")));
        }
        Ok(read)
    }
}

/// A plugin that takes calls, and tools of it that work on what they will be given.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) plugin: Arc<PluginView>,
    pub(super) tools: Vec<ChosenTool>,
}

/// A tool, and what it was asked for by, if that is not its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenTool {
    pub(super) name: String,
    pub(super) wanted: Option<String>,
}

/// A tool as it is told: by its name, or with what it was asked for by.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ToldTool {
    Name(String),
    Resolved {
        /// What it was asked for by.
        logical: String,
        /// Its name.
        resolved: String,
    },
}

impl From<ChosenTool> for ToldTool {
    fn from(tool: ChosenTool) -> Self {
        match tool.wanted {
            Some(logical) => Self::Resolved { logical, resolved: tool.name },
            None => Self::Name(tool.name),
        }
    }
}

impl Choice {
    pub(super) fn of(app: &App, query: ChoiceQuery, medium: Medium) -> Result<Self, Problem> {
        let ChoiceQuery { plugin_id, tool: names, logical_tool_id: wanted } = query;
        let plugin = plugin(app, &plugin_id)?;
        if names.is_empty() == wanted.is_empty() {
            let detail = "name the tools with `tool`, or what is wanted with `logical_tool_id`, and not both";
            return Err(Problem::new(Code::ToolsUnclear, detail));
        }
        check_up(&plugin)?;
        let known = names.into_iter().map(|name| by_name(&plugin, name, medium));
        let meant = wanted.into_iter().map(|wanted| by_wish(&plugin, wanted, medium));
        let mut tools: Vec<ChosenTool> = Vec::new();
        for tool in known.chain(meant) {
            let tool = tool?;
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        Ok(Self { plugin, tools })
    }

    /// The same by names alone.
    pub(super) fn named(
        app: &App,
        plugin_id: String,
        tool: Vec<String>,
        medium: Medium,
    ) -> Result<Self, Problem> {
        Self::of(app, ChoiceQuery { plugin_id, tool, ..ChoiceQuery::default() }, medium)
    }
}

pub(super) fn plugin(app: &App, name: &str) -> Result<Arc<PluginView>, Problem> {
    app.engine.plugin(name).map_err(|refusal| refused(&refusal, of_refusal(&refusal)).at("/plugin_id"))
}

/// A client of another host is told at once that a plugin is down; it would not look for a job that waits.
fn check_up(plugin: &PluginView) -> Result<(), Problem> {
    let refusal = if !plugin.is_enabled() {
        Refusal::Disabled(plugin.name.clone())
    } else if plugin.answers() {
        return Ok(());
    } else {
        let step = plugin.starting().map(|step| format!("`{}` is starting: {step}", plugin.name));
        let retry_after = step.is_some().then_some(STARTING);
        let reason = plugin.reason().map(str::to_owned).or(step);
        Refusal::NotReady {
            plugin: plugin.name.clone(),
            state: plugin.state(),
            reason: reason.unwrap_or_else(|| format!("`{}` is not loaded", plugin.name)),
            hint: plugin.health().hint.unwrap_or_default(),
            retry_after,
        }
    };
    Err(refused(&refusal, of_refusal(&refusal)))
}

fn by_name(plugin: &PluginView, name: String, medium: Medium) -> Result<ChosenTool, Problem> {
    let Some(found) = plugin.tool(&name) else {
        let (plugin, known) = (&plugin.name, plugin.tool_names());
        let detail = format!("Tool '{name}' not found in plugin '{plugin}'. Available: {known:?}");
        return Err(Problem::new(Code::ToolNotFound, detail).at("/tool"));
    };
    if !tool::works_on(plugin, &found.info, medium) {
        let detail = format!("tool '{name}' of plugin '{}' takes no {}", plugin.name, medium.noun());
        return Err(Problem::new(Code::ToolUnfit, detail).at("/tool"));
    }
    Ok(ChosenTool { name, wanted: None })
}

fn by_wish(plugin: &PluginView, wanted: String, medium: Medium) -> Result<ChosenTool, Problem> {
    match tool::meant(plugin, &wanted, medium) {
        Some(tool) => Ok(ChosenTool { name: tool.name.clone(), wanted: Some(wanted) }),
        None => {
            let (plugin, known) = (&plugin.name, plugin.tool_names());
            let detail = format!(
                "plugin '{plugin}' has no tool for '{wanted}' that takes {}. Available: {known:?}",
                medium.a_noun()
            );
            Err(Problem::new(Code::ToolNotFound, detail).at("/logical_tool_id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_stand_several_times_and_what_is_not_known_is_passed_over() {
        let read = ChoiceQuery::of("plugin_id=p&tool=a&tool=b%20c&device=gpu").unwrap();
        assert_eq!((read.plugin_id.as_str(), read.tool), ("p", vec!["a".to_owned(), "b c".to_owned()]));
        let read = ChoiceQuery::of("plugin_id=p&logical_tool_id=x").unwrap();
        assert_eq!(read.logical_tool_id, ["x"]);
        let pointer = |query: &str| {
            let problem = serde_json::to_value(ChoiceQuery::of(query).unwrap_err()).unwrap();
            problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
        };
        assert_eq!(pointer("tool=a"), "/plugin_id");
        assert_eq!(pointer(&format!("plugin_id=p{}", "&tool=a".repeat(65))), "/tool");
    }
}
