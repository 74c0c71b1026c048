//! Every bound of the worker protocol, in one place; docs/reference/protocol.md repeats them for people.

/// Longest JSON header. Larger results belong into `bytes`.
pub const FRAME_HEADER_BYTES_MAX: usize = 16 << 20;
/// Longest body: [`BLOBS_MAX`] blobs of [`BLOB_INLINE_BYTES_MAX`].
pub const FRAME_BODY_BYTES_MAX: usize = BLOBS_MAX * BLOB_INLINE_BYTES_MAX;
/// Most blobs in one frame.
pub const BLOBS_MAX: usize = 256;
/// Most descriptors in one frame; the kernel passes at most 253 at once.
pub const BLOB_FDS_MAX: usize = 64;
/// From this size on a memory file is cheaper than the socket.
pub const BLOB_INLINE_BYTES_MAX: usize = 64 << 10;
/// Largest blob: what one read of the kernel returns at most, rounded down to a page less.
pub const BLOB_BYTES_MAX: u64 = (2 << 30) - 4096 - 1;
/// Deepest nesting of a value; `serde_json` itself stops at 128.
pub const NESTING_MAX: usize = 100;
/// Longest log message; longer ones are cut by the worker, and again here.
pub const LOG_LINE_BYTES_MAX: usize = 16 << 10;
/// Stream items a worker may send before the host has taken any.
pub const STREAM_CREDIT: u32 = 64;
/// Calls that one worker holds at once, waiting ones included.
pub const CALLS_IN_FLIGHT_MAX: usize = 1024;
/// Most tools of one plugin.
pub const TOOLS_MAX: usize = 1024;
/// What one read from the socket takes: a memory file is cheaper above it.
pub const READ_BYTES: usize = 64 << 10;
