//! Measuring a whole tree without the kernel's help.
//!
//! Resident memory counts shared pages once for every process, so a forking plugin looks larger than it
//! is. Only when that figure is above the limit is the slower, exact one asked for.

use super::MemorySample;
use crate::proc::{Process, tree_of};

/// What the descendants of the shim use.
pub(super) fn sample(shim: Process, limit_bytes: Option<u64>) -> MemorySample {
    let tree = tree_of(shim);
    let resident: u64 = tree.iter().map(|(process, _)| process.resident_bytes()).sum();
    let current_bytes = if limit_bytes.is_some_and(|limit| resident > limit) && tree.len() > 1 {
        tree.iter().map(|(p, _)| p.proportional_bytes().unwrap_or_else(|| p.resident_bytes())).sum()
    } else {
        resident
    };
    MemorySample { current_bytes, peak_bytes: current_bytes, ..MemorySample::default() }
}
