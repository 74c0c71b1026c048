//! Every bound on foreign files, each with where its number comes from.

/// Bytes of one foreign manifest: a config schema of a thousand fields has 300 KiB.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;

/// MiB that a worker has at least, whatever a foreign manifest says that it needs.
pub(super) const MEMORY_MB_MIN: u64 = 1024;

/// How many times the memory that a foreign manifest names as the least a worker may use.
pub(super) const MEMORY_FACTOR: u64 = 2;

/// Seconds that a foreign plugin may take to be imported: packages of gigabytes are usual among them.
pub(super) const STARTUP_SECONDS: u32 = 120;
