//! What a person sees of plugins: a table of all, or one in full.

use super::state::{cell, life, life_cell, millis, or_dash, painted, remarks, time};
use crate::cli::signature::described;
use comfy_table::{ContentArrangement, Table, presets};
use hardpoint_model::health::{Life, PluginDetail, PluginHealth};
use hardpoint_wire::ToolInfo;
use owo_colors::OwoColorize as _;

/// All plugins in a table, and below it what there is to say about single ones.
pub(super) fn all(plugins: &[PluginHealth]) -> String {
    if plugins.is_empty() {
        return "the server has no plugin; `hardpoint plugin new NAME` makes one, `plugin load NAME` starts it"
            .to_owned();
    }
    let mut table = table();
    table.set_header(["NAME", "STATE", "LIVENESS", "CALLS", "OK", "ERRORS", "P95", "UP"]);
    for plugin in plugins {
        table.add_row([
            plugin.name.as_str().into(),
            cell(plugin.state),
            life_cell(plugin.liveness),
            plugin.calls_in_flight.into(),
            plugin.success_count.into(),
            plugin.error_count.into(),
            or_dash(plugin.p95_execution_time_ms.map(millis)).into(),
            or_dash(plugin.uptime_seconds.map(time)).into(),
        ]);
    }
    let mut blocks = vec![table.to_string()];
    for plugin in plugins {
        let said = remarks(plugin);
        if !said.is_empty() {
            let (name, state) = (plugin.name.bold(), painted(plugin.state));
            blocks.push(format!("{name} {state}: {}{}", said.join("\n  "), hint(plugin)));
        }
    }
    if blocks.len() > 1 {
        blocks.push("the log of a plugin: hardpoint plugin logs NAME".to_owned());
    }
    blocks.join("\n\n")
}

/// The health of one plugin, a line for each thing.
pub(super) fn one(plugin: &PluginHealth) -> String {
    head(plugin) + &table_of(facts(plugin))
}

/// One plugin with its tools and its past.
pub(super) fn detail(plugin: &PluginDetail, tools: &[ToolInfo]) -> String {
    let mut rows = facts(&plugin.health);
    rows.push(("folder", plugin.dir.clone()));
    rows.push(("calls at once", or_dash(plugin.max_concurrent_requests.map(|count| count.to_string()))));
    if let Some(times) = plugin.start_ms {
        let (prepare, worker, import) = (millis(times.prepare), millis(times.worker), millis(times.import));
        rows.push((
            "start took",
            format!("{prepare} to prepare, {worker} for the worker ({import} to import)"),
        ));
    }
    let mut page = head(&plugin.health) + &table_of(rows);
    for tool in tools {
        page = format!("{page}\n\n{}", described(tool));
    }
    if !plugin.history.is_empty() {
        page = format!("{page}\n\n{}\n{}", "earlier incarnations".bold(), history(&plugin.history));
    }
    page
}

fn head(plugin: &PluginHealth) -> String {
    let mut lines = vec![format!("{} is {}", plugin.name.bold(), painted(plugin.state))];
    lines.extend(remarks(plugin).into_iter().map(|said| format!("  {said}")));
    format!("{}{}\n\n", lines.join("\n"), hint(plugin))
}

fn table_of(rows: Vec<(&'static str, String)>) -> String {
    let mut table = table();
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    table.to_string()
}

fn facts(plugin: &PluginHealth) -> Vec<(&'static str, String)> {
    let version = or_dash(Some(plugin.version.clone()).filter(|version| !version.is_empty()));
    let pid =
        plugin.pid.map_or_else(|| "-".to_owned(), |pid| format!("process {pid}, {}", life(plugin.liveness)));
    let calls = format!(
        "{} in flight, {} went well, {} failed",
        plugin.calls_in_flight, plugin.success_count, plugin.error_count
    );
    let limit = plugin
        .memory_limit_bytes
        .map(|bytes| format!("{} MiB, by {}", bytes >> 20, plugin.memory_enforced_by));
    let mut facts = vec![
        ("version", version),
        ("incarnation", times(plugin)),
        ("worker", pid),
        ("up for", or_dash(plugin.uptime_seconds.map(time))),
        ("calls", calls),
        ("last used", or_dash(plugin.last_used.map(|at| format!("{at:.0}")))),
        ("duration", durations(plugin)),
        ("memory limit", or_dash(limit)),
    ];
    let missing = plugin.missing_required.iter();
    let missing = missing.map(|name| format!("`hardpoint secret set {} {name}`", of(plugin)));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        facts.push(("missing", missing.join(", ")));
    }
    if of(plugin) != plugin.name {
        facts.insert(0, ("instance of", of(plugin).to_owned()));
    }
    if let Some(reason) = &plugin.exit_reason {
        facts.push(("last worker", reason.to_string()));
    }
    facts
}

/// The plugin that it is an instance of.
fn of(plugin: &PluginHealth) -> &str {
    if plugin.plugin.is_empty() { &plugin.name } else { &plugin.plugin }
}

fn times(plugin: &PluginHealth) -> String {
    match plugin.restarts {
        0 => plugin.incarnation.to_string(),
        1 => format!("{} (restarted once)", plugin.incarnation),
        more => format!("{} (restarted {more} times)", plugin.incarnation),
    }
}

fn durations(plugin: &PluginHealth) -> String {
    match (plugin.last_execution_time_ms, plugin.avg_execution_time_ms, plugin.p95_execution_time_ms) {
        (Some(last), Some(mean), Some(p95)) => {
            format!("last {}, mean {}, 95 % below {}", millis(last), millis(mean), millis(p95))
        }
        (_, _, _) => "-".to_owned(),
    }
}

fn history(lives: &[Life]) -> String {
    let mut table = table();
    for life in lives {
        let number = life.incarnation.to_string();
        let ended = format!("{:.0}", life.ended_at);
        let reason = life.reason.clone().or_else(|| life.exit_reason.as_ref().map(ToString::to_string));
        table.add_row([number.into(), cell(life.state), ended.into(), or_dash(reason).into()]);
    }
    table.to_string()
}

fn hint(plugin: &PluginHealth) -> String {
    let Some(hint) = plugin.hint.as_ref().filter(|hint| !hint.is_empty()) else { return String::new() };
    format!("\n  {} {hint}", "hint:".cyan().bold())
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}
