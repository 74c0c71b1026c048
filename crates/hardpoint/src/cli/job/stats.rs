//! `hardpoint job stats`: how many jobs there are and were.

use super::page;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::{show, terminal};
use crate::embedded::Failure;
use hardpoint_model::job::JobStatus;
use serde_json::Value;
use std::time::Duration;

pub(super) async fn run(scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.job_stats()).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
        return Ok(Code::Ok);
    }
    terminal::print(table(&document))?;
    if let Some(seconds) = document.get("oldest_pending_seconds").and_then(Value::as_f64) {
        let waited = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        terminal::print(format!("the oldest that waits has waited {}", show::duration(waited)))?;
    }
    Ok(Code::Ok)
}

fn table(document: &Value) -> String {
    let plugins = document.get("plugins").and_then(Value::as_array);
    let mut table = page::table();
    let words = JobStatus::ALL.map(|status| status.as_str().to_uppercase());
    table.set_header(["PLUGIN".to_owned()].into_iter().chain(words));
    for plugin in plugins.into_iter().flatten() {
        let name = plugin.get("plugin_id").and_then(Value::as_str).unwrap_or_default();
        table.add_row(row(name, plugin));
    }
    table.add_row(row("jobs in all", document));
    table.to_string()
}

fn row(name: &str, totals: &Value) -> Vec<String> {
    let of = |status: JobStatus| {
        let total = totals.get(format!("total_{status}")).and_then(Value::as_u64);
        total.unwrap_or_default().to_string()
    };
    [name.to_owned()].into_iter().chain(JobStatus::ALL.map(of)).collect()
}
