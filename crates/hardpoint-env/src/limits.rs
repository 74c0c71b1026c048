//! Owns every bound of this crate, each with the sum behind it.

use std::time::Duration;

/// Time for an interpreter to say what it is: 30 ms on an idle machine, seconds on a cold network disk.
pub(crate) const INTERPRETER_ANSWER: Duration = Duration::from_secs(15);

/// Interpreters asked in one search: 8 names in 4 folders of `PATH`.
pub(crate) const INTERPRETERS_MAX: usize = 32;

/// Time without a line of output or a growing file after which an installer counts as stuck.
pub(crate) const INSTALL_IDLE: Duration = Duration::from_mins(10);

/// How often growth is looked at while an installer is silent.
pub(crate) const INSTALL_LOOK: Duration = Duration::from_secs(5);

/// Files counted to see growth: `torch` with CUDA installs about 20,000.
pub(crate) const GROWTH_FILES_MAX: usize = 100_000;

/// Bytes of one line of output that are kept.
pub(crate) const LINE_BYTES_MAX: usize = 8 * 1024;

/// Lines of an installer's output that an error carries.
pub(crate) const TAIL_LINES_MAX: usize = 30;

/// Lines that wait to be told on; more make the installer wait.
pub(crate) const LINE_QUEUE: usize = 64;

/// Time to read what is left in the pipes once every process of a program is gone.
pub(crate) const PIPE_DRAIN: Duration = Duration::from_secs(1);

/// How often a held lock is tried again.
pub(crate) const LOCK_RETRY: Duration = Duration::from_millis(100);

/// How long another process may hold a lock: an installation that makes progress may take that long.
pub(crate) const LOCK_WAIT_MAX: Duration = Duration::from_hours(2);

/// Bytes of a marker file; a longer one is not ours.
pub(crate) const MARKER_BYTES_MAX: u64 = 64 * 1024;

/// Hexadecimal digits of an environment's key: 96 bits. Short, because scripts name their path in
/// their first line, which some kernels cut at 127 bytes.
pub(crate) const KEY_DIGITS: usize = 24;

/// Bytes of requirements: a lock file with hashes for 500 packages is about 600 KiB.
pub const REQUIREMENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Characters of an interpreter's last words in a message.
pub(crate) const REASON_CHARS_MAX: usize = 120;
