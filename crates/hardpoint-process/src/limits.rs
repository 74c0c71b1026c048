//! Every bound of process handling, in one place.

use std::time::Duration;

/// Launches that wait for the spawner thread.
pub const LAUNCH_QUEUE: usize = 64;
/// Time from asking for a tree to its `started` line: two `exec`s, on a loaded machine.
pub const LAUNCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest line on the control socket: arguments and environment of one program.
pub const CONTROL_LINE_BYTES_MAX: usize = 1 << 20;
/// Pause between two sweeps of a tree that is being killed.
pub const SWEEP_PAUSE: Duration = Duration::from_millis(1);
/// After a SIGKILL to the whole tree the shim reports its end within this, or the host ends the shim.
pub const KILL_REPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the removal of an emptied control group is tried: the kernel uncharges it asynchronously.
pub const CGROUP_REMOVE_TIMEOUT: Duration = Duration::from_secs(2);
/// What a program left behind may end by itself for this long before it is killed: Python's resource
/// tracker uses it to remove shared memory that its parent can no longer remove.
pub const LEFTOVERS_GRACE: Duration = Duration::from_millis(200);
/// How exactly the kernel tells when a process was started.
pub const START_TIME_STEP: Duration = Duration::from_millis(20);
