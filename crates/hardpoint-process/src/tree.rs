//! A running tree, held by its host: signal it, measure it, hear of its end.
//!
//! Owns the host's end of the control socket and the shim's handle. Dropping a tree ends it: the socket
//! closes, and the shim kills what is left.

use crate::control::{HostLine, Lines, ShimLine, Signal, Status, line};
use crate::launch::read_line;
use crate::limits::{KILL_REPORT_TIMEOUT, START_TIME_STEP, SWEEP_PAUSE};
use crate::living::Alive;
use crate::memory::{Group, MemorySample, MemoryWatch};
use crate::orphans::Orphans;
use crate::owner::Owner;
use crate::proc::{self, Process};
use rustix::net::Shutdown;
use rustix::process::{Pid, Signal as Unix};
use std::io::{self, PipeReader};
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;

/// One program and everything it starts.
#[derive(Debug)]
pub struct Tree {
    program: u32,
    control: UnixStream,
    lines: Lines,
    memory: MemoryWatch,
    output: Option<(PipeReader, PipeReader)>,
    remains: Option<Remains>,
    /// Whether the last process is known to be gone.
    gone: bool,
}

/// What a tree tells its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeEvent {
    /// The program ended; whatever it left behind is being killed.
    Exited(Status),
    /// No process is left.
    Gone {
        /// How many descendants outlived the program and were killed.
        descendants_killed: u32,
    },
    /// The shim itself was killed from outside.
    Lost,
}

/// What is known once everything is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeEnd {
    /// The last measurement.
    pub memory: MemorySample,
    /// Whether the kernel enforced the memory limit, and by which version of control groups (1 or 2).
    pub cgroup_version: Option<u8>,
    /// How many processes the out-of-memory killer ended on the whole machine during this tree's life.
    pub oom_kills_on_machine: u64,
}

impl Tree {
    pub(crate) fn new(
        program: u32,
        (control, lines): (UnixStream, Lines),
        memory: MemoryWatch,
        output: (PipeReader, PipeReader),
        remains: Option<Remains>,
    ) -> Self {
        Self { program, control, lines, memory, output: Some(output), remains, gone: false }
    }

    /// The program's process number, for people. Never signal it: see [`Tree::signal`].
    pub fn pid(&self) -> u32 {
        self.program
    }

    /// The shim's process number, for people and tests.
    pub fn shim_pid(&self) -> Option<u32> {
        self.remains.as_ref().map(|remains| remains.shim.id())
    }

    /// Reading ends of stdout and stderr; `None` when taken before.
    pub fn take_output(&mut self) -> Option<(PipeReader, PipeReader)> {
        self.output.take()
    }

    /// Signals every process of the tree. Does not wait.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // A shim that somebody stopped would never hear it. It is our child and unreaped, so its number is its own.
        if let Some(shim) = self.remains.as_ref().map(|remains| Pid::from_child(&remains.shim)) {
            let _ = rustix::process::kill_process(shim, Unix::CONT);
        }
        // A few bytes on a socket whose reader does nothing but read: they always fit.
        self.control.try_write(&line(&HostLine::Signal(signal))?).map(drop)
    }

    /// Kills what was started in the tree within this time. The program itself goes on.
    pub fn kill_started(&self, within: Duration) {
        let Some(shim) = self.shim_pid().map(Process) else { return };
        let young = |process: Process| process.age() <= within + START_TIME_STEP;
        // Below the shim is also what has detached itself from the program.
        for (process, parent) in proc::tree_of(shim) {
            if process.0 != self.program && young(process) {
                process.signal_as_child_of(parent, Unix::KILL);
            }
        }
    }

    /// What the tree tells next. Safe to drop half-way.
    pub async fn next_event(&mut self) -> TreeEvent {
        let event = match read_line(&self.control, &mut self.lines).await {
            Ok(ShimLine::Exited(status)) => TreeEvent::Exited(status),
            Ok(ShimLine::Gone { descendants_killed }) => TreeEvent::Gone { descendants_killed },
            Ok(ShimLine::Started { .. } | ShimLine::Failed { .. }) | Err(_) => TreeEvent::Lost,
        };
        self.gone |= !matches!(event, TreeEvent::Exited(_));
        event
    }

    /// The limit of memory for the whole tree.
    pub fn memory(&mut self) -> &mut MemoryWatch {
        &mut self.memory
    }

    /// Ends what is left, waits until it is gone, and tells what is known. Bounded in time.
    pub async fn end(mut self) -> TreeEnd {
        if !self.gone {
            let _ = self.signal(Signal::Kill);
            let gone = async {
                while !matches!(self.next_event().await, TreeEvent::Gone { .. } | TreeEvent::Lost) {}
            };
            let _ = tokio::time::timeout(KILL_REPORT_TIMEOUT, gone).await;
        }
        let memory = self.memory.sample();
        let cgroup_version =
            self.memory.is_enforced_by_kernel().then(|| if self.memory.is_v2() { 2 } else { 1 });
        let oom_kills_on_machine = self.memory.oom_kills_on_machine_since_start();
        // Nothing more is asked: the shim clears away what was made for the tree, and ends.
        let _ = rustix::net::shutdown(&self.control, Shutdown::Both);
        if let Some(remains) = self.remains.take() {
            let _ = tokio::task::spawn_blocking(move || remains.clear()).await;
        }
        TreeEnd { memory, cgroup_version, oom_kills_on_machine }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let Some(remains) = self.remains.take() else { return };
        // Whoever dropped the tree does not wait for its end, but the shim still has to be reaped.
        let _ = self.signal(Signal::Kill);
        remains.clear_apart();
    }
}

/// What has to be cleared away after a tree.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) tree: String,
    pub(crate) shim: Child,
    pub(crate) scratch: PathBuf,
    pub(crate) group: Option<Group>,
    pub(crate) owner: Arc<Owner>,
    pub(crate) alive: Alive,
}

impl Remains {
    /// Blocks, for a bounded time. A shim that ended well has cleared everything itself.
    fn clear(mut self) {
        if !self.shim_ends_well() {
            let _ = self.shim.kill();
            let _ = self.shim.wait();
            let mut orphans = Orphans::default();
            orphans.add(self.tree, self.group.clone());
            orphans.end();
            let _ = std::fs::remove_dir_all(&self.scratch);
            if let Some(group) = &self.group {
                group.remove();
            }
        }
        drop(self.owner);
        drop(self.alive);
    }

    /// The same on a thread of its own, for whoever cannot wait.
    pub(crate) fn clear_apart(self) {
        let _ = thread::Builder::new().name("reap".to_owned()).spawn(move || self.clear());
    }

    fn shim_ends_well(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < KILL_REPORT_TIMEOUT {
            match self.shim.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => thread::sleep(SWEEP_PAUSE),
                Err(_) => return false,
            }
        }
        false
    }
}
