//! Saved pipelines as a person sees them.

use crate::cli::show;
use comfy_table::{ContentArrangement, Table, presets};
use hardpoint_model::Pipeline;
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Deserialize;
use std::time::Duration;

/// A saved pipeline, as the server tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    pub(super) id: String,
    pub(super) version: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_used: Option<Timestamp>,
    runs: u64,
    success_rate: Option<f64>,
    #[serde(default)]
    stage_times: Vec<StageTimes>,
    #[serde(flatten)]
    pub(super) definition: Pipeline,
}

/// How long the finished tries of a stage took.
#[derive(Debug, Deserialize)]
struct StageTimes {
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

/// Pipelines in a table.
pub(super) fn all(pipelines: &[Saved]) -> String {
    let mut table = table();
    table.set_header(["PIPELINE", "VERSION", "STAGES", "RUNS", "SUCCESS", "LAST USED"]);
    for one in pipelines {
        let last = one.last_used.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
        let (version, runs) = (one.version.to_string(), one.runs.to_string());
        table.add_row([one.id.clone(), version, stages(&one.definition), runs, one.success(), last]);
    }
    table.to_string()
}

/// One pipeline in full.
pub(super) fn detail(one: &Saved) -> String {
    let mut facts = table();
    let saved = format!("{:.0}, first {:.0}", one.updated_at, one.created_at);
    for (name, fact) in [
        ("about", one.definition.description.clone()),
        ("saved", saved),
        ("runs", one.runs.to_string()),
        ("success", one.success()),
        ("last used", one.last_used.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"))),
    ] {
        facts.add_row([name.to_owned(), fact]);
    }
    let mut stages = table();
    stages.set_header(["STAGE", "TOOL", "CONFIG", "HALF WITHIN", "95 % WITHIN"]);
    for (index, stage) in one.definition.stages.iter().enumerate() {
        let times = one.stage_times.get(index);
        let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), shown);
        let own = stage.args.as_ref().unwrap_or(&stage.config);
        stages.add_row([
            (index + 1).to_string(),
            format!("{}.{}", stage.plugin, stage.tool),
            show::cut(&serde_json::Value::Object(own.clone()).to_string()),
            time(times.and_then(|times| times.p50_ms)),
            time(times.and_then(|times| times.p95_ms)),
        ]);
    }
    format!("{} version {}\n{facts}\n{stages}", one.id.bold(), one.version)
}

impl Saved {
    fn success(&self) -> String {
        self.success_rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.0} %", rate * 100.0))
    }
}

fn stages(definition: &Pipeline) -> String {
    let names = definition.stages.iter().map(|stage| format!("{}.{}", stage.plugin, stage.tool));
    show::cut(&names.collect::<Vec<_>>().join(" > "))
}

fn shown(ms: f64) -> String {
    Duration::try_from_secs_f64(ms / 1000.0).map_or_else(|_| "-".to_owned(), show::duration)
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}
