//! Every bound of the probes, in one place, each with where its number comes from.

use std::time::Duration;

/// Time for NVML, and again for `nvidia-smi`: both answer within 1 s unless the driver hangs.
pub(crate) const DRIVER_LIMIT: Duration = Duration::from_secs(5);
/// How long one answer of the driver serves everybody: twenty plugins that start together ask once. Longer
/// than both limits of a driver that hangs, so that its hang is waited for once.
pub(crate) const DRIVER_KEPT: Duration = Duration::from_secs(15);
/// How old figures of the driver may be for whoever counts what is free.
pub(crate) const FIGURES_KEPT: Duration = Duration::from_millis(500);
/// Devices of one machine that are listed.
pub(crate) const DEVICES_MAX: u32 = 64;
/// Time to import torch and to ask it: 2 s from a warm disk, half a minute from a cold network disk.
pub(crate) const TORCH_LIMIT: Duration = Duration::from_mins(1);
/// Time to look for packages: 0.1 s for a hundred of them, seconds on a cold network disk.
pub(crate) const PACKAGES_LIMIT: Duration = Duration::from_secs(15);
/// Time to list the plugins that an environment holds: metadata is read, nothing is imported.
pub(crate) const INSTALLED_LIMIT: Duration = Duration::from_secs(30);
/// Time to describe one of them, which imports it and makes its object: as long as a slow start may take.
pub(crate) const DESCRIBED_LIMIT: Duration = Duration::from_mins(2);
/// The longest that `HARDPOINT_PROBE_SECONDS` may make both.
pub(crate) const ASKING_LIMIT_MAX: Duration = Duration::from_hours(1);
/// Read of a lock file to see whether it names torch; one of 500 packages with hashes has 600 KiB.
pub(crate) const LOCK_BYTES_MAX: usize = 4 << 20;
/// Kept of what a probe's process prints: the end, where its answer stands. 256 packages are 64 KiB.
pub(crate) const OUTPUT_BYTES_MAX: usize = 512 * 1024;
/// Kept of what a probe's process writes to stderr: its last words.
pub(crate) const STDERR_BYTES_MAX: usize = 4 * 1024;
/// Longest quote of somebody else's words in a reason.
pub(crate) const QUOTE_CHARS_MAX: usize = 200;
/// How often the memory of a probe is measured where the kernel does not enforce its limit.
pub(crate) const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// Time to read what is left in the pipes once every process of a probe is gone.
pub(crate) const PIPE_DRAIN: Duration = Duration::from_secs(1);

/// Time for one model file to be opened and its first bytes to be read; a network disk that wakes up takes 5 s.
pub(crate) const MODEL_LIMIT: Duration = Duration::from_secs(15);
/// Looks at files that go on at once in this process, those included that hang and were given up.
pub(crate) const LOOKS_MAX: usize = 32;
/// First bytes of a model that are read: enough for every header but the one of safetensors.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// The header of a safetensors file is read up to this size: one of 1,000 tensors has 100 KiB.
pub(crate) const SAFETENSORS_HEADER_BYTES_MAX: u64 = 4 << 20;
/// A zip's end record has 22 bytes and a comment of up to 64 KiB.
pub(crate) const TAIL_BYTES: usize = 22 + 65_535;
/// A text of at most this size where a binary file is expected counts as a placeholder.
pub(crate) const PLACEHOLDER_BYTES_MAX: u64 = 4 * 1024;
/// A checksum is given up when not one more piece of the file was read for this long.
pub(crate) const DIGEST_STALL: Duration = Duration::from_secs(30);
/// A checksum is given up after this long in any case: 500 GB at 300 MB/s.
pub(crate) const DIGEST_LIMIT: Duration = Duration::from_mins(30);
/// Checksums that are computed at once in this process: each keeps one core busy.
pub(crate) const DIGESTS_MAX: usize = 2;
/// Checksums that are remembered until their file changes.
pub(crate) const DIGESTS_KEPT: usize = 1024;

/// Time for a look at one folder or disk; a network disk that is gone never answers.
pub(crate) const DISK_LIMIT: Duration = Duration::from_secs(5);
/// Time for a program to say its version.
pub(crate) const VERSION_LIMIT: Duration = Duration::from_secs(5);
/// Processes of one GPU that are told of.
pub(super) const PROCESSES_MAX: usize = 1024;
