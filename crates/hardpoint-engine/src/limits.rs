//! Every bound of the engine, in one place.

use std::time::Duration;

/// Commands that wait for the loop; a full queue refuses.
pub const COMMAND_QUEUE: usize = 1024;
/// Inputs (starts, ends, failed calls) that wait for the loop: every plugin may have a few at once.
pub const INPUT_QUEUE: usize = 4096;
/// Plugins of one host: a thousand workers are more than any machine has been seen to carry.
pub const PLUGINS_MAX: usize = 1024;
/// Instances of one plugin besides the default one: as many workers with their own models are more than a machine has
/// memory for.
pub const INSTANCES_PER_PLUGIN_MAX: usize = 64;
/// Ids that are made up for an instance before it is given up: of 16 million the first is hardly ever taken.
pub const INSTANCE_ID_TRIES: usize = 16;
/// Instances that are gone whose incarnations are remembered.
pub const INSTANCES_REMEMBERED_MAX: usize = 1024;
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
/// Wishes that wait for the scheduler: as many as may be at work at once, and more; a full queue refuses.
pub const SCHEDULER_QUEUE: usize = 1024;
/// How often it is looked whether a call that waits for memory can begin; it is, too, whenever another one ends.
pub const SCHEDULER_LOOK: Duration = Duration::from_secs(2);
/// Plugins that are ended at most so that one call can begin.
pub const EVICTIONS_MAX: usize = 64;
/// How long the scheduler waits at most for a worker that was asked to end: its grace, and the time to kill it.
pub const EVICT_PATIENCE: Duration = Duration::from_secs(15);
/// How often a call that waits for memory, or for its plugin to be back, looks whether the plugin is still to be called.
pub const WAITER_LOOK: Duration = Duration::from_millis(100);
/// How long a retry waits at most for the fresh worker of its plugin.
pub const RENEW_PATIENCE: Duration = Duration::from_mins(2);
/// How often a call that finds its plugin ended to make room starts it again, before it gives up.
pub const WAKES_MAX: usize = 3;
/// Calls that ended and wait for the next look at their worker; of more it is counted that they were not recorded.
pub const USAGE_QUEUE: usize = 4096;
/// How often it is looked at what workers use while calls run: a tenth of a millisecond of work each time.
pub const USAGE_LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the GPU's driver is asked meanwhile, by a process of its own.
pub const USAGE_GPU_EVERY: Duration = Duration::from_secs(4);
/// How often what was measured is written; a host that is killed loses as much.
pub const USAGE_WRITE_EVERY: Duration = Duration::from_secs(5);
/// Looks at one worker that are kept while a call runs; of a longer one they are put together.
pub const USAGE_MOMENTS_KEPT: usize = 64;
/// How often a plugin is looked at that somebody waits for.
pub const SETTLE_LOOK: Duration = Duration::from_millis(10);
