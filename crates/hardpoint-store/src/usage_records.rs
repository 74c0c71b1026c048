//! What the calls of instances used, under each of their configurations.
//!
//! Owns its table, and how many configurations of an instance are remembered. Must not know how anything was measured.

use crate::Store;
use crate::error::StoreError;
use crate::limits::USAGE_RECORDS_PER_INSTANCE;
use crate::rows::{json, micros};
use hardpoint_model::usage::UsageRecord;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

impl Store {
    /// All that is remembered.
    pub async fn usage_records(&self) -> Result<Vec<UsageRecord>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT * FROM usage_records ORDER BY instance, last_observed";
            let mut find = connection.prepare_cached(sql)?;
            let mut found = find.query([])?;
            let mut records = Vec::new();
            while let Some(row) = found.next()? {
                records.push(record(row)?);
            }
            Ok(records)
        })
        .await
    }
}

fn record(row: &Row<'_>) -> Result<UsageRecord, StoreError> {
    let count = |name| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(name)?).unwrap_or(0));
    let name = |name| row.get::<_, String>(name);
    let (instance, plugin, hash) = (name("instance")?, name("plugin")?, name("config_hash")?);
    let last: Option<i64> = row.get("last_observed")?;
    let totals: String = row.get("totals")?;
    let mut record = UsageRecord {
        sample_count: count("samples")?,
        successes: count("successes")?,
        cpu_percent_mean: row.get("cpu_mean")?,
        memory_mb_peak_max: row.get("memory_max")?,
        memory_mb_peak_mean: row.get("memory_mean")?,
        gpu_memory_mb_peak_max: row.get("gpu_max")?,
        gpu_memory_mb_peak_mean: row.get("gpu_mean")?,
        duration_seconds_mean: row.get("duration_mean")?,
        last_observed: last.and_then(|at| Timestamp::from_microsecond(at).ok()),
        api_usage_totals: serde_json::from_str(&totals).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        ..UsageRecord::new(&instance, &plugin, &hash)
    };
    record.rate();
    Ok(record)
}

/// Remembers it as it is here. Of configurations that are long gone the oldest are let go.
pub(crate) fn write(connection: &Connection, record: &UsageRecord) -> Result<(), StoreError> {
    let sql =
        "INSERT OR REPLACE INTO usage_records (instance, config_hash, plugin, samples, successes, cpu_mean,
               memory_max, memory_mean, gpu_max, gpu_mean, duration_mean, last_observed, totals)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.execute(params![
        record.instance_id,
        record.config_hash,
        record.plugin_name,
        count(record.sample_count),
        count(record.successes),
        record.cpu_percent_mean,
        record.memory_mb_peak_max,
        record.memory_mb_peak_mean,
        record.gpu_memory_mb_peak_max,
        record.gpu_memory_mb_peak_mean,
        record.duration_seconds_mean,
        micros(record.last_observed),
        json(Some(&record.api_usage_totals))?,
    ])?;
    let sql = "DELETE FROM usage_records WHERE instance = ?1 AND config_hash NOT IN (SELECT config_hash
               FROM usage_records WHERE instance = ?1 ORDER BY last_observed DESC, config_hash LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![record.instance_id, USAGE_RECORDS_PER_INSTANCE])?;
    Ok(())
}
