//! Owns what is remembered of how much the calls of an instance used, under one configuration: means, peaks, sums.
//! Knows neither how anything is measured nor where it is kept.

use crate::limits::USAGE_UNITS_KEPT_MAX;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one call, or one try of a stage, used.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSample {
    /// Use of the processor by the worker and all that it started, 100 is one core.
    pub cpu_percent: f64,
    /// The most memory that they had, in MiB.
    pub memory_mb_peak: f64,
    /// The same of a GPU.
    pub gpu_memory_mb_peak: f64,
    /// How long the caller waited.
    pub duration_seconds: f64,
    /// Whether it brought a result.
    pub success: bool,
    /// When it was over.
    pub observed_at: Timestamp,
    /// What it accounted for itself, by unit.
    pub api_usage: BTreeMap<String, f64>,
}

/// What the calls of one instance used under one configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageRecord {
    /// The instance.
    pub instance_id: String,
    /// Its plugin.
    pub plugin_name: String,
    /// The hash of the configuration that it was given.
    pub config_hash: String,
    /// How many calls there were, failed ones and tries of jobs among them.
    pub sample_count: u64,
    /// Mean use of the processor by the worker and all that it started; 100 is one core.
    pub cpu_percent_mean: f64,
    /// The most memory that they had during any call, in MiB.
    pub memory_mb_peak_max: f64,
    /// Mean of the most memory during each call, in MiB.
    pub memory_mb_peak_mean: f64,
    /// The most memory of a GPU that they had, in MiB; 0 where there is none.
    pub gpu_memory_mb_peak_max: f64,
    /// Mean of the most memory of a GPU during each call, in MiB.
    pub gpu_memory_mb_peak_mean: f64,
    /// How long a call took, in the mean.
    pub duration_seconds_mean: f64,
    /// How many of them brought a result: from 0 to 1.
    pub success_rate: f64,
    /// When the last one was over.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_observed: Option<Timestamp>,
    /// What they accounted for themselves, added up by unit.
    pub api_usage_totals: BTreeMap<String, f64>,
    /// How many of them brought a result.
    #[serde(skip)]
    #[schemars(skip)]
    pub successes: u64,
}

impl UsageRecord {
    /// Nothing yet, of this instance of a plugin under this configuration.
    pub fn new(instance_id: &str, plugin_name: &str, config_hash: &str) -> Self {
        Self {
            instance_id: instance_id.to_owned(),
            plugin_name: plugin_name.to_owned(),
            config_hash: config_hash.to_owned(),
            sample_count: 0,
            cpu_percent_mean: 0.0,
            memory_mb_peak_max: 0.0,
            memory_mb_peak_mean: 0.0,
            gpu_memory_mb_peak_max: 0.0,
            gpu_memory_mb_peak_mean: 0.0,
            duration_seconds_mean: 0.0,
            success_rate: 0.0,
            last_observed: None,
            api_usage_totals: BTreeMap::new(),
            successes: 0,
        }
    }

    /// One more call.
    pub fn add(&mut self, sample: &UsageSample) {
        self.sample_count += 1;
        self.successes += u64::from(sample.success);
        let count = as_float(self.sample_count);
        for (mean, value) in [
            (&mut self.cpu_percent_mean, sample.cpu_percent),
            (&mut self.memory_mb_peak_mean, sample.memory_mb_peak),
            (&mut self.gpu_memory_mb_peak_mean, sample.gpu_memory_mb_peak),
            (&mut self.duration_seconds_mean, sample.duration_seconds),
        ] {
            *mean += (value - *mean) / count;
        }
        self.memory_mb_peak_max = self.memory_mb_peak_max.max(sample.memory_mb_peak);
        self.gpu_memory_mb_peak_max = self.gpu_memory_mb_peak_max.max(sample.gpu_memory_mb_peak);
        self.last_observed = self.last_observed.max(Some(sample.observed_at));
        for (unit, amount) in &sample.api_usage {
            if let Some(total) = self.api_usage_totals.get_mut(unit) {
                *total += amount;
            } else if self.api_usage_totals.len() < USAGE_UNITS_KEPT_MAX {
                self.api_usage_totals.insert(unit.clone(), *amount);
            }
        }
        self.rate();
    }

    /// Finds the rate out again, after it was read from where it is not kept.
    pub fn rate(&mut self) {
        let none = self.sample_count == 0;
        self.success_rate = if none { 0.0 } else { as_float(self.successes) / as_float(self.sample_count) };
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^52 calls")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn three_calls_are_remembered_by_their_means_peaks_rate_and_sums() {
        let mut record = UsageRecord::new("ocr-fast", "ocr", "sha256:00");
        let at = |second| Timestamp::from_second(second).unwrap();
        for (cpu, memory, gpu, seconds, success, usage) in [
            (10.0, 100.0, 0.0, 1.0, true, &[("tokens", 5.0), ("pages", 1.0)][..]),
            (30.0, 300.0, 50.0, 2.0, false, &[]),
            (20.0, 200.0, 20.0, 6.0, true, &[("tokens", 7.0)]),
        ] {
            record.add(&UsageSample {
                cpu_percent: cpu,
                memory_mb_peak: memory,
                gpu_memory_mb_peak: gpu,
                duration_seconds: seconds,
                success,
                observed_at: at(record.sample_count.cast_signed()),
                api_usage: usage.iter().map(|(unit, amount)| ((*unit).to_owned(), *amount)).collect(),
            });
        }
        let expected = json!({
            "instance_id": "ocr-fast", "plugin_name": "ocr", "config_hash": "sha256:00", "sample_count": 3,
            "cpu_percent_mean": 20.0, "memory_mb_peak_max": 300.0, "memory_mb_peak_mean": 200.0,
            "gpu_memory_mb_peak_max": 50.0, "gpu_memory_mb_peak_mean": 23.333_333_333_333_332,
            "duration_seconds_mean": 3.0, "success_rate": 0.666_666_666_666_666_6, "last_observed": at(2),
            "api_usage_totals": {"pages": 1.0, "tokens": 12.0},
        });
        assert_eq!(serde_json::to_value(&record).unwrap(), expected);
    }
}
