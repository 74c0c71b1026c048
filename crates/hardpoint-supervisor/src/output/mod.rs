//! What an instance said: stdout, stderr, its log, and what the host says about it; numbered and bounded.
//!
//! Owns the lines in memory, the tasks that read a worker's pipes, and whose each line is. Must not know where
//! lines are kept for longer: whoever keeps them takes them from here.
//!
//! ```text
//!   stdout, stderr ── lines, marks ──┐
//!   log messages ──── call -> job ───┼─ Voice (one worker) ──> Captured (one instance) ──> whoever looks, or keeps
//!   the host ────────────────────────┘
//! ```

mod captured;
mod kept;
mod marks;
mod mask;
mod read;
mod voice;

pub use captured::{Captured, Numbers};
pub use kept::{Lost, Taken};
pub(crate) use mask::Mask;
pub(crate) use read::Readers;
pub(crate) use voice::Voice;
