//! Every bound of the secrets, in one place.

use std::time::Duration;

/// Bytes of one value. A private key with its chain is a tenth of it; one variable of a process may be 128 KiB.
pub const VALUE_BYTES_MAX: usize = 32 << 10;
/// Secrets of one plugin in one scope.
pub const PER_PLUGIN_MAX: usize = 256;
/// Bytes of all names and values of one plugin: they go into the environment of every program that it starts, which may
/// have 2 MiB with its arguments.
pub const PLUGIN_BYTES_MAX: usize = 256 << 10;
/// Bytes of the file: base64 of 64 plugins that have as much as they may.
pub const FILE_BYTES_MAX: usize = 24 << 20;
/// Characters of the name of a scope.
pub const SCOPE_CHARS_MAX: usize = 64;
/// Bytes of the file of the key: 43 characters and the end of the line.
pub const KEY_FILE_BYTES_MAX: usize = 256;
/// How long a change waits for others, each of which takes milliseconds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it looks whether it is its turn.
pub const LOCK_LOOK: Duration = Duration::from_millis(2);
