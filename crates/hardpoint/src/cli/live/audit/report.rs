//! What an audit found, for people and for programs.

use super::Audit;
use super::look::Seen;
use super::rules::{Finding, state_of};
use crate::cli::exit_code::Code;
use crate::cli::terminal;
use crate::client::Client;
use crate::embedded::Failure;
use hardpoint_model::PluginState;
use owo_colors::OwoColorize as _;
use serde_json::json;

pub(super) fn tell(seen: &Seen, args: &Audit, client: &Client, json: bool) -> Result<Code, Failure> {
    let mut findings = seen.findings.clone();
    if args.strict {
        findings.extend(seen.down.iter().map(|(name, how)| Finding::of(name, "down", how.clone())));
    }
    let code = if findings.is_empty() { Code::Ok } else { Code::Tool };
    if json {
        let down: Vec<_> =
            seen.down.iter().map(|(name, how)| json!({"plugin": name, "detail": how})).collect();
        terminal::print_json(&json!({"ok": findings.is_empty(), "url": client.shown(),
            "plugins": seen.plugins.len(), "findings": findings, "down": down, "requests": seen.requests,
            "processes_checked": seen.processes, "slowest_answer_ms": seen.slowest.as_secs_f64() * 1000.0}))?;
        return Ok(code);
    }
    terminal::print(summary(seen, client))?;
    for (name, how) in seen.down.iter().filter(|_| !args.strict) {
        terminal::print(format!("{} {}: {how}", "!".yellow().bold(), name.bold()))?;
    }
    for finding in &findings {
        let about = finding.plugin.as_deref().unwrap_or("the host");
        terminal::print(format!(
            "{} {}: {} ({})",
            "✗".red().bold(),
            about.bold(),
            finding.detail,
            finding.rule
        ))?;
    }
    terminal::print(match findings.len() {
        0 => format!("{} what the host says holds", "✓".green().bold()),
        1 => "1 finding".red().to_string(),
        count => format!("{count} findings").red().to_string(),
    })?;
    Ok(code)
}

/// `6 plugins at http://…: 5 INITIALIZED, 1 FAILED; 15 answers, the slowest after 3 ms`
fn summary(seen: &Seen, client: &Client) -> String {
    let states = PluginState::ALL.into_iter().filter_map(|state| {
        let count = seen.plugins.iter().filter(|plugin| state_of(plugin) == Some(state)).count();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let states: Vec<String> = states.collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let count = match seen.plugins.len() {
        1 => "1 plugin".to_owned(),
        count => format!("{count} plugins"),
    };
    let processes = if seen.processes {
        ""
    } else {
        "; processes were not looked at: it is not known which one the host is"
    };
    let (url, requests, slowest) = (client.shown(), seen.requests, seen.slowest.as_millis());
    format!("{count} at {url}{states}; {requests} answers, the slowest after {slowest} ms{processes}")
}
