//! Why a worker ended: from what was intended, what the kernel reported and what was measured.
//!
//! Pure: evidence in, [`ExitReason`] out. Must not guess: "out of memory" needs a counter that moved.

use hardpoint_model::{ExitReason, MemoryEnforcer};
use hardpoint_process::{Status, TreeEnd};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// A worker ends with this code when its socket has closed; we are still here, so it was not we.
const EXIT_HOST_LOST: i32 = 75;

/// Why the host began to end a worker, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Intent {
    Stop,
    Deadline { tool: String, timeout_ms: u64 },
    Cancelled { tool: String },
    MemoryLimit,
    StartupTimeout { timeout_ms: u64, phase: String },
    Violation(String),
}

/// Everything that is known once no process is left.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) intent: Option<Intent>,
    /// `None` when the shim itself was killed.
    pub(crate) status: Option<Status>,
    pub(crate) tree: TreeEnd,
    pub(crate) limit_bytes: Option<u64>,
}

impl Evidence {
    pub(crate) fn reason(self) -> ExitReason {
        // A limit that the kernel enforced outranks whatever the host was about to do.
        if self.limit_was_reached() || self.intent == Some(Intent::MemoryLimit) {
            return self.memory_limit();
        }
        match self.intent {
            Some(Intent::Stop) => self.stopped(),
            Some(Intent::Deadline { tool, timeout_ms }) => ExitReason::Deadline { tool, timeout_ms },
            Some(Intent::Cancelled { tool }) => ExitReason::Cancelled { tool },
            Some(Intent::StartupTimeout { timeout_ms, phase }) => {
                ExitReason::StartupTimeout { timeout_ms, phase }
            }
            Some(Intent::Violation(detail)) => ExitReason::ProtocolViolation { detail },
            Some(Intent::MemoryLimit) | None => self.natural(),
        }
    }

    fn limit_was_reached(&self) -> bool {
        let killed = self.status == Some(Status::Signal(SIGKILL));
        killed && self.tree.memory.oom_kills > 0 && self.tree.memory.limit_hits > 0
    }

    fn memory_limit(&self) -> ExitReason {
        ExitReason::MemoryLimit {
            limit_bytes: self.limit_bytes.unwrap_or(0),
            peak_bytes: self.tree.memory.peak_bytes,
            enforced_by: match self.tree.cgroup_version {
                Some(2) => MemoryEnforcer::CgroupV2,
                Some(_) => MemoryEnforcer::CgroupV1,
                None => MemoryEnforcer::Sampler,
            },
        }
    }

    /// A worker may crash while it stops; then that is the truth.
    fn stopped(&self) -> ExitReason {
        match self.status {
            Some(Status::Code(0) | Status::Signal(SIGTERM | SIGKILL)) => ExitReason::OwnStop,
            Some(Status::Code(_) | Status::Signal(_)) | None => self.natural(),
        }
    }

    fn natural(&self) -> ExitReason {
        match self.status {
            None => ExitReason::ShimLost,
            Some(Status::Code(EXIT_HOST_LOST)) => {
                ExitReason::ProtocolViolation { detail: "its plugin closed the socket".to_owned() }
            }
            Some(Status::Code(code)) => ExitReason::ExitCode { code },
            Some(Status::Signal(SIGKILL)) if self.tree.memory.oom_kills > 0 => ExitReason::OutOfMemory {
                evidence: format!("its control group counts {} oom_kill", self.tree.memory.oom_kills),
            },
            // Without a control group the machine's own counter is the evidence there is.
            Some(Status::Signal(SIGKILL))
                if self.tree.cgroup_version.is_none() && self.tree.oom_kills_on_machine > 0 =>
            {
                ExitReason::OutOfMemory {
                    evidence: format!("the machine counted {} oom_kill", self.tree.oom_kills_on_machine),
                }
            }
            Some(Status::Signal(signal)) => ExitReason::Signal { signal, name: signal_name(signal) },
        }
    }
}

/// For example `SIGSEGV`.
fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 18] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
        (31, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("SIG{signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_process::MemorySample;

    fn check(intent: Option<Intent>, status: Option<Status>, tree: TreeEnd, expected: &str) {
        let evidence = Evidence { intent, status, tree, limit_bytes: Some(64 << 20) };
        assert_eq!(evidence.reason().to_string(), expected);
    }

    fn measured(oom_kills: u64, limit_hits: u64, cgroup_version: Option<u8>) -> TreeEnd {
        let memory = MemorySample { current_bytes: 0, peak_bytes: 63 << 20, oom_kills, limit_hits };
        TreeEnd { memory, cgroup_version, oom_kills_on_machine: oom_kills }
    }

    #[test]
    fn every_way_to_end_has_its_own_true_cause() {
        let none = TreeEnd::default;
        let kill = Some(Status::Signal(SIGKILL));
        let limit = "reached its memory limit of 64 MB (measured 63 MB, enforced by cgroup v2)";
        check(None, Some(Status::Code(42)), none(), "exited with code 42");
        check(None, Some(Status::Signal(11)), none(), "was killed by signal 11 (SIGSEGV)");
        check(None, kill, none(), "was killed by signal 9 (SIGKILL)");
        check(None, None, none(), "ended because its shim was killed from outside");
        check(Some(Intent::Stop), Some(Status::Code(0)), none(), "was stopped by the host");
        check(
            None,
            Some(Status::Code(75)),
            none(),
            "broke the worker protocol: its plugin closed the socket",
        );
        check(Some(Intent::Stop), kill, none(), "was stopped by the host");
        check(Some(Intent::Stop), Some(Status::Code(3)), none(), "exited with code 3");
        check(Some(Intent::Stop), Some(Status::Signal(11)), none(), "was killed by signal 11 (SIGSEGV)");
        check(None, kill, measured(1, 3, Some(2)), limit);
        check(Some(Intent::MemoryLimit), kill, measured(1, 3, Some(2)), limit);
        let deadline = Intent::Deadline { tool: "t".into(), timeout_ms: 1500 };
        check(Some(deadline), kill, none(), "was killed because tool `t` ran past its timeout of 1.5 s");
    }

    #[test]
    fn out_of_memory_is_only_said_when_a_counter_moved() {
        let kill = Some(Status::Signal(SIGKILL));
        let said = "was killed by the kernel because the machine ran out of memory";
        check(None, kill, measured(1, 0, Some(1)), &format!("{said} (its control group counts 1 oom_kill)"));
        check(None, kill, measured(1, 0, None), &format!("{said} (its control group counts 1 oom_kill)"));
        check(None, kill, measured(0, 5, Some(1)), "was killed by signal 9 (SIGKILL)");
        check(None, Some(Status::Signal(11)), measured(1, 0, Some(1)), "was killed by signal 11 (SIGSEGV)");
    }
}
