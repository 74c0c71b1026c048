//! Closing a process to the others of its user: hosts and shims hold what plugins must not see.
//!
//! Plugins run as the user that the host runs as, and the kernel lets processes of one user read each other's memory and
//! environment. It does not when one is not dumpable; it then writes no core file of it either. That ends with the next
//! `exec`, so whatever is started says it anew for itself. `stat`, `statm`, `status`, `cmdline` and `children` of it can
//! still be read, and it can still be signalled: measuring and ending need no more.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::io;

/// From now on no process without the right to trace everybody reads the memory or environment of this one.
pub fn close_off() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
