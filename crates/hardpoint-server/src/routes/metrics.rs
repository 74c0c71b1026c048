//! Figures as Prometheus reads them.
//!
//! Owns the names of metrics. Everything is read from the snapshot and counters; only the figures of jobs come from the
//! disk, and are left out when that takes too long.

use crate::app::{App, Shared};
use crate::limits::{FOLLOWERS_MAX, STATS_PATIENCE};
use crate::openapi::reading;
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::PluginView;
use hardpoint_model::PluginState;
use hardpoint_model::health::{Liveness, PluginHealth};
use hardpoint_model::job::JobStatus;
use hardpoint_store::Statistics;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(app): Shared) -> Response {
    let statistics = tokio::time::timeout(STATS_PATIENCE, app.jobs.statistics()).await;
    let statistics = statistics.ok().and_then(Result::ok);
    ([(header::CONTENT_TYPE, KIND)], text(&app, statistics.as_ref())).into_response()
}

pub(super) fn metrics_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getMetrics", "Figures for Prometheus")
        .description("Text format 0.0.4. Scrape it with a token of scope `read`.")
        .tag("host")
        .response_with::<200, String, _>(|mut r| {
            let text = r.inner().content.shift_remove("text/plain; charset=utf-8");
            r.inner().content.extend(text.map(|text| (KIND.to_owned(), text)));
            r.description("Figures, one a line")
        })
}

const MEMORY_PEAK: &str = "The most memory ever measured during its calls; 0: never measured.";
const GPU_PEAK: &str = "The most memory of a GPU ever measured during its calls.";

