//! Every bound of the engine, in one place.

use std::time::Duration;

/// Commands that wait for the loop; a full queue refuses.
pub const COMMAND_QUEUE: usize = 1024;
/// Inputs (starts, ends, failed calls) that wait for the loop: every plugin may have a few at once.
pub const INPUT_QUEUE: usize = 4096;
/// Plugins of one host: a thousand workers are more than any machine has been seen to carry.
pub const PLUGINS_MAX: usize = 1024;
/// Calls of one plugin that run or wait; more are refused as busy.
pub const CALLS_PER_PLUGIN_MAX: u32 = 256;
/// Changes of the configuration of one plugin that wait for another; more are refused.
pub const CONFIG_CHANGES_WAITING_MAX: usize = 64;
/// Calls whose duration is kept for the mean and the 95th percentile.
pub const DURATIONS_KEPT: usize = 128;
/// Ended incarnations kept per plugin.
pub const HISTORY_MAX: usize = 16;
/// Longest reason that is shown; the rest is in the log.
pub const REASON_BYTES_MAX: usize = 2048;
/// How often restarts that are due are looked at.
pub const TICK: Duration = Duration::from_millis(50);
/// How long a worker that is stopped for a restart, an unload or a failure may finish its calls.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
/// Memory of a probe and everything it starts: importing torch takes 1 to 3 GiB of address space touched.
pub const PROBE_MEMORY_BYTES_MAX: u64 = 8 << 30;
/// How long the end of a host waits for its logs to be on disk.
pub const LOGS_PATIENCE: Duration = Duration::from_secs(1);
/// How often a plugin is looked at that somebody waits for.
pub const SETTLE_LOOK: Duration = Duration::from_millis(10);
