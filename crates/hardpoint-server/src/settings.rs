//! What an operator decides about the doors.
//!
//! Plain data, filled in from the configuration; owns nothing at run time.

use std::path::PathBuf;
use std::time::Duration;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Folder with `token` and `tokens.json`.
    pub data_dir: PathBuf,
    /// Host names, besides those of the loopback interface and the address bound, that a request may name.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages, besides the server's own, whose scripts may call.
    pub allowed_origins: Vec<String>,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Requests of one token in a second, on average; bursts of twice as many are let through. `None`: no limit.
    pub requests_per_second: Option<u32>,
    /// How long requests in flight, streams included, may take to end once the server is to stop.
    pub drain: Duration,
    /// How long a verb such as `restart` waits by default until the plugin has settled.
    pub settle_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            body_bytes_max: 64 << 20,
            requests_per_second: None,
            drain: Duration::from_secs(20),
            settle_timeout: Duration::from_mins(1),
        }
    }
}
