//! Why a worker's life ended: the [`ExitReason`] and the [`Exit`] record around it.
//!
//! Owns the words and their JSON. How a reason is found is the supervisor's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who enforces a worker's memory limit on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryEnforcer {
    /// The kernel, through a control group of version 2.
    CgroupV2,
    /// The kernel, through the memory controller of version 1.
    CgroupV1,
    /// The host, which measures the whole process tree and kills it.
    Sampler,
}

impl std::fmt::Display for MemoryEnforcer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::Sampler => "sampler",
        })
    }
}

/// The one true cause of a worker's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExitReason {
    /// It ended by itself with this code.
    ExitCode {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it that this host did not send.
    Signal {
        /// The signal's number.
        signal: i32,
        /// The signal's name, for example `SIGSEGV`.
        name: String,
    },
    /// The kernel's out-of-memory killer ended it although its own limit was not reached.
    OutOfMemory {
        /// What shows that it was the kernel.
        evidence: String,
    },
    /// Its process tree reached the plugin's memory limit.
    MemoryLimit {
        /// The limit.
        limit_bytes: u64,
        /// The most that was measured.
        peak_bytes: u64,
        /// Who enforced it.
        enforced_by: MemoryEnforcer,
    },
    /// A call passed its deadline and did not react to being asked.
    Deadline {
        /// The tool that ran too long.
        tool: String,
        /// Its timeout.
        timeout_ms: u64,
    },
    /// A cancelled call did not react to being asked.
    Cancelled {
        /// The tool that did not stop.
        tool: String,
    },
    /// It was not ready within the start-up time.
    StartupTimeout {
        /// The start-up time allowed.
        timeout_ms: u64,
        /// What it was doing: `importing`, `initializing`, `validating`.
        phase: String,
    },
    /// It broke the worker protocol.
    ProtocolViolation {
        /// What it did.
        detail: String,
    },
    /// The host asked it to stop.
    OwnStop,
    /// Its host went away.
    HostLost,
    /// The shim that guards it was ended by somebody else, and the worker with it.
    ShimLost,
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ExitCode { code } => write!(f, "exited with code {code}"),
            Self::Signal { signal, name } => write!(f, "was killed by signal {signal} ({name})"),
            Self::OutOfMemory { evidence } => {
                write!(f, "was killed by the kernel because the machine ran out of memory ({evidence})")
            }
            Self::MemoryLimit { limit_bytes, peak_bytes, enforced_by } => write!(
                f,
                "reached its memory limit of {} MB (measured {} MB, enforced by {enforced_by})",
                limit_bytes >> 20,
                peak_bytes >> 20
            ),
            Self::Deadline { tool, timeout_ms } => {
                write!(
                    f,
                    "was killed because tool `{tool}` ran past its timeout of {} s",
                    seconds(*timeout_ms)
                )
            }
            Self::Cancelled { tool } => {
                write!(f, "was killed because tool `{tool}` was cancelled and did not stop")
            }
            Self::StartupTimeout { timeout_ms, phase } => {
                write!(f, "was still {phase} after its start-up time of {} s", seconds(*timeout_ms))
            }
            Self::ProtocolViolation { detail } => write!(f, "broke the worker protocol: {detail}"),
            Self::OwnStop => f.write_str("was stopped by the host"),
            Self::HostLost => f.write_str("ended because its host went away"),
            Self::ShimLost => f.write_str("ended because its shim was killed from outside"),
        }
    }
}

/// Everything that is known about a worker's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The cause.
    pub reason: ExitReason,
    /// The last lines that it wrote to stderr, oldest first.
    pub stderr_tail: Vec<String>,
    /// How many of its descendants were still alive when it ended, and were killed.
    pub descendants_killed: u32,
    /// Its output pipe was still open after every process was gone: somebody outside its tree holds it.
    pub output_leaked: bool,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.reason.fmt(f)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a timeout in milliseconds is far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
