//! Processes that may open nothing more, for as long as a test wants it.
//!
//! Owns the limit of their descriptors and gives it back. What they hold already stays and works.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The three that every process of ours holds from its first moment on: no number below this is ever free. Not
/// less, because a process may not even wait for more descriptors at once than it may have.
const HELD: u64 = 3;

/// A process without a free descriptor. Dropping this gives it back what it could have.
pub(crate) struct Closed {
    process: Pid,
    before: Rlimit,
}

impl Closed {
    /// Whatever this process opens from now on fails: a file, a socket, a connection, a memory file.
    pub(crate) fn to_new_descriptors(pid: u64) -> Self {
        let process = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        let before = rustix::process::getrlimit(Resource::Nofile);
        let limit = |current| Rlimit { current, maximum: before.maximum };
        let old = prlimit(Some(process), Resource::Nofile, limit(Some(HELD))).unwrap();
        Self { process, before: Rlimit { current: old.current, maximum: old.maximum } }
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = prlimit(Some(self.process), Resource::Nofile, self.before);
    }
}
