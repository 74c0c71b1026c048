//! What an operator decides about logs.
//!
//! Plain data, filled in from the configuration; owns nothing at run time.

use super::limits::{FILE_BYTES, FILES};
use std::path::PathBuf;

/// How logs are kept.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Where. `None`: in memory alone.
    pub dir: Option<PathBuf>,
    /// Size of one file.
    pub file_bytes: u64,
    /// Files of one instance; with the next one the oldest goes.
    pub files: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { dir: None, file_bytes: FILE_BYTES, files: FILES }
    }
}
