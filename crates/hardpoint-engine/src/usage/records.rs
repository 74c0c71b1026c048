//! What is remembered, by instance and hash of the configuration; and what of it is not on disk yet.
//!
//! Owns the table. Must not know how anything was measured.

use hardpoint_model::usage::{UsageRecord, UsageSample};
use hardpoint_store::limits::USAGE_RECORDS_PER_INSTANCE;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An instance, and the hash of a configuration.
type Key = (String, String);

#[derive(Debug, Default)]
pub(super) struct Records(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    all: BTreeMap<String, BTreeMap<String, UsageRecord>>,
    unwritten: BTreeSet<Key>,
}

impl Records {
    pub(super) fn of(records: Vec<UsageRecord>) -> Self {
        let mut table = Table::default();
        for record in records {
            let of_instance = table.all.entry(record.instance_id.clone()).or_default();
            of_instance.insert(record.config_hash.clone(), record);
        }
        Self(Mutex::new(table))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, (instance, plugin): (&str, &str), config_hash: &str, sample: &UsageSample) {
        let mut table = self.table();
        let of_instance = table.all.entry(instance.to_owned()).or_default();
        let new = || UsageRecord::new(instance, plugin, config_hash);
        of_instance.entry(config_hash.to_owned()).or_insert_with(new).add(sample);
        if of_instance.len() > USAGE_RECORDS_PER_INSTANCE as usize {
            let oldest = of_instance.values().min_by_key(|record| record.last_observed);
            let oldest = oldest.map(|record| record.config_hash.clone()).unwrap_or_default();
            of_instance.remove(&oldest);
        }
        table.unwritten.insert((instance.to_owned(), config_hash.to_owned()));
    }

    pub(super) fn of_instance(&self, instance: &str) -> Vec<UsageRecord> {
        let mut records: Vec<_> =
            self.table().all.get(instance).into_iter().flat_map(|all| all.values().cloned()).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.last_observed));
        records
    }

    /// What is to be written; from here on it counts as that.
    pub(super) fn take_unwritten(&self) -> Vec<UsageRecord> {
        let mut table = self.table();
        let keys = std::mem::take(&mut table.unwritten);
        let find = |(instance, hash): Key| table.all.get(&instance)?.get(&hash).cloned();
        keys.into_iter().filter_map(find).collect()
    }

    /// They could not be written: the next try has them, too.
    pub(super) fn keep_unwritten(&self, records: &[UsageRecord]) {
        let keys = records.iter().map(|record| (record.instance_id.clone(), record.config_hash.clone()));
        self.table().unwritten.extend(keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn of_many_configurations_the_last_ones_are_remembered_and_what_failed_is_written_again() {
        let records = Records::default();
        let sample = |second: i64| UsageSample {
            cpu_percent: 1.0,
            memory_mb_peak: 1.0,
            gpu_memory_mb_peak: 0.0,
            duration_seconds: 1.0,
            success: true,
            observed_at: Timestamp::from_second(second).unwrap(),
            api_usage: BTreeMap::new(),
        };
        for second in 0..=i64::from(USAGE_RECORDS_PER_INSTANCE) {
            records.add(("a", "a"), &format!("{second:03}"), &sample(second));
        }
        let kept = records.of_instance("a");
        assert_eq!(kept.len(), USAGE_RECORDS_PER_INSTANCE as usize);
        assert_eq!((kept[0].config_hash.as_str(), kept[99].config_hash.as_str()), ("100", "001"));
        let unwritten = records.take_unwritten();
        assert_eq!((unwritten.len(), records.take_unwritten().len()), (100, 0));
        records.keep_unwritten(&unwritten[..1]);
        assert_eq!(records.take_unwritten().len(), 1);
        assert!(records.of_instance("b").is_empty());
    }
}
