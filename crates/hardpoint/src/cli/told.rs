//! How a plugin's failure is told to a person, and which exit code it has.
//!
//! Owns words and remedies for what `call` and `run` have in common. Must not know which of them failed.

use super::exit_code::Code;
use super::terminal;
use hardpoint_model::{Category, JobError};
use owo_colors::OwoColorize as _;

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// In a worker of this command.
    Embedded,
    /// By a running server.
    Server,
}

/// An error of a plugin on stderr, with its traceback and what to do.
pub(super) fn tell(error: &JobError, stage: Option<usize>, door: Door) {
    let at = stage.map_or_else(String::new, |stage| format!("stage {stage}: "));
    let plugin = error.plugin_name.as_deref().unwrap_or_default();
    let named = error.message.contains(plugin) || plugin.is_empty();
    let who = if named { String::new() } else { format!("plugin `{plugin}`: ") };
    terminal::say(format!("{} {at}{who}{} ({})", "error:".red().bold(), error.message, error.error_type));
    for line in error.traceback.iter().flat_map(|traceback| traceback.trim_end().lines()) {
        terminal::say(format!("  {} {line}", "|".dimmed()));
    }
    terminal::say(format!("{} {}", "hint:".cyan().bold(), hint(error, stage, door)));
}

fn hint(error: &JobError, stage: Option<usize>, door: Door) -> String {
    let plugin = error.plugin_name.as_deref().unwrap_or("PLUGIN");
    let output = match door {
        Door::Embedded => "-v shows what the plugin printed".to_owned(),
        Door::Server => format!("`hardpoint plugin logs {plugin}` shows what it printed"),
    };
    let tools = match door {
        Door::Embedded => format!("hardpoint plugin check {plugin}"),
        Door::Server => format!("hardpoint plugin show {plugin}"),
    };
    match (error.error_type.as_str(), error.category) {
        ("TimeoutError", _) => format!("raise the timeout, or look at why the tool takes so long ({output})"),
        ("WorkerCrashed", _) if error.message.contains("(SIGKILL)") => {
            format!(
                "something outside killed it: somebody, or the kernel for lack of memory; try again, and {output}"
            )
        }
        ("ToolNotFound", _) => format!("`{tools}` lists its tools"),
        (kind, Category::UserInput) => {
            let what = match stage {
                Some(stage) if kind == "InvalidArgument" => {
                    format!("`args` of stage {stage} in the pipeline")
                }
                Some(stage) => format!("the input, or `config` and `args` of stage {stage} in the pipeline"),
                None => "the input".to_owned(),
            };
            format!("correct {what}; `{tools}` shows what the tool takes")
        }
        (_, Category::Transient) => format!("try again; if it stays so, {output}"),
        (_, Category::Resource) if error.resource_shortfall.is_some() => {
            format!(
                "try again when other plugins hold less, or give {plugin} less to do at once; docs/reference/scheduling.md says who makes room"
            )
        }
        (_, Category::Resource) => {
            format!(
                "raise `memory_mb` under `[limits]` in {plugin}/hardpoint.toml, or give it a smaller input"
            )
        }
        (_, Category::Fatal) => format!("this is a fault in the plugin; {output}"),
    }
}

/// Wrong input is the caller's to mend, everything else the plugin's.
pub(super) fn code_of(error: &JobError) -> Code {
    match (error.error_type.as_str(), error.category) {
        ("ToolNotFound" | "InputError", Category::UserInput) if error.traceback.is_none() => Code::Request,
        _ => Code::Tool,
    }
}
