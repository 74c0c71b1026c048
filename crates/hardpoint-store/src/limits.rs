//! Every bound of the store, in one place.

use std::time::Duration;

/// Commits that wait for the writer; a full queue refuses.
pub const COMMIT_QUEUE: usize = 4096;
/// Commits of one transaction: what a burst of clients sends while one fsync takes place.
pub const GROUP_MAX: usize = 512;
/// Configurations of one instance for which it is remembered what calls used: the last ones.
pub const USAGE_RECORDS_PER_INSTANCE: u32 = 100;
/// Connections for readers: more readers wait for one of them.
pub const READERS: usize = 4;
/// The last runs of a pipeline that are looked at for how long its stages take.
pub const RUNS_MEASURED: u32 = 200;
/// Rows of one page.
pub const PAGE_MAX: u32 = 1000;
/// Events of a job among which its last progress is looked for: minutes of a job that is measured each second.
pub const PROGRESS_LOOK_BACK: u32 = 500;
/// Events let go in one transaction: a few milliseconds of the writer's time.
pub const PRUNED_AT_ONCE: usize = 500;
/// Events looked at by one search for those that can go: some ten milliseconds of a reader's time.
pub const LOOKED_AT_ONCE: u32 = 10_000;
/// Bytes of the events of one page, their texts alone; one event is read whatever it has.
pub const EVENTS_BYTES_MAX: usize = 1 << 20;
/// How long another process may hold the file before it is an error.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of one value: a text of arguments or a result.
pub const VALUE_BYTES_MAX: i32 = 32 << 20;
/// The oldest SQLite without the fault that can damage a write-ahead log while it is reset.
pub const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a store that is closed waits for those who still read.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
