//! `hardpoint plugin usage NAME`: what the calls of a plugin used, under each of its configurations.

use super::state::{millis, or_dash};
use super::{Scene, patiently};
use crate::cli::exit_code::Code;
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use hardpoint_model::usage::UsageRecord;
use serde_json::Value;

/// Which plugin is meant.
#[derive(Debug, Args)]
#[command(after_help = "\
CPU 100 % is one core; memory is that of the worker and all that it started, its highest during a call, in the mean and \
at most. The configuration that was used last comes first.

Examples:
  hardpoint plugin usage faces
  hardpoint plugin usage faces --json")]
pub(in crate::cli) struct Usage {
    /// Name of the plugin, or id of an instance
    plugin: String,
}

pub(in crate::cli) async fn run(args: Usage, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let document = patiently(client.get(&["v1", "plugins", &args.plugin, "usage"], &[])).await?;
    if scene.shared.json {
        terminal::print_json(&document)?;
    } else {
        let records = document.get("records").cloned().unwrap_or(Value::Null);
        terminal::print(page(&args.plugin, &typed::<Vec<UsageRecord>>(&records)?))?;
    }
    Ok(Code::Ok)
}

fn page(plugin: &str, records: &[UsageRecord]) -> String {
    if records.is_empty() {
        return format!("no call of `{plugin}` was measured yet");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["CONFIG", "CALLS", "OK", "TOOK", "CPU", "MEMORY", "GPU", "UNITS", "LAST"]);
    for record in records {
        let units = record.api_usage_totals.iter().map(|(unit, amount)| format!("{amount} {unit}"));
        let units = units.collect::<Vec<_>>().join(", ");
        table.add_row([
            short(&record.config_hash),
            record.sample_count.to_string(),
            format!("{:.0} %", record.success_rate * 100.0),
            millis(record.duration_seconds_mean * 1000.0),
            format!("{:.0} %", record.cpu_percent_mean),
            memory(record.memory_mb_peak_mean, record.memory_mb_peak_max),
            memory(record.gpu_memory_mb_peak_mean, record.gpu_memory_mb_peak_max),
            or_dash(Some(units).filter(|units| !units.is_empty())),
            or_dash(record.last_observed.map(|at| format!("{at:.0}"))),
        ]);
    }
    table.to_string()
}

/// Enough of a hash to tell one from the other.
fn short(hash: &str) -> String {
    hash.split(':').next_back().unwrap_or(hash).chars().take(12).collect()
}

/// In the mean, and at most.
fn memory(mean: f64, most: f64) -> String {
    if most > 0.0 { format!("{mean:.0} MiB, at most {most:.0}") } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_has_a_line() {
        let mut record = UsageRecord::new("ocr", "ocr", "sha256:0123456789abcdef");
        record.sample_count = 3;
        record.successes = 2;
        record.rate();
        record.memory_mb_peak_max = 300.4;
        record.api_usage_totals.insert("tokens".to_owned(), 12.0);
        let shown = page("ocr", &[record]);
        for part in ["0123456789ab ", "67 %", "0 MiB, at most 300", "12 tokens"] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        assert!(page("ocr", &[]).contains("no call of `ocr`"));
    }
}
