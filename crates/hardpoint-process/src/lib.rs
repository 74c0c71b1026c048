//! Starts, limits, signals and reaps process trees.
//!
//! Owns every `fork`, `exec`, signal and `wait` of the project. Must not know plugins, the worker
//! protocol or Python: a tree is a program, its arguments and its bounds.
//!
//! ```text
//!   host ── control socket (stdin) ──> shim ── fork, exec ──> program ──> its descendants
//!     │                                 │ new session, parent-death signal, control group,
//!     │<── started, exited, gone ───────┘ fd 3, nothing else inherited
//! ```
//!
//! The shim is this same binary, executed again. It is the subreaper of its tree: whatever a program
//! forks, doubly or into new sessions, becomes the shim's child when its parent ends, so the shim can
//! end all of it, and *knows* that it did when the kernel says that it has no child left. When the host
//! goes away, by any death, its end of the control socket closes and the shim ends the tree.

mod control;
mod launch;
pub mod limits;
mod living;
mod machine;
mod memory;
mod orphans;
mod owner;
mod privacy;
mod proc;
mod scratch;
mod shim;
mod tree;
mod usage;

pub use control::{Signal, Status};
pub use launch::{LaunchError, LaunchSpec, Launcher};
pub use machine::MachineMemory;
pub use memory::{MemoryMode, MemorySample, MemoryWatch};
pub use privacy::close_off;
pub use proc::{Process, tree_of};
pub use scratch::HostFolder;
pub use shim::{SHIM_ARGUMENT, shim_main};
pub use tree::{Tree, TreeEnd, TreeEvent};
pub use usage::TreeUsage;
