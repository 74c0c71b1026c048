//! Every bound of jobs, in one place.

/// Jobs that wait or run, when nothing else is said; more are refused. It is also the most that can be said.
pub const PENDING_MAX: usize = hardpoint_model::limits::JOBS_PENDING_MAX as usize;
/// Bytes of a stage's arguments that are kept in memory while it waits; larger ones are read when it starts.
pub const ARGS_KEPT_BYTES_MAX: usize = 512;
/// Bytes of what a job is given as JSON, binary data not counted: three quarters of what the store takes for one row.
pub const INPUT_BYTES_MAX: usize = 24 << 20;
/// Bytes of a stage's result as JSON. The store keeps it in one row with arguments of 8 MiB and an error, 32 MiB in all.
pub const RESULT_BYTES_MAX: usize = 20 << 20;
/// Bytes of outputs that are kept in memory for the next stage; beyond that they are read from the disk.
pub const OUTPUTS_KEPT_BYTES_MAX: u64 = 512 << 20;
/// Bytes kept up to which binary data that a job was given is kept, too, from its submission on.
pub const GIVEN_KEPT_BYTES_MAX: u64 = OUTPUTS_KEPT_BYTES_MAX / 2;
/// Saved pipelines.
pub const PIPELINES_MAX: usize = 1000;
/// How often it is looked for outputs that are kept no longer.
pub const FORGET_EVERY: std::time::Duration = std::time::Duration::from_mins(1);
/// Jobs whose outputs are let go of between two looks.
pub const FORGET_AT_ONCE: u32 = 100;
/// Items of a stream that are collected into one document.
pub const ITEMS_MAX: usize = 10_000;
/// The same in bytes.
pub const ITEMS_BYTES_MAX: usize = 16 << 20;
/// Jobs started between two looks at other inputs.
pub const STARTS_PER_TURN: usize = 64;
/// Requests that wait for the loop; a full queue refuses.
pub const ASK_QUEUE: usize = 4096;
/// Ends and progress of calls that wait for the loop.
pub const INPUT_QUEUE: usize = 4096;
/// Batches on their way to the disk before no more requests are taken: below the store's own queue.
pub const WRITES_IN_FLIGHT_MAX: usize = 2048;
/// Events that a subscriber may be behind before it reads from the disk.
pub const EVENTS_LIVE: usize = 4096;
/// Events read from the disk at once.
pub const EVENTS_PER_READ: u32 = 500;
/// How often it is looked whether events can be let go.
pub const RETENTION_EVERY: std::time::Duration = std::time::Duration::from_secs(2);
/// How often retries, forced cancellations and a disk that refused are looked at.
pub const TICK: std::time::Duration = std::time::Duration::from_millis(50);
/// Progress of one job is told at most this often.
pub const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_millis(100);
