//! Owns what an operator decides about calls that need more memory than is free.

use crate::limits::MEMORY_MB_MAX;
use crate::seconds::Seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which calls begin when memory is short. What a plugin needs stands under `[needs]` in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Scheduler {
    /// What becomes of a call whose plugin needs more memory than is free.
    pub policy: SchedulerPolicy,
    /// How long it waits at most under `queue`, in seconds.
    pub wait_seconds: Seconds,
    /// How much memory the workers of all plugins may use together, in MiB. Without it: what the machine has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MEMORY_MB_MAX))]
    pub memory_mb: Option<u64>,
    /// Whether plugins without a call are ended to make room, the longest unused first. Their next call starts them again.
    pub evict: bool,
}

/// What becomes of a call whose plugin needs more memory than is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchedulerPolicy {
    /// It begins all the same.
    #[default]
    Permissive,
    /// It is refused.
    Safety,
    /// It waits, and is refused when that takes too long.
    Queue,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            policy: SchedulerPolicy::default(),
            wait_seconds: Seconds::whole(300),
            memory_mb: None,
            evict: true,
        }
    }
}