fn text(app: &App, statistics: Option<&Statistics>) -> String {
    let healths: Vec<PluginHealth> =
        app.engine.snapshot().plugins.values().map(|plugin| plugin.health()).collect();
    let mut out = Text(String::with_capacity(4096 + healths.len() * 1024));
    out.head("hardpoint_up", "gauge", "1 while the host answers.");
    out.line("hardpoint_up", &[], 1);
    out.head("hardpoint_uptime_seconds", "gauge", "Seconds since the host began to serve.");
    out.line("hardpoint_uptime_seconds", &[], app.figures.started.elapsed().as_secs_f64());
    out.head("hardpoint_info", "gauge", "The version of the host.");
    out.line("hardpoint_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.head("hardpoint_http_connections", "gauge", "Open connections.");
    out.line("hardpoint_http_connections", &[], app.figures.connections.load(Ordering::Relaxed));
    out.head("hardpoint_event_followers", "gauge", "Those who follow events.");
    out.line("hardpoint_event_followers", &[], FOLLOWERS_MAX - app.followers.available_permits());
    let help = "Followers of events who took nothing of what they were sent.";
    out.head("hardpoint_event_followers_dropped_total", "counter", help);
    let dropped = app.figures.followers_dropped.load(Ordering::Relaxed);
    out.line("hardpoint_event_followers_dropped_total", &[], dropped);
    out.head("hardpoint_http_requests_total", "counter", "Requests by route and status.");
    for (route, status, count) in app.figures.requests() {
        let status = status.to_string();
        out.line("hardpoint_http_requests_total", &[("route", route), ("status", &status)], count);
    }
    out.head("hardpoint_store_failing", "gauge", "1 while what has to be kept cannot be.");
    out.line("hardpoint_store_failing", &[], u8::from(app.jobs.trouble().is_some()));
    out.head("hardpoint_store_reads_total", "counter", "Questions to the database.");
    out.line("hardpoint_store_reads_total", &[], app.jobs.store_reads());
    if let Some(statistics) = statistics {
        out.jobs(statistics);
    }
    out.plugins(&healths);
    out.head("hardpoint_usage_dropped_total", "counter", "Calls whose use was not recorded.");
    out.line("hardpoint_usage_dropped_total", &[], app.engine.usage_dropped());
    for (name, help, peak) in [
        ("hardpoint_plugin_memory_peak_bytes", MEMORY_PEAK, PluginView::memory_peak_bytes as fn(&_) -> u64),
        ("hardpoint_plugin_gpu_peak_bytes", GPU_PEAK, PluginView::gpu_peak_bytes),
    ] {
        out.head(name, "gauge", help);
        for plugin in app.engine.snapshot().plugins.values() {
            out.line(name, &[("plugin", &plugin.name)], peak(plugin));
        }
    }
    out.0
}

struct Text(String);

/// Name, kind, help and value of a figure of each plugin.
type Figure = (&'static str, &'static str, &'static str, fn(&PluginHealth) -> Option<f64>);

impl Text {
    fn jobs(&mut self, statistics: &Statistics) {
        let (over, alive): (Vec<_>, Vec<_>) =
            JobStatus::ALL.into_iter().partition(|status| status.is_terminal());
        for (name, kind, help, statuses) in [
            ("hardpoint_jobs", "gauge", "Jobs that wait or run.", alive),
            ("hardpoint_jobs_ended_total", "counter", "Jobs that are over, by how they ended.", over),
        ] {
            self.head(name, kind, help);
            for status in statuses {
                self.line(name, &[("status", status.as_str())], statistics.jobs.of(status));
            }
        }
        let name = "hardpoint_jobs_oldest_pending_seconds";
        self.head(name, "gauge", "How long the job has waited that has waited longest; 0 when none waits.");
        let waited = statistics.oldest_pending.map(|since| Timestamp::now().duration_since(since));
        self.line(name, &[], waited.map_or(0.0, |waited| waited.as_secs_f64().max(0.0)));
    }

    fn plugins(&mut self, healths: &[PluginHealth]) {
        self.head("hardpoint_plugin_state", "gauge", "1 for the state that a plugin is in.");
        for health in healths {
            for state in PluginState::ALL {
                let labels = [("plugin", health.name.as_str()), ("state", &state.to_string())];
                self.line("hardpoint_plugin_state", &labels, u8::from(state == health.state));
            }
        }
        self.head("hardpoint_plugin_calls_total", "counter", "Calls that ended, by outcome.");
        for health in healths {
            for (outcome, count) in [("ok", health.success_count), ("failed", health.error_count)] {
                let labels = [("plugin", health.name.as_str()), ("outcome", outcome)];
                self.line("hardpoint_plugin_calls_total", &labels, count);
            }
        }
        let each: [Figure; 7] = [
            ("hardpoint_plugin_calls_in_flight", "gauge", "Calls that run or wait.", |health| {
                Some(f64::from(health.calls_in_flight))
            }),
            ("hardpoint_plugin_call_mean_seconds", "gauge", "Mean of the last calls.", |health| {
                health.avg_execution_time_ms.map(seconds)
            }),
            ("hardpoint_plugin_call_p95_seconds", "gauge", "95th percentile of the last calls.", |health| {
                health.p95_execution_time_ms.map(seconds)
            }),
            ("hardpoint_plugin_restarts_total", "counter", "Restarts, by policy or by hand.", |health| {
                Some(count(health.restarts))
            }),
            ("hardpoint_plugin_enabled", "gauge", "1 when calls are allowed.", |health| {
                Some(f64::from(u8::from(health.enabled)))
            }),
            ("hardpoint_plugin_live", "gauge", "1 when its worker gives signs of life.", |health| {
                Some(f64::from(u8::from(matches!(health.liveness, Liveness::Live | Liveness::Stuck))))
            }),
            ("hardpoint_plugin_stuck", "gauge", "1 while one call keeps its main thread.", |health| {
                Some(f64::from(u8::from(health.main_thread_stuck_since.is_some())))
            }),
        ];
        for (name, kind, help, figure) in each {
            self.head(name, kind, help);
            for health in healths {
                if let Some(value) = figure(health) {
                    self.line(name, &[("plugin", &health.name)], value);
                }
            }
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

fn seconds(ms: f64) -> f64 {
    ms / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no plugin is restarted 2^52 times")]
fn count(count: u64) -> f64 {
    count as f64
}
