//! Whether a tool takes what it is to be given: the same for a run and for a job.
//!
//! Owns the words. Whether arguments fit is the tool's schema's to say.

use crate::problem::{Code, Mistake, Problem};
use hardpoint_engine::PluginView;
use hardpoint_model::schema::FieldError;
use hardpoint_supervisor::Tool;
use serde_json::Value;

/// The tool is not there, or does not take these arguments.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) problem: Problem,
    /// The host's name for it.
    pub(super) error_type: &'static str,
    /// The names of the arguments that are wrong.
    pub(super) fields: Option<Vec<String>>,
}

/// The tool, when it takes these arguments; `None` while the plugin has no worker, so that nobody can say.
pub(crate) fn check<'p>(
    plugin: &'p PluginView,
    tool: &str,
    args: &Value,
) -> Result<Option<&'p Tool>, Box<Misfit>> {
    if !plugin.knows_tools() {
        return Ok(None);
    }
    let Some(found) = plugin.tool(tool) else { return Err(Box::new(no_such_tool(plugin, tool))) };
    let mistakes = found.mistakes(args);
    if mistakes.is_empty() { Ok(Some(found)) } else { Err(Box::new(misfit(plugin, tool, mistakes))) }
}

fn no_such_tool(plugin: &PluginView, tool: &str) -> Misfit {
    let (name, known) = (&plugin.name, plugin.tool_names());
    let text = format!("Tool '{tool}' not found in plugin '{name}'. Available: {known:?}");
    let problem = Problem::new(Code::ToolNotFound, text).hint(what_it_takes(name));
    Misfit { problem, error_type: "ToolNotFound", fields: None }
}

fn misfit(plugin: &PluginView, tool: &str, mistakes: Vec<FieldError>) -> Misfit {
    let name = &plugin.name;
    let sentences: Vec<&str> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
    let detail = format!("`{name}.{tool}` was given wrong arguments: {}", sentences.join("; "));
    let hint =
        mistakes.iter().find_map(|mistake| mistake.hint.clone()).unwrap_or_else(|| what_it_takes(name));
    let fields = mistakes.iter().map(|mistake| mistake.field.clone()).collect();
    let errors =
        mistakes.into_iter().map(|mistake| Mistake::at(format!("/args{}", mistake.pointer), mistake.message));
    let problem = Problem::new(Code::ArgumentsInvalid, detail).hint(hint).errors(errors.collect());
    Misfit { problem, error_type: "InputError", fields: Some(fields) }
}

fn what_it_takes(plugin: &str) -> String {
    format!("`GET /v1/plugins/{plugin}/tools` shows what each tool takes")
}
