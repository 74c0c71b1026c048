//! How a plugin's failure is told to a person, and which exit code it has.
//!
//! Owns words and remedies for what `call` and `run` have in common. Must not know which of them failed.

use super::exit_code::Code;
use super::terminal;
use hardpoint_model::{Category, JobError};
use owo_colors::OwoColorize as _;

/// An error of a plugin on stderr, with its traceback.
pub(super) fn tell(error: &JobError, stage: Option<usize>) {
    let at = stage.map_or_else(String::new, |stage| format!("stage {stage}: "));
    let plugin = error.plugin_name.as_deref().unwrap_or_default();
    let named = error.message.contains(plugin) || plugin.is_empty();
    let who = if named { String::new() } else { format!("plugin `{plugin}`: ") };
    terminal::say(format!("{} {at}{who}{} ({})", "error:".red().bold(), error.message, error.error_type));
    for line in error.traceback.iter().flat_map(|traceback| traceback.trim_end().lines()) {
        terminal::say(format!("  {} {line}", "|".dimmed()));
    }
    terminal::say(format!("{} {}", "hint:".cyan().bold(), hint(error)));
}

fn hint(error: &JobError) -> String {
    let plugin = error.plugin_name.as_deref().unwrap_or("PLUGIN");
    match (error.error_type.as_str(), error.category) {
        ("TimeoutError", _) => {
            "raise the timeout, or look at why the tool takes so long (-v shows its output)".into()
        }
        ("ToolNotFound", _) => format!("`hardpoint plugin check {plugin}` lists its tools"),
        (_, Category::UserInput) => {
            format!("correct the input; `hardpoint plugin check {plugin}` shows what the tool takes")
        }
        (_, Category::Transient) => "try again; if it stays so, -v shows what the plugin printed".into(),
        (_, Category::Resource) => {
            format!(
                "raise `memory_mb` under `[limits]` in {plugin}/hardpoint.toml, or give it a smaller input"
            )
        }
        (_, Category::Fatal) => "this is a fault in the plugin; -v shows what it printed".into(),
    }
}

/// Wrong input is the caller's to mend, everything else the plugin's.
pub(super) fn code_of(error: &JobError) -> Code {
    match (error.error_type.as_str(), error.category) {
        ("ToolNotFound" | "InputError", Category::UserInput) if error.traceback.is_none() => Code::Request,
        _ => Code::Tool,
    }
}
