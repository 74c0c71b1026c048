//! What the values of the configuration mean for the engine, for its jobs and for the server.

use hardpoint_engine::jobs::{EventsKept, JobSettings, OutputsKept};
use hardpoint_engine::logs::LogSettings;
use hardpoint_engine::{PluginSettings, SchedulerSettings, Settings};
use hardpoint_model::Config;
use hardpoint_model::config::PluginConfig;
use hardpoint_model::plugin_config::UnknownKeys;
use hardpoint_server::ServerSettings;
use std::path::Path;
use std::time::Duration;

/// What the engine is to do.
pub(crate) fn engine_settings(config: &Config) -> Settings {
    let plugins = config.plugins.iter().map(|(name, own)| {
        let restart = (!own.restart.is_empty()).then(|| own.restart.over(&config.restart));
        let PluginConfig { enabled, fail_on, traceback_policy, strict_config, .. } = *own;
        let unknown_keys = match strict_config {
            Some(false) => UnknownKeys::Ignore,
            Some(true) | None => UnknownKeys::Refuse,
        };
        (name.clone(), PluginSettings { enabled, restart, fail_on, traceback_policy, unknown_keys })
    });
    Settings {
        restart: config.restart.clone(),
        fail_on: config.fail_on,
        traceback_policy: config.traceback_policy,
        ping_every: config.health.ping_seconds.as_duration(),
        unresponsive_after: config.health.unresponsive_seconds.as_duration(),
        stuck_after: config.health.stuck_seconds.as_duration(),
        kill_idle_after: config.health.kill_idle_seconds.as_duration(),
        starts_at_once: usize::try_from(config.load.starts_at_once).unwrap_or(usize::MAX),
        stop_grace: config.stop.grace_seconds.as_duration(),
        logs: LogSettings {
            dir: None,
            file_bytes: u64::from(config.logs.file_mb) << 20,
            files: config.logs.files,
        },
        record_usage: config.usage.record,
        drift_detection: config.drift_detection,
        scheduler: SchedulerSettings {
            policy: config.scheduler.policy,
            wait: config.scheduler.wait_seconds.as_duration(),
            memory_bytes: config.scheduler.memory_mb.map(|mb| mb << 20),
            evicts: config.scheduler.evict,
        },
        plugins: plugins.collect(),
    }
}

/// How jobs are treated.
pub(crate) fn job_settings(config: &Config) -> JobSettings {
    let jobs = &config.jobs;
    JobSettings {
        running_max: usize::try_from(jobs.running_max).unwrap_or(usize::MAX),
        pending_max: usize::try_from(jobs.pending_max).unwrap_or(usize::MAX),
        retries_max: jobs.retries_max,
        retry_wait_max: jobs.retry_wait_max_seconds.as_duration(),
        attempts_max: jobs.attempts_max,
        on_host_loss: jobs.on_host_loss,
        cancel_grace: jobs.cancel_grace_seconds.as_duration(),
        snapshot_every: Duration::try_from_secs_f64(jobs.snapshot_seconds).unwrap_or_default(),
        outputs: OutputsKept {
            age_max: Duration::from_hours(u64::from(jobs.keep_outputs_days) * 24),
            bytes_max: jobs.keep_outputs_mb << 20,
        },
        events: EventsKept {
            count_max: u64::from(config.events.max_count),
            age_max: Duration::from_hours(24 * u64::from(config.events.max_age_days)),
        },
        ..JobSettings::default()
    }
}

/// What the server is to do.
pub(crate) fn server_settings(config: &Config, data_dir: &Path) -> ServerSettings {
    ServerSettings {
        data_dir: data_dir.to_owned(),
        allowed_hosts: config.http.allowed_hosts.clone(),
        allowed_origins: config.http.allowed_origins.clone(),
        body_bytes_max: usize::try_from(config.http.body_mb_max).unwrap_or(usize::MAX) << 20,
        requests_per_second: config.http.requests_per_second,
        drain: config.stop.drain_seconds.as_duration(),
        ..ServerSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::TracebackPolicy;
    use hardpoint_model::config::{ConfigFile, Sources, load};
    use hardpoint_model::document::Format;
    use hardpoint_model::restart::{FailOn, RestartPolicy};

    #[test]
    fn without_a_configuration_engine_jobs_and_server_have_their_own_defaults() {
        let config = Config::default();
        assert_eq!(format!("{:?}", engine_settings(&config)), format!("{:?}", Settings::default()));
        assert_eq!(format!("{:?}", job_settings(&config)), format!("{:?}", JobSettings::default()));
        let server = server_settings(&config, Path::new(""));
        assert_eq!(format!("{server:?}"), format!("{:?}", ServerSettings::default()));
    }

    #[test]
    fn what_a_plugin_does_not_say_is_as_for_all() {
        let text = "{\"restart\": {\"attempts_max\": 2}, \"traceback_policy\": \"none\", \
                    \"plugins\": {\"a\": {\"fail_on\": \"any\", \"traceback_policy\": \"repr_only\"}, \
                    \"b\": {\"enabled\": false, \"restart\": {\"policy\": \"always\"}}}}";
        let file = ConfigFile { name: "f", text, format: Format::Json, folder: Path::new("/") };
        let config = load(&Sources { file: Some(file), ..Sources::default() }).unwrap().config;
        let settings = engine_settings(&config);
        let (a, b) = (&settings.plugins["a"], &settings.plugins["b"]);
        assert_eq!((a.enabled, a.restart.as_ref(), a.fail_on), (None, None, Some(FailOn::Any)));
        let policies = (settings.traceback_policy, a.traceback_policy, b.traceback_policy);
        assert_eq!(policies, (TracebackPolicy::None, Some(TracebackPolicy::ReprOnly), None));
        let restart = b.restart.as_ref().unwrap();
        assert_eq!(
            (b.enabled, restart.policy, restart.attempts_max),
            (Some(false), RestartPolicy::Always, 2)
        );
    }
}
