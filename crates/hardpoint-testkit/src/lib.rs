//! What tests share: waiting for conditions, and finding what a test or a dead host left behind.
//!
//! Owns reading the machine (processes, control groups, files), never changing it. Must not know the
//! command line or the server.

mod groups;
mod leftovers;
mod marked;
mod messages;
mod wait;

pub use groups::control_groups;
pub use leftovers::{Leftovers, Watched, left_by_host};
pub use marked::{MarkedProcess, marked_processes, parent_of};
pub use messages::faults_of_messages;
pub use wait::{soon, wait_until};
