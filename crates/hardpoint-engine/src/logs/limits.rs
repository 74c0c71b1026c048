//! Every bound of logs, in one place.

use std::time::Duration;

/// Size of one file when nobody says how large.
pub const FILE_BYTES: u64 = 8 << 20;
/// Files of one instance when nobody says how many.
pub const FILES: u32 = 5;
/// Instances whose files are kept: as many as a host has at once. Of more, those that were silent longest go.
pub const INSTANCES_MAX: usize = crate::limits::PLUGINS_MAX;
/// Instances that are gone whose last lines stay in memory.
pub const GONE_MAX: usize = 16;
/// Bytes that are written at once.
pub const WRITE_BYTES: usize = 256 << 10;
/// After each look for lines to write; so much of what was said may be lost when the host is killed.
pub const WRITE_PAUSE: Duration = Duration::from_millis(2);
/// How long after a failure the disk is tried again.
pub const RETRY: Duration = Duration::from_secs(2);
/// Most lines that are read from disk at once.
pub const PAGE_LINES: usize = 500;
/// Bytes that are looked through at once.
pub const PAGE_BYTES: usize = 4 << 20;
/// Most lines of one answer.
pub const LAST_LINES_MAX: usize = 10_000;
/// Text of the lines of one answer.
pub const LAST_BYTES_MAX: usize = 16 << 20;
/// Files that are read at once, over all callers.
pub const READS_AT_ONCE: usize = 4;
/// The end of a file that is looked through for its last line: some longest lines.
pub const END_BYTES: u64 = 512 << 10;
/// How long it is waited for that lines are on disk.
pub const WRITTEN_PATIENCE: Duration = Duration::from_millis(500);
